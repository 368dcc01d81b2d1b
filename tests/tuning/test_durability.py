"""Real Ray Tune over cheap trials on a machine that fails: kills, restarts, full disks, storms, budgets."""

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from engine_parts import (
    check_accounts,
    comparable,
    descendants,
    drive,
    finished,
    kill,
    restart_machine,
    run,
    wait_for,
)
from studies_for_tests import make_study, spec

from reeltune.errors import EngineError
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.study.budget import COPIES, OVERHEAD_BYTES
from reeltune.tuning.study.observer import Outcome
from reeltune.tuning.trial.job import count_parameters

pytestmark = [
    pytest.mark.soak,
    pytest.mark.usefixtures("one_ray"),
    # Ray leaves the sockets and pipes of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def kill_worker(process):
    """Kill a worker in the middle of its trial, then the driver."""
    workers = [
        pid
        for pid in descendants(process.pid)
        if b"ray::TrialRunner" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert workers
    kill(workers)
    time.sleep(1.0)
    process.kill()
    process.wait()


def test_killed_at_random_moments_one_worker_gives_what_an_uninterrupted_run_gives(tmp_path):
    settings = {"trials": 10, "concurrency": 1, "searcher": {"name": "tpe", "n_initial": 4}}
    killed = make_study(tmp_path / "killed", **settings)
    place = tmp_path / "place"
    place.mkdir()
    chance = random.Random(5)
    for n_wanted, end in ((1, kill_worker), (3, restart_machine)):
        process = drive(killed, "run_a_part", cwd=place)
        wait_for(lambda n=n_wanted: len(finished(killed)) >= n, process)
        time.sleep(chance.random())
        end(process)
        before = finished(killed)
    assert run(killed, "run") is Outcome.FINISHED
    check_accounts(killed)
    assert killed.rows()[: len(before)] == before, "what had ended stays as it was"
    whole = make_study(tmp_path / "whole", **settings)
    assert run(whole, "run") is Outcome.FINISHED
    assert comparable(killed) == comparable(whole), "the kills changed nothing"
    assert not list(place.iterdir()), "the user's working directory is untouched"


def test_killed_with_two_workers_it_accounts_for_every_trial(tmp_path):
    study = make_study(tmp_path / "s", trials=12)
    process = drive(study, "run_a_part")
    wait_for(lambda: len(finished(study)) >= 4, process)
    process.kill()
    process.wait()
    before = {row.number: row for row in finished(study)}
    assert run(study, "run") is Outcome.FINISHED
    check_accounts(study)
    assert {row.number: row for row in study.rows()}.items() >= before.items()


def test_two_studies_side_by_side(tmp_path):
    settings = {"trials": 6, "concurrency": 1}
    studies = [make_study(tmp_path / name, seed=seed, **settings) for name, seed in (("a", 1), ("b", 2))]
    other = drive(studies[1], "run_slowly")
    wait_for(studies[1].is_locked, other)
    assert run(studies[0], "run_slowly") is Outcome.FINISHED
    output, _ = other.communicate(timeout=300)
    assert output == "finished\n"
    for study in studies:
        check_accounts(study)
    alone = make_study(tmp_path / "alone", seed=2, **settings)
    assert run(alone, "run") is Outcome.FINISHED
    assert comparable(alone) == comparable(studies[1])


@pytest.fixture
def small_disk(tmp_path):
    """Yield a file system of 6 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if not made or made.returncode != 0:
        pytest.skip("a file system can be mounted by the superuser only")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_really_full_ends_the_run_and_loses_nothing(small_disk, tmp_path):
    study = make_study(small_disk / "s", trials=4, concurrency=1)
    with pytest.raises(EngineError, match=r"No space left on device"):
        run(study, "write_much")
    before = finished(study)
    assert not any(row.state is TrialState.FAILED for row in study.rows())
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    assert run(study, "write_much") is Outcome.FINISHED
    check_accounts(study)
    assert study.rows()[: len(before)] == before
    whole = make_study(tmp_path / "whole", trials=4, concurrency=1)
    assert run(whole, "run") is Outcome.FINISHED
    assert comparable(study) == comparable(whole)


def test_a_storm_of_divergence_is_outlived(tmp_path):
    study = make_study(tmp_path / "s", trials=16, searcher={"name": "tpe", "n_initial": 4})
    assert run(study, "run_storm") is Outcome.FINISHED
    check_accounts(study)
    rows = study.rows()
    assert sum(row.state is TrialState.DIVERGED for row in rows) == 12
    assert {row.number for row in study.best()} <= {0, 4, 8, 12}
    assert study.best(1)[0].value < 0.99, "a high figure before the divergence does not win"


def test_checkpoints_never_pass_their_cap(tmp_path):
    described = spec()
    widest = described.space.default(described.trial.plain()) | {"model.hidden_dim": 64}
    n_parameters = count_parameters(described.space.apply(described.trial.plain(), widest), 10)
    cap = 2 * (4 * COPIES * n_parameters + OVERHEAD_BYTES) + 8 * n_parameters  # two running, two of the best
    settings = {"trials": 12, "scheduler": "none", "keep_checkpoints": 8}
    study = make_study(tmp_path / "s", max_epochs=3, checkpoint_megabytes=cap / 1e6, **settings)
    assert run(study, "run_heavily") is Outcome.FINISHED
    seen = [int(size) for size in (study.directory / "sizes").read_text().split()]
    n_epochs = sum(row.n_epochs for row in study.rows())
    assert len(seen) == 2 * n_epochs, "measured at each writing"
    assert 0 < max(seen) <= cap
    kept = {int(path.parent.name) for path in study.directory.glob("trials/*/best.ckpt")}
    assert study.best(1)[0].number in kept


def test_a_cap_that_no_trial_fits_is_told(tmp_path):
    study = make_study(tmp_path / "s", trials=2, checkpoint_megabytes=0.1)
    with pytest.raises(EngineError, match=r"study\.checkpoint_megabytes is 0\.1; raise it"):
        run(study, "run_heavily")
