"""The selected configuration trained again from other seeds, as many at once as the study ran trials.

Each seed has a folder ``final/trial-NNNNN/seed-K`` in the study; see :mod:`reeltune.tuning.trial.jobs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import TuningData
from reeltune.errors import StudyError
from reeltune.evaluation.compare import sums_by_user
from reeltune.evaluation.repeats import Repeats, name_winner, read_repeats
from reeltune.evaluation.studies import Notify
from reeltune.files import write_json
from reeltune.metrics.registry import per_query
from reeltune.seeding import derive
from reeltune.training.epochs import BEST_CHECKPOINT, VALIDATION_RANKS
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.population import lineage
from reeltune.tuning.study.folder import Study
from reeltune.tuning.trial.job import TrialJob
from reeltune.tuning.trial.jobs import Executor, LocalPool, run_jobs


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


def study_executor(study: Study, data: TuningData, address: str | None = None) -> Executor:
    """Return what trains with the study's threads and device: this machine, or the cluster at ``address``."""
    settings = study.spec.study
    if address is None:
        return LocalPool(settings.concurrency, settings.gpus_per_trial)
    from reeltune.tuning.ray.jobs import RayJobs

    return RayJobs(study, data.directory, address)


def repeat_best(study: Study, data: TuningData, notify: Notify, executor: Executor) -> Repeats | None:
    """Train the best configurations again, as ``study.repeats`` asks, and return who wins, None for none.

    Writes ``repeats.json``. A call that was killed resumes; one that was done returns what is written. The
    seeds are those of the final training, which finds them done.

    Raises:
        StudyError: A file of an earlier call is damaged.
        EngineError: A training broke off.
    """
    settings = study.spec.study.repeats
    rows = study.best(settings.top)
    if not settings.seeds or not rows:
        return None
    known = read_repeats(study)
    if known is not None:
        return known
    notify(f"training the best {len(rows)} configurations again from {settings.seeds} seeds each")
    found = retrain(study, rows, data, n_seeds=settings.seeds, notify=notify, executor=executor)
    figures = {number: [candidate.metrics for candidate in of] for number, of in found.items()}
    by_user = None
    if settings.winner == "simplest":
        by_user = {number: _by_user(study, of, data) for number, of in found.items() if of}
    repeats = name_winner(study, rows, figures, by_user)
    write_json(study.directory / "repeats.json", repeats.plain())
    return repeats


def _by_user(study: Study, candidates: Sequence[Candidate], data: TuningData) -> NDArray[np.float64]:
    """Return the mean objective of each user over the seeds, [U]."""
    ranks = [np.load(candidate.checkpoint.parent / VALIDATION_RANKS) for candidate in candidates]
    values = np.mean([per_query(of_seed, study.objective) for of_seed in ranks], axis=0)
    sums, n_targets = sums_by_user(values, data.validation.user)
    return np.asarray(sums / n_targets, dtype=np.float64)


def retrain(
    study: Study,
    rows: Sequence[TrialRow],
    data: TuningData,
    *,
    n_seeds: int,
    notify: Notify,
    executor: Executor,
) -> dict[int, list[Candidate]]:
    """Return one checkpoint a seed for each of several trials, by number; what is there already is kept.

    No scheduler stops these: each runs until its own early stopping or last epoch. One that
    diverges is reported and left out.

    Raises:
        StudyError: A file of an earlier call is damaged.
        EngineError: A training broke off.
    """
    jobs = [(row.number, _job(study, row, data, k)) for row in rows for k in range(1, n_seeds + 1)]
    results = run_jobs([job for _, job in jobs], executor, notify)
    found: dict[int, list[Candidate]] = {row.number: [] for row in rows}
    for (number, job), result in zip(jobs, results, strict=True):
        if result.state is not TrialState.COMPLETE:
            notify(f"{job.label} {result.state}: {result.reason}; left out")
            continue
        found[number].append(
            Candidate(
                Path(job.directory) / BEST_CHECKPOINT,
                job.seed,
                result.metrics[study.objective],
                is_retrained=True,
                metrics=result.metrics,
            )
        )
    return found


def refit(
    study: Study,
    selected: TrialRow,
    data: TuningData,
    *,
    count_prior: float | None,
    validation: float,
    notify: Notify,
    executor: Executor,
) -> list[Candidate]:
    """Return one checkpoint a final seed, each trained on all that precedes the test targets.

    Each is trained for as many epochs as the trial had at its best, on the course of the learning rate that
    the trial had. Nothing is left to validate it on.

    Args:
        study: The study.
        selected: The trial whose configuration is trained.
        data: The study's data.
        count_prior: Weight of the count prior beside the network; None for the trial's own.
        validation: What the configuration reached on validation before.
        notify: Receives lines of progress.
        executor: Where it is trained.

    Raises:
        StudyError: A file of an earlier call is damaged, or every seed diverged.
        EngineError: A training broke off.
    """
    config = selected.config
    if count_prior is not None:
        config = {**config, "model": {**config["model"], "count_prior": count_prior}}
    jobs = [
        replace(
            job,
            config=config,
            directory=str(Path(job.directory).with_name(f"refit-{job.number}")),
            end_epoch=selected.best_epoch,
            is_refit=True,
            name=f"refit {job.number}",
        )
        for job in (_job(study, selected, data, k) for k in range(1, study.spec.final.seeds + 1))
    ]
    results = run_jobs(jobs, executor, notify)
    found = []
    for job, result in zip(jobs, results, strict=True):
        if result.state is TrialState.COMPLETE:
            checkpoint = Path(job.directory) / BEST_CHECKPOINT
            found.append(Candidate(checkpoint, job.seed, validation, is_retrained=True))
        else:
            notify(f"{job.label} {result.state}: {result.reason}; left out")
    if not found:
        raise StudyError(
            f"each of {len(jobs)} refits of trial {selected.number} {results[0].state}: {results[0].reason}; "
            "set final.refit to false to test the trial as it stands"
        )
    return found


def _job(study: Study, selected: TrialRow, data: TuningData, k: int) -> TrialJob:
    population = study.spec.population
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
        accelerator=study.spec.study.accelerator,
        measures=list(study.goal.extra_measures),
        end_epoch=None if population is None else population.end_epoch(selected.number),
        past=[
            {"params": row.params, "config": row.config, "end_epoch": row.start_epoch + row.n_epochs}
            for row in chain[:-1]
        ],
        name=f"final seed {k}",
    )
