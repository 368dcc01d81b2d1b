"""What runs inside a Ray worker: one trial after another, each reported epoch by epoch."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

from reeltune.errors import ReeltuneError, StudyError
from reeltune.files import write_text
from reeltune.tuning.job import TrialJob, load_entry
from reeltune.tuning.rows import EpochReport, Report, TrialResult, TrialState

__all__ = ["EPOCH", "ERROR_FILE", "JOB", "OBJECTIVE", "REPORT", "RESULT", "run_in_worker"]

EPOCH = "epoch"
OBJECTIVE = "objective"
REPORT = "report"
RESULT = "result"
JOB = "job"
ERROR_FILE = "error.txt"
"""Holds the traceback of a trial that failed."""


def run_in_worker(config: dict[str, Any], *, entry: str) -> None:
    """Run the job in ``config`` and send each epoch, then the end, to the driver."""
    from ray import tune

    def report(epoch: EpochReport) -> None:
        message = json.dumps(epoch.plain())
        tune.report({EPOCH: epoch.epoch, OBJECTIVE: epoch.best, REPORT: message})

    job = TrialJob(**config[JOB])
    result = _run(entry, job, report)
    tune.report({RESULT: json.dumps(result)})


def _run(entry: str, job: TrialJob, report: Report) -> dict[str, Any]:
    """Return the trial's result as plain values; an error becomes a failed result with its reason."""
    try:
        try:
            run = load_entry(entry)
            result = run(job, report)
        except StudyError:
            # Its checkpoint is damaged. What it reported will be reported again, equal, from the start.
            (Path(job.directory) / "last.ckpt").unlink(missing_ok=True)
            result = run(job, report)
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
