"""The selected configuration trained again from other seeds, as many at once as the study ran trials.

Each seed has a folder ``final/trial-NNNNN/seed-K`` in the study with ``job.json``, ``epochs.jsonl``,
``best.ckpt`` and, when it has ended, ``result.json``. A process of its own trains it:
``python -m reeltune.evaluation.retrain FOLDER``.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reeltune.data.prepared import TuningData
from reeltune.errors import EngineError, StudyError
from reeltune.evaluation.processes import run_folders, stop_without_parent
from reeltune.evaluation.repeats import Repeats, name_winner, read_repeats
from reeltune.evaluation.studies import Notify
from reeltune.files import append_line, read_json, read_lines, write_json
from reeltune.seeding import derive
from reeltune.training.epochs import BEST_CHECKPOINT, LAST_CHECKPOINT
from reeltune.tuning.records.rows import EpochReport, Report, TrialRow, TrialState
from reeltune.tuning.search.population import end_epoch, lineage
from reeltune.tuning.study.folder import Study
from reeltune.tuning.trial.job import TrialJob, run_job

__all__ = ["job_result", "train_jobs", "Candidate", "repeat_best", "retrain", "retrain_all", "train_folder"]


@dataclass(frozen=True)
class Candidate:
    """A checkpoint of the selected configuration."""

    checkpoint: Path
    seed: int
    validation: float  # objective at its best epoch
    is_retrained: bool  # rather than the trial's own
    metrics: dict[str, float] = field(default_factory=dict)  # of a retrained one, on validation

    def path_within(self, study_dir: Path) -> str:
        """Return the checkpoint's path within the study."""
        return self.checkpoint.relative_to(study_dir).as_posix()


def retrain(
    study: Study, selected: TrialRow, data: TuningData, *, n_seeds: int, notify: Notify
) -> list[Candidate]:
    """Return one checkpoint a seed; what is there already is kept, what was killed goes on.

    No scheduler stops these: each runs until its own early stopping or last epoch. One that
    diverges is told and left out.

    Raises:
        StudyError: A file of an earlier call is damaged.
        EngineError: A training process died.
    """
    return retrain_all(study, [selected], data, n_seeds=n_seeds, notify=notify)[selected.number]


def repeat_best(study: Study, data: TuningData, notify: Notify) -> Repeats | None:
    """Train the best configurations again, as ``study.repeats`` asks, and return who wins, None for none.

    Writes ``repeats.json``. A call that was killed goes on; one that was done returns what is written. The
    seeds are those of the final training, which finds them done.

    Raises:
        StudyError: A file of an earlier call is damaged.
        EngineError: A training process died.
    """
    settings = study.spec.study.repeats
    rows = study.best(settings.top)
    if not settings.seeds or not rows:
        return None
    known = read_repeats(study)
    if known is not None:
        return known
    notify(f"training the best {len(rows)} configurations again from {settings.seeds} seeds each")
    found = retrain_all(study, rows, data, n_seeds=settings.seeds, notify=notify)
    figures = {number: [candidate.metrics for candidate in of] for number, of in found.items()}
    repeats = name_winner(study, rows, figures)
    write_json(study.directory / "repeats.json", repeats.plain())
    return repeats


def retrain_all(
    study: Study, rows: Sequence[TrialRow], data: TuningData, *, n_seeds: int, notify: Notify
) -> dict[int, list[Candidate]]:
    """Return one checkpoint a seed for each of several configurations; see :func:`retrain`."""
    jobs = {row.number: [_job(study, row, data, k) for k in range(1, n_seeds + 1)] for row in rows}
    train_jobs(
        [job for own in jobs.values() for job in own],
        concurrency=study.spec.study.concurrency,
        objective=study.objective,
        notify=notify,
    )
    return {number: _candidates(own, study, notify) for number, own in jobs.items()}


def train_jobs(jobs: Sequence[TrialJob], *, concurrency: int, objective: str, notify: Notify) -> None:
    """Train each job in its folder, up to ``concurrency`` at once; what has ended is left as it is.

    Raises:
        StudyError: A file of an earlier call is damaged.
        EngineError: A training process died.
    """
    pending = [job for job in jobs if job_result(job) is None]
    for job in pending:
        write_json(Path(job.directory) / "job.json", job.plain())
    if len(pending) == 1 or concurrency == 1:
        for job in pending:
            _train_here(job, objective, notify)
    else:
        _train_at_once(pending, concurrency, objective, notify)


def _candidates(jobs: Sequence[TrialJob], study: Study, notify: Notify) -> list[Candidate]:
    candidates = []
    for job in jobs:
        result = job_result(job)
        if result is None:
            raise EngineError(
                f"final seed {job.number} left no result in {job.directory}; run the command again"
            )
        if result["state"] == TrialState.COMPLETE:
            value = float(result["metrics"][study.objective])
            candidates.append(
                Candidate(
                    Path(job.directory) / BEST_CHECKPOINT,
                    job.seed,
                    value,
                    is_retrained=True,
                    metrics=result["metrics"],
                )
            )
        else:
            notify(f"final seed {job.number} {result['state']}: {result['reason']}; left out")
    return candidates


def train_folder(directory: Path, tell: Report) -> None:
    """Train the job in ``directory`` and write its ``result.json``; ``tell`` receives each epoch."""
    job = TrialJob(**read_json(directory / "job.json"))
    path = directory / "epochs.jsonl"
    known = {line["epoch"] for line in read_lines(path)}

    def record(epoch: EpochReport) -> None:
        if epoch.epoch not in known:
            append_line(path, epoch.plain())
            tell(epoch)

    result = run_job(job, record)
    write_json(
        directory / "result.json",
        {"seed": job.seed, "state": str(result.state), "reason": result.reason, "metrics": result.metrics},
    )
    (directory / LAST_CHECKPOINT).unlink(missing_ok=True)
    for index in range(len(job.past)):
        shutil.rmtree(directory / f"leg-{index}", ignore_errors=True)


def _job(study: Study, selected: TrialRow, data: TuningData, k: int) -> TrialJob:
    chain = lineage({row.number: row for row in study.rows()}, selected.number)
    return TrialJob(
        number=k,
        seed=derive(study.spec.study.seed, selected.config, "final", k),
        params=selected.params,
        config=selected.config,
        directory=str(study.directory / "final" / f"trial-{selected.number:05d}" / f"seed-{k}"),
        data_directory=str(data.directory),
        study=study.name,
        study_directory=str(study.directory),
        n_threads=study.spec.study.n_threads,
        measures=list(study.goal.extra_measures),
        end_epoch=end_epoch(study.spec, selected.number),
        past=[
            {"params": row.params, "config": row.config, "end_epoch": row.start_epoch + row.n_epochs}
            for row in chain[:-1]
        ],
    )


def job_result(job: TrialJob) -> dict[str, Any] | None:
    """Return how the job ended, None if it has not (or was another job)."""
    path = Path(job.directory) / "result.json"
    if not path.exists():
        return None
    try:
        result: dict[str, Any] = read_json(path)
        return result if result["seed"] == job.seed else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{path} is damaged: {error!r}; remove its folder to train that seed again"
        ) from error


def _train_here(job: TrialJob, objective: str, notify: Notify) -> None:
    train_folder(Path(job.directory), lambda epoch: notify(_told(job, objective, epoch)))


def _train_at_once(jobs: Sequence[TrialJob], concurrency: int, objective: str, notify: Notify) -> None:
    by_folder = {Path(job.directory): job for job in jobs}
    n_told = {folder: len(read_lines(folder / "epochs.jsonl")) for folder in by_folder}

    def watch(folder: Path, has_ended: bool) -> None:
        lines = read_lines(folder / "epochs.jsonl")
        for line in lines[n_told[folder] :]:
            notify(_told(by_folder[folder], objective, EpochReport(**line)))
        n_told[folder] = len(lines)

    labels = {folder: f"training final seed {job.number}" for folder, job in by_folder.items()}
    run_folders("reeltune.evaluation.retrain", labels, concurrency, watch)


def _told(job: TrialJob, objective: str, epoch: EpochReport) -> str:
    return (
        f"final seed {job.number}: epoch {epoch.epoch} of {job.last_epoch}, "
        f"{objective} {epoch.metrics[objective]:.4f}, best {epoch.best:.4f}"
    )


if __name__ == "__main__":
    train_folder(Path(sys.argv[1]), stop_without_parent())
