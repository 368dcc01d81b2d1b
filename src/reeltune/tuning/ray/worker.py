"""What runs inside a Ray worker: one trial after another, each reported epoch by epoch."""

from __future__ import annotations

import functools
import json
import platform
import threading
import traceback
from pathlib import Path
from typing import Any

from reeltune.errors import EngineError, ReeltuneError, StudyError
from reeltune.files import write_text
from reeltune.training.epochs import LAST_CHECKPOINT
from reeltune.tuning.mirror.away import trial_away
from reeltune.tuning.records.rows import EpochReport, Report, TrialResult, TrialState
from reeltune.tuning.trial.job import TrialJob, load_entry

__all__ = [
    "BREAKDOWN",
    "END_SECONDS",
    "EPOCH",
    "ERROR_FILE",
    "JOB",
    "OBJECTIVE",
    "REPORT",
    "RESULT",
    "run_in_worker",
    "trial_runner",
    "wait_until_idle",
]

EPOCH = "epoch"
OBJECTIVE = "objective"
REPORT = "report"
RESULT = "result"
BREAKDOWN = "breakdown"
JOB = "job"
END_SECONDS = 8.0
"""Ray Tune ends a worker by force after 10."""
ERROR_FILE = "error.txt"
"""Holds the traceback of a trial that failed."""


class _Running:
    """Counts the trials of this process: a reused worker starts one while the last closes its loggers."""

    def __init__(self) -> None:
        self._n_trials = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._n_trials += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._n_trials -= 1
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._n_trials == 0, seconds)


_running = _Running()


def trial_runner(entry: str) -> type:
    """Return the Ray Tune class that runs jobs through the function at the import path ``entry``.

    It is the class that Ray makes of :func:`run_in_worker`, but a worker that is to end first lets a
    stopped trial close its loggers.
    """
    from ray.tune.trainable import wrap_function

    base: Any = wrap_function(functools.partial(run_in_worker, entry=entry))

    class TrialRunner(base):  # type: ignore[misc]
        def cleanup(self) -> None:
            try:
                super().cleanup()
            finally:
                wait_until_idle()

    return TrialRunner


def wait_until_idle() -> None:
    """Wait until all trials of this worker process have ended, or for a few seconds."""
    _running.wait_for_none(END_SECONDS)


def run_in_worker(config: dict[str, Any], *, entry: str) -> None:
    """Run the job in ``config`` and send each epoch, then the end, to the driver."""
    with _running:
        _run_in_worker(config, entry)


def _run_in_worker(config: dict[str, Any], entry: str) -> None:
    from ray import tune

    def report(epoch: EpochReport) -> None:
        message = json.dumps(epoch.plain())
        tune.report({EPOCH: epoch.epoch, OBJECTIVE: epoch.best, REPORT: message})

    job = TrialJob(**config[JOB])
    try:
        if job.storage:
            result = _run_away(entry, job, report)
        elif (Path(job.study_directory) / "study.json").exists():
            result = _run(entry, job, report)
        else:  # a node that joined the cluster late
            raise EngineError(
                f"node {platform.node()} does not see the study's folder {job.study_directory}; share it, or "
                "give --storage an address of object storage"
            )
    except EngineError as error:
        tune.report({BREAKDOWN: str(error)})
    else:
        tune.report({RESULT: json.dumps(result)})


def _run_away(entry: str, job: TrialJob, report: Report) -> dict[str, Any]:
    with trial_away(job) as (moved, send):

        def send_and_report(epoch: EpochReport) -> None:
            send()
            report(epoch)

        result = _run(entry, moved, send_and_report)
        send()
    return result


def _run(entry: str, job: TrialJob, report: Report) -> dict[str, Any]:
    """Return the trial's result as plain values; an error becomes a failed result with its reason.

    Raises:
        EngineError: The disk failed; that is no fault of the trial, which can go on another time.
    """
    try:
        try:
            run = load_entry(entry)
            result = run(job, report)
        except StudyError:
            # Its checkpoint is damaged. What it reported will be reported again, equal, from the start.
            (Path(job.directory) / LAST_CHECKPOINT).unlink(missing_ok=True)
            result = run(job, report)
    except EngineError:
        raise
    except Exception as error:
        write_text(Path(job.directory) / ERROR_FILE, traceback.format_exc())
        first_line = (str(error).splitlines() or [""])[0]
        name = "" if isinstance(error, ReeltuneError) else f"{type(error).__name__}: "
        return _plain(TrialResult(TrialState.FAILED, f"{name}{first_line}", 0, {}, 0, 0, 0.0))
    return _plain(result)


def _plain(result: TrialResult) -> dict[str, Any]:
    return {
        "state": str(result.state),
        "reason": result.reason,
        "best_epoch": result.best_epoch,
        "metrics": result.metrics,
        "n_epochs": result.n_epochs,
        "n_parameters": result.n_parameters,
        "seconds": result.seconds,
    }
