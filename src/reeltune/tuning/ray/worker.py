"""What runs inside a Ray worker: one trial after another, each reported epoch by epoch."""

from __future__ import annotations

import functools
import threading
import traceback
from pathlib import Path
from typing import Any

from reeltune.errors import EngineError, ReeltuneError, StudyError
from reeltune.files import write_text
from reeltune.training.epochs import LAST_CHECKPOINT, EpochReport, Report
from reeltune.tuning.mirror.remote import remote_trial
from reeltune.tuning.records.rows import TrialResult, TrialState
from reeltune.tuning.trial.job import TrialJob, load_entry

EPOCH = "epoch"
OBJECTIVE = "objective"
REPORT = "report"
RESULT = "result"
BREAKDOWN = "breakdown"
JOB = "job"
END_SECONDS = 40.0
"""Longest wait for a stopped trial to close its loggers; Ray Tune ends the worker by force a little later."""
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

    job: TrialJob = config[JOB]
    try:
        with remote_trial(job) as (moved, send):

            def report(epoch: EpochReport) -> None:
                send()
                tune.report({EPOCH: epoch.epoch, OBJECTIVE: epoch.best, REPORT: epoch})

            result = _run(entry, moved, report)
            send()
    except EngineError as error:
        tune.report({BREAKDOWN: str(error)})
    else:
        tune.report({RESULT: result})


def _run(entry: str, job: TrialJob, report: Report) -> TrialResult:
    """Return the trial's result; an error becomes a failed one with its reason.

    Raises:
        EngineError: The disk failed; that is no fault of the trial, which is resumed another time.
    """
    try:
        try:
            run = load_entry(entry)
            return run(job, report)
        except StudyError:
            # Its checkpoint is damaged. What it reported will be reported again, equal, from the start.
            (Path(job.directory) / LAST_CHECKPOINT).unlink(missing_ok=True)
            return run(job, report)
    except EngineError:
        raise
    except Exception as error:
        write_text(Path(job.directory) / ERROR_FILE, traceback.format_exc())
        first = (str(error).splitlines() or [""])[0]
        name = "" if isinstance(error, ReeltuneError) else f"{type(error).__name__}: "
        return TrialResult(TrialState.FAILED, f"{name}{first}", 0, {}, 0, 0, 0.0)
