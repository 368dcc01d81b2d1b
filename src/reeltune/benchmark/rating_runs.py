"""The trainings of predictors of stars, as many at once as the contest allows; what was done is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeltune.benchmark.rating_job import run_rating_job
from reeltune.evaluation.studies import Notify
from reeltune.files import read_json, write_json
from reeltune.models.registry import MODELS
from reeltune.tuning.trial.processes import run_folders

__all__ = ["RatingJob", "run_rating_jobs"]


@dataclass(frozen=True)
class RatingJob:
    """A training and its folder."""

    folder: Path
    label: str
    value: dict[str, Any]  # what ``job.json`` holds

    @property
    def is_long(self) -> bool:
        """Whether it takes longer than a process to start."""
        return bool(self.value["kind"] == "network" or MODELS[self.value["config"]["name"]].is_slow)

    def result(self) -> dict[str, Any] | None:
        """Return how it ended, None where it has not, or was another job."""
        try:
            if read_json(self.folder / "job.json") != self.value:
                return None
            result: dict[str, Any] = read_json(self.folder / "result.json")
        except (OSError, ValueError):
            return None
        return result


def run_rating_jobs(jobs: Sequence[RatingJob], concurrency: int, notify: Notify) -> None:
    """Do what has not been done, up to ``concurrency`` at once.

    Raises:
        EngineError: A process died.
    """
    waiting = [job for job in jobs if job.result() is None]
    for job in waiting:
        (job.folder / "result.json").unlink(missing_ok=True)
        write_json(job.folder / "job.json", job.value)
    here = [job for job in waiting if concurrency == 1 or not job.is_long]
    for job in here:
        run_rating_job(job.folder)
        notify(_told(job))
    apart = {job.folder: job for job in waiting if job not in here}

    def watch(folder: Path, has_ended: bool) -> None:
        if has_ended:
            notify(_told(apart[folder]))

    labels = {folder: job.label for folder, job in apart.items()}
    run_folders("reeltune.benchmark.rating_job", labels, [{}] * concurrency, watch)


def _told(job: RatingJob) -> str:
    result = job.result() or {}
    if result.get("reason"):
        return f"{job.label}: {result['reason']}"
    figure = "" if result.get("rmse") is None else f": validation RMSE {result['rmse']:.4f}"
    return f"{job.label}{figure}, {result.get('seconds', 0.0):.0f} s"
