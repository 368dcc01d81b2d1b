"""What the tests of the engine share: runs in this process, drivers in processes of their own, accounts."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import optuna

from reeltune.tuning.ray.engine import run_study

HERE = Path(__file__).parent
DRIVER = HERE / "studies_for_tests.py"


def run(study, entry, **options):
    return run_study(study, Path("no-data"), entry=f"cheap_trials:{entry}", **options)


def optuna_trials(study):
    storage = f"sqlite:///{study.storage_path}"
    return optuna.load_study(study_name=study.name, storage=storage).get_trials(deepcopy=False)


def drive(study, entry="run_slowly", *more, cwd=None):
    """Start a driver in a process of its own."""
    command = [sys.executable, str(DRIVER), str(study.directory), f"cheap_trials:{entry}", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd)


def wait_for(condition, process=None, seconds=240):
    start = time.monotonic()
    while not condition():
        assert process is None or process.poll() is None, process.stdout.read()
        assert time.monotonic() - start < seconds, "waited too long"
        time.sleep(0.02)


def finished(study):
    return [row for row in study.rows() if row.state.is_finished]


def comparable(study):
    """Return what must not depend on when the study ran: rows and epochs without their clocks."""
    rows = [replace(row, seconds=0.0).plain() for row in study.rows()]
    return rows, [[replace(e, seconds=0.0) for e in study.epochs(row["number"])] for row in rows]


def check_accounts(study):
    """Check that every trial is accounted for exactly once, in the rows and in Optuna."""
    rows = study.rows()
    assert [row.number for row in rows] == list(range(study.n_trials))
    assert all(row.state.is_finished for row in rows)
    for row, trial in zip(rows, optuna_trials(study), strict=True):
        epochs = study.epochs(row.number)
        assert [epoch.epoch for epoch in epochs] == list(range(1, row.n_epochs + 1))
        assert trial.params == row.params
        assert trial.user_attrs["state"] == row.state
        assert trial.intermediate_values == {epoch.epoch: epoch.best for epoch in epochs}
        expected = {"complete": "COMPLETE", "failed": "FAIL"}.get(row.state, "PRUNED")
        assert trial.state.name == expected


def descendants(pid):
    """Return the processes that ``pid`` started, directly or not, and their groups' other members."""
    found, todo = [], [pid]
    while todo:
        children = Path(f"/proc/{todo.pop()}/task")
        for task in children.glob("*/children"):
            try:
                own = [int(child) for child in task.read_text().split()]
            except OSError:
                continue
            found += own
            todo += own
    return found


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def restart_machine(process):
    """End the driver and everything that it started at once."""
    everything = descendants(process.pid)
    process.kill()
    kill(everything)
    process.wait()
