"""Trainings that no search asks for: final seeds, repeats, sweeps, other splits; one folder a job.

The folder receives ``job.json``, ``epochs.jsonl``, what a trial leaves and, at its end, ``result.json``. What
has ended is left as it is; what was killed resumes. ``python -m reeltune.tuning.trial.jobs FOLDER`` trains
one in a process of its own.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from reeltune.errors import EngineError, StudyError
from reeltune.files import append_line, read_json, write_json
from reeltune.models.registry import is_network
from reeltune.training.epochs import LAST_CHECKPOINT, EpochReport, Report
from reeltune.tuning.records.reader import read_epochs
from reeltune.tuning.records.rows import TrialResult, TrialState
from reeltune.tuning.trial.job import TrialJob, run_job
from reeltune.tuning.trial.processes import run_folders, stop_without_parent

Notify = Callable[[str], None]


class Executor(Protocol):
    """Where jobs are trained."""

    def run(self, jobs: Sequence[TrialJob], notify: Notify) -> None:
        """Train each job, so that its result lies in its folder on this machine; ``notify`` hears of epochs.

        Raises:
            EngineError: A training broke off.
        """


def run_jobs(jobs: Sequence[TrialJob], executor: Executor, notify: Notify) -> list[TrialResult]:
    """Return how each job ended; those that have not ended before are trained by ``executor``.

    Raises:
        StudyError: A file of an earlier call is damaged.
        EngineError: A training broke off.
    """
    pending = {job.directory: job for job in jobs if job_result(job) is None}
    if pending:
        executor.run(list(pending.values()), notify)
    found = []
    for job in jobs:
        result = job_result(job)
        if result is None:
            raise EngineError(f"{job.label} left no result in {job.directory}; run the command again")
        found.append(result)
    return found


@dataclass(frozen=True)
class LocalPool:
    """Trains on this machine, some jobs at once, each in a process of its own.

    A single job is trained in this process, and so is a baseline: a process takes longer to start than a
    baseline to be fitted.
    """

    concurrency: int = 1
    gpus_per_job: float = 0.0
    """Accelerators of a job, or the share of one; 0 for none."""

    def run(self, jobs: Sequence[TrialJob], notify: Notify) -> None:
        """Train each job; see :class:`Executor`."""
        slots = self._slots()
        if not slots:
            notify("there is no accelerator here, so the CPU trains")
            jobs = [replace(job, accelerator="cpu") for job in jobs]
            slots = [{}] * self.concurrency
        for job in jobs:
            write_job(job)
        networks = [job for job in jobs if is_network(job.config["model"]["name"])]
        here = jobs if min(len(networks), len(slots)) <= 1 else [job for job in jobs if job not in networks]
        apart = [job for job in jobs if job not in here]
        for job in here:
            _train_here(job, notify)
        progress = Progress(apart, notify)
        labels = {Path(job.directory): f"training {job.label}" for job in apart}
        run_folders("reeltune.tuning.trial.jobs", labels, slots, lambda folder, _: progress.look(folder))

    def _slots(self) -> list[Mapping[str, str]]:
        """Return what each process at once sees of the accelerators; empty where there are none to be had."""
        if not self.gpus_per_job:
            return [{}] * self.concurrency
        import torch

        asked = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = asked.split(",") if asked else [str(n) for n in range(torch.cuda.device_count())]
        if not torch.cuda.is_available():
            return []
        if self.gpus_per_job < 1:
            names *= math.floor(1 / self.gpus_per_job + 1e-9)
        n_each = math.ceil(self.gpus_per_job)
        groups = [names[i : i + n_each] for i in range(0, max(len(names) - n_each, 0) + 1, n_each)]
        return [{"CUDA_VISIBLE_DEVICES": ",".join(group)} for group in groups[: self.concurrency]]


class Progress:
    """Reports what jobs that run elsewhere add to their ``epochs.jsonl``."""

    def __init__(self, jobs: Sequence[TrialJob], notify: Notify) -> None:
        self._jobs = {Path(job.directory): job for job in jobs}
        self._notify = notify
        self._n_seen = {folder: len(read_epochs(folder / "epochs.jsonl")) for folder in self._jobs}

    def look(self, folder: Path) -> None:
        """Report the epochs that have come to ``folder`` since the last look."""
        epochs = read_epochs(folder / "epochs.jsonl")
        for epoch in epochs[self._n_seen[folder] :]:
            self._notify(_in_words(self._jobs[folder], epoch))
        self._n_seen[folder] = len(epochs)


def write_job(job: TrialJob) -> None:
    """Write ``job.json`` for :func:`train_folder`."""
    write_json(Path(job.directory) / "job.json", job.plain())


def job_result(job: TrialJob) -> TrialResult | None:
    """Return how the job ended, None if it has not (or was another job).

    Raises:
        StudyError: ``result.json`` is damaged.
    """
    path = Path(job.directory) / "result.json"
    if not path.exists():
        return None
    try:
        value = read_json(path)
        if value.pop("seed") != job.seed:
            return None
        # Results of before held no more than state, reason and metrics.
        missing = {"best_epoch": 0, "n_epochs": 0, "n_parameters": 0, "seconds": 0.0}
        return TrialResult(**(missing | value | {"state": TrialState(value["state"])}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"{path} is damaged: {error!r}; remove its folder to train it again") from error


def train_folder(directory: Path, report: Report, data_directory: str = "") -> None:
    """Train the job in ``directory`` and write its ``result.json``; ``report`` receives each new epoch.

    ``data_directory`` is where this machine has the data, empty for where the job says.
    """
    job = TrialJob(**read_json(directory / "job.json"))
    job = replace(job, data_directory=data_directory or job.data_directory)
    path = directory / "epochs.jsonl"
    known = {epoch.epoch for epoch in read_epochs(path)}

    def record(epoch: EpochReport) -> None:
        if epoch.epoch not in known:
            append_line(path, epoch.plain())
            report(epoch)

    result = run_job(job, record)
    write_json(directory / "result.json", {"seed": job.seed, **asdict(result), "state": str(result.state)})
    (directory / LAST_CHECKPOINT).unlink(missing_ok=True)
    for index in range(len(job.past)):
        shutil.rmtree(directory / f"segment-{index}", ignore_errors=True)


def _train_here(job: TrialJob, notify: Notify) -> None:
    train_folder(Path(job.directory), lambda epoch: notify(_in_words(job, epoch)))


def _in_words(job: TrialJob, epoch: EpochReport) -> str:
    objective = job.config["objective"]
    if epoch.metrics:
        found = f"{objective} {epoch.metrics[objective]:.4f}, best {epoch.best:.4f}"
    else:
        found = f"loss {epoch.train_loss:.4f}"
    return f"{job.label}: epoch {epoch.epoch} of {job.last_epoch}, {found}"


if __name__ == "__main__":
    train_folder(Path(sys.argv[1]), stop_without_parent())
