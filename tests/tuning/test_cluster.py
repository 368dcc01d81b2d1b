"""A study on several nodes of Ray: what every node must see, and a node that dies."""

import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from engine_parts import HERE, check_accounts, finished, wait_for
from studies_for_tests import make_study

from reeltune.errors import ConfigError, EngineError
from reeltune.tuning.node_data import ARCHIVE, pack_data, unpack_data
from reeltune.tuning.observer import Outcome, SilentObserver
from reeltune.tuning.ray_cluster import check_fits, connect
from reeltune.tuning.ray_engine import run_study
from reeltune.tuning.ray_session import ENVIRONMENT
from reeltune.tuning.spec import StudySettings

pytestmark = [
    pytest.mark.slow,
    # Ray leaves the sockets and pipes of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    """Three nodes: a head that runs no trial, and two with one processor each."""
    from ray.cluster_utils import Cluster

    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    for key, value in ENVIRONMENT.items():
        patch.setenv(key, value)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()
    patch.undo()


class Watcher(SilentObserver):
    def __init__(self):
        self.interrupted = []

    def trial_interrupted(self, number, reason):
        self.interrupted.append(number)


def test_a_node_dies_and_nothing_is_lost(cluster, tmp_path):
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    data = tmp_path / "data"
    data.mkdir()
    study = make_study(tmp_path / "s", trials=5, scheduler={"name": "none"}, max_epochs=20)
    watcher, before = Watcher(), []

    def kill_one():
        running = [study.directory / "trials" / f"0000{n}" / "last.ckpt" for n in range(5)]
        wait_for(lambda: len(finished(study)) >= 2 and sum(path.exists() for path in running) >= 2)
        before.extend(finished(study))
        cluster.remove_node(nodes[0], allow_graceful=False)

    killer = threading.Thread(target=kill_one)
    killer.start()
    outcome = run_study(
        study, data, entry="cheap_trials:run_slowly", address=cluster.address, observer=watcher
    )
    killer.join()
    assert outcome is Outcome.FINISHED
    check_accounts(study)
    assert watcher.interrupted, "a trial ran on the node that died"
    rows = {row.number: row for row in study.rows()}
    assert all(rows[row.number] == row for row in before), "what had finished stays as it was"
    assert all(row.n_epochs == 20 and row.state == "complete" for row in rows.values())
    for number in watcher.interrupted:
        trace = (study.trial_directory(number) / "trace").read_text().split()
        assert len(trace) <= 21, "it went on from its checkpoint; at most the epoch under way is repeated"
    assert not list(study.directory.glob(".nodes-*"))


def test_more_than_any_node_has_is_refused_at_once(cluster, tmp_path):
    study = make_study(tmp_path / "s", trials=2, n_threads=7)
    with pytest.raises(ConfigError, match=r"n_threads is 7, the largest of \d nodes \(.*\) has 1 cores"):
        run_study(study, tmp_path, entry="cheap_trials:run", address=cluster.address)


def test_an_address_where_nothing_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(EngineError, match=f"no Ray cluster answers at {address}"):
        connect(address, {})
    assert time.monotonic() - start < 6
    for wrong in ("somewhere", "ray://head:10001", "head:port", "head:99999"):
        with pytest.raises(ConfigError, match="is not of the form HOST:PORT"):
            connect(wrong, {})


@pytest.mark.parametrize(
    ("settings", "nodes", "message"),
    [
        ({"n_threads": 8}, [{"CPU": 4.0}], "study.n_threads is 8, this machine has 4 cores"),
        ({"gpus_per_trial": 2.0}, [{"CPU": 4.0, "GPU": 1.0}], "is 2, this machine has 1 accelerators"),
        ({"gpus_per_trial": 0.5}, [{"CPU": 4.0}, {"CPU": 8.0}], "the largest of 2 nodes (0, 0) has 0"),
        (
            {"n_threads": 4, "gpus_per_trial": 1.0},
            [{"CPU": 8.0}, {"CPU": 2.0, "GPU": 1.0}],
            "no node has 4 cores and 1 accelerators together",
        ),
    ],
)
def test_what_a_trial_asks_for_must_be_there(settings, nodes, message):
    with pytest.raises(ConfigError) as error:
        check_fits(StudySettings(**settings), nodes)
    assert message in str(error.value)
    check_fits(StudySettings(gpus_per_trial=0.25), [{"CPU": 2.0, "GPU": 1.0}])


def test_data_are_unpacked_once_on_a_node_without_what_is_held_out(tmp_path, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    data, study = tmp_path / "data-0123", tmp_path / "study"
    for part in ("tuning", "held_out"):
        (data / part).mkdir(parents=True)
        (data / part / "items.npy").write_text(part)
    study.mkdir()
    assert unpack_data(str(data), str(study)) == str(data), "what a node sees, it uses"
    pack_data(data, study)
    data.rename(tmp_path / "elsewhere")
    found = Path(unpack_data(str(data), str(study)))
    assert found.is_relative_to(tmp_path / "cache")
    assert (found / "tuning" / "items.npy").read_text() == "tuning"
    assert not (found / "held_out").exists()
    (study / ARCHIVE).write_bytes(b"never read again")
    assert unpack_data(str(data), str(study)) == str(found)
