"""A study on several nodes of Ray: what every node must see, and a node that dies."""

import os
import socket
import sys
import threading
from pathlib import Path

import pytest
from engine_parts import HERE, check_accounts, finished, wait_for
from studies_for_tests import make_study

from reeltune.errors import ConfigError, EngineError
from reeltune.files import read_json
from reeltune.tuning.mirror.nodes import ARCHIVE, node_data, pack_data
from reeltune.tuning.ray.cluster import ask_nodes, check_fits, connect
from reeltune.tuning.ray.engine import run_study
from reeltune.tuning.ray.session import private_environment, read_token
from reeltune.tuning.study.observer import Outcome, SilentObserver
from reeltune.tuning.study.spec import StudySettings

pytestmark = [
    # Ray leaves the sockets and pipes of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    """The head of a cluster, which runs no trial; a test that ends nodes adds and removes its own."""
    from ray.cluster_utils import Cluster

    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    for key, value in private_environment().items():
        patch.setenv(key, value)
    read_token()
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()
    patch.undo()


@pytest.fixture(scope="module")
def node(cluster):
    """A node for the tests that leave it as it is; Ray counts its device without looking for it."""
    made = cluster.add_node(num_cpus=4, num_gpus=1)
    yield made
    cluster.remove_node(made)


class Watcher(SilentObserver):
    def __init__(self):
        self.interrupted = []

    def trial_interrupted(self, number, reason):
        self.interrupted.append(number)


def halfway(trials):
    """Return the node of a trial that has a checkpoint and epochs to go, however few slots are awake."""
    for path in trials.glob("*/node"):
        trace = path.with_name("trace")
        if path.with_name("last.ckpt").exists() and trace.exists() and len(trace.read_text().split()) < 10:
            return path.read_text()
    return None


@pytest.mark.soak
@pytest.mark.parametrize("is_shared", [True, False], ids=["shared-folder", "object-storage"])
def test_a_node_dies_and_nothing_is_lost(cluster, tmp_path, is_shared):
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    data = tmp_path / "data"
    data.mkdir()
    bucket = tmp_path / "bucket"
    storage = {} if is_shared else {"storage": bucket.as_uri()}
    study = make_study(tmp_path / "s", trials=5, scheduler={"name": "none"}, max_epochs=20, **storage)
    watcher, before = Watcher(), []

    def kill_one():
        found = []
        trials = (study.directory if is_shared else bucket / "s") / "trials"
        wait_for(lambda: finished(study) and (found.append(halfway(trials)) or found[-1]))
        lost = found[-1]
        before.extend(finished(study))
        cluster.remove_node(next(n for n in nodes if n.node_id == lost), allow_graceful=False)
        nodes[:] = [n for n in nodes if n.node_id != lost]

    killer = threading.Thread(target=kill_one)
    killer.start()
    entry = "run_and_tell_node" if is_shared else "run_out_of_sight"
    outcome = run_study(study, data, entry=f"cheap_trials:{entry}", address=cluster.address, observer=watcher)
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
    assert not list((bucket / "s").glob(".*")), "nor in the storage"
    for row in study.best(3):
        assert (study.trial_directory(row.number) / "best.ckpt").exists()
    cluster.remove_node(nodes[0])


def test_a_node_on_which_nothing_starts_is_asked_again_and_left_out_when_it_is_gone(monkeypatch):
    import ray

    near, far, gone = (digit * 56 for digit in "abc")
    alive, refused = [near, far, gone], []

    class Remote:
        def __init__(self, scheduling_strategy, **_):
            self.node = scheduling_strategy.node_id

        def __call__(self, function):
            return self

        def remote(self, node, *arguments):
            return node, arguments

    def get(reference, timeout):
        node, arguments = reference
        if node == gone or (node == far and len(refused) < 2):
            refused.append(node)
            alive[:] = [name for name in alive if name != gone or len(refused) < 3]
            raise ray.exceptions.TaskUnschedulableError("the node is draining")
        return {"node": node, "arguments": arguments}

    monkeypatch.setattr(ray, "nodes", lambda: [{"NodeID": name, "Alive": True} for name in alive])
    monkeypatch.setattr(ray, "remote", Remote)
    monkeypatch.setattr(ray, "get", get)
    found = ask_nodes(print, 7)
    assert [answer["node"] for answer in found] == [near, far]
    assert {answer["arguments"] for answer in found} == {(7,)}
    assert far in refused
    alive[:] = [gone]
    monkeypatch.setattr("reeltune.tuning.ray.cluster.LOOK_SECONDS", 0.2)
    with pytest.raises(EngineError, match=r"did not answer within 0\.2 s: .*the node is draining"):
        ask_nodes(print)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("look", "answer", "message"),
    [
        (
            "_look",
            {"is_shared": False, "has_data": True},
            "node far does not see the study's folder .*; give --studies a folder .*--storage",
        ),
        (
            "_look_at_storage",
            {"problem": "cannot read s3://bucket"},
            "node far does not share the storage: cannot read s3://bucket",
        ),
    ],
)
def test_a_node_that_does_not_see_the_study_is_named(
    cluster, node, tmp_path, monkeypatch, look, answer, message
):
    storage = {"storage": (tmp_path / "bucket").as_uri()} if look == "_look_at_storage" else {}
    study = make_study(tmp_path / "s", trials=2, **storage)
    monkeypatch.setattr(
        f"reeltune.tuning.mirror.nodes.{look}", lambda node, *_: {"node": node, "host": "far"} | answer
    )
    with pytest.raises(ConfigError, match=message):
        run_study(study, tmp_path, entry="cheap_trials:run", address=cluster.address)
    assert not study.rows()
    assert not list(study.directory.glob(".nodes-*"))


@pytest.mark.soak
def test_more_than_any_node_has_is_refused_at_once(cluster, node, tmp_path):
    study = make_study(tmp_path / "s", trials=2, n_threads=7)
    with pytest.raises(ConfigError, match=r"n_threads is 7, the largest of \d nodes \(.*\) has 4 cores"):
        run_study(study, tmp_path, entry="cheap_trials:run", address=cluster.address)


def test_an_address_where_nothing_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(EngineError, match=f"no Ray cluster answers at {address}"):
        connect(address, {})
    for wrong in ("somewhere", "ray://head:10001", "head:port", "head:99999"):
        with pytest.raises(ConfigError, match="is not of the form HOST:PORT"):
            connect(wrong, {})


@pytest.mark.soak
def test_trials_share_one_device(cluster, node, tmp_path):
    settings = {"trials": 2, "max_epochs": 1, "concurrency": 2, "scheduler": "none"}
    study = make_study(tmp_path / "s", gpus_per_trial=0.25, **settings)
    run_study(study, tmp_path, entry="cheap_trials:share_a_device", address=cluster.address)
    check_accounts(study)
    given = [read_json(study.trial_directory(number) / "device.json") for number in range(2)]
    assert [one["visible"] for one in given] == ["0"] * 2, "both see the one device"
    assert [one["share"] for one in given] == [0.25] * 2
    assert [one["accelerator"] for one in given] == ["gpu"] * 2
    assert len({one["pid"] for one in given}) == 2, "and ran at once"
    too_much = make_study(tmp_path / "t", gpus_per_trial=1.5, **settings)
    with pytest.raises(ConfigError, match=r"gpus_per_trial is 1\.5, .* has 1 accelerators; lower it"):
        run_study(too_much, tmp_path, entry="cheap_trials:run", address=cluster.address)
    assert not too_much.rows(), "refused before Ray could wait for a device"


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
    assert node_data(str(data), str(study)) == str(data), "what a node sees, it uses"
    pack_data(data, study)
    data.rename(tmp_path / "elsewhere")
    found = Path(node_data(str(data), str(study)))
    assert found.is_relative_to(tmp_path / "cache")
    assert (found / "tuning" / "items.npy").read_text() == "tuning"
    assert not (found / "held_out").exists()
    (study / ARCHIVE).write_bytes(b"never read again")
    assert node_data(str(data), str(study)) == str(found)
