"""The contestants' way to the test: tuned, chosen on validation, trained again from fresh seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.benchmark.spec import Contest, Entrant
from reeltune.data.prepared import TuningData
from reeltune.errors import StudyError
from reeltune.evaluation.seeds import SeedSpread, WinnersCurse, seed_spread
from reeltune.evaluation.studies import Notify, selected_trial
from reeltune.models.registry import check_packages as check_packages_of
from reeltune.seeding import derive
from reeltune.training.checkpoint import read_ranks
from reeltune.training.epochs import BEST_CHECKPOINT, VALIDATION_RANKS
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Observer, Outcome
from reeltune.tuning.trial.job import TrialJob
from reeltune.tuning.trial.jobs import job_result, run_jobs

__all__ = [
    "Qualified",
    "check_packages",
    "qualified_of",
    "qualify",
    "seed_jobs",
    "seed_jobs_of",
    "study_of",
    "tune_all",
]


@dataclass(frozen=True)
class Qualified:
    """A contestant whose configuration is chosen and trained."""

    entrant: Entrant
    config: dict[str, Any]  # the whole trial configuration
    params: dict[str, Any]  # what was searched, by dotted name
    trial: int | None  # number of the selected trial
    n_trials: int  # that ended; 1 where nothing was searched
    selected_value: float | None  # validation objective of the selected trial
    folders: tuple[Path, ...]  # one a seed that did not diverge
    validation: SeedSpread  # objective over the seeds
    seconds: float  # of all trials

    @property
    def curse(self) -> WinnersCurse | None:
        """How much the selected trial flattered itself; None where nothing was searched."""
        if self.selected_value is None or not self.entrant.is_random:
            return None
        return WinnersCurse(self.selected_value, self.n_trials, self.validation)

    @property
    def checkpoints(self) -> tuple[Path, ...]:
        """The weights of each seed."""
        return tuple(folder / BEST_CHECKPOINT for folder in self.folders)

    def validation_ranks(self) -> NDArray[np.int32]:
        """Return the validation ranks of each seed, [S, M]."""
        return np.stack([read_ranks(folder / VALIDATION_RANKS) for folder in self.folders])


def check_packages(contest: Contest) -> None:
    """Check that every contestant can run here, before hours have gone into the others.

    Raises:
        ConfigError: A package is not installed.
    """
    named = [one.experiment.trial.model.name for one in contest.entrants]
    part = contest.spec.ratings
    if part is not None:
        named += [one.predictor.name for one in part.contestants.values() if one.predictor is not None]
    check_packages_of(named)


def study_of(entrant: Entrant, out: Path) -> Path:
    """Return the folder of the contestant's study."""
    return out / "studies" / entrant.slug


def tune_all(contest: Contest, out: Path, data: TuningData, *, observe: Any, notify: Notify) -> bool:
    """Run the study of each contestant that has a space, or what is left of it; return whether all ended."""
    from reeltune.tuning.ray import engine as ray_engine
    from reeltune.tuning.study.serial import run_serially

    for entrant in contest.entrants:
        if not entrant.is_tuned:
            continue
        study = Study.create(study_of(entrant, out), entrant.experiment.study_spec(), data.ledger)
        if study.is_finished:
            continue
        notify(f"tuning {entrant.name}: {study.n_trials} trials")
        observer: Observer | None = observe()
        # Ray takes longer to start than a baseline to be tuned.
        run = ray_engine.run_study if entrant.is_network else run_serially
        if run(study, data.directory, observer=observer) is Outcome.INTERRUPTED:
            return False
    return True


def qualify(contest: Contest, out: Path, data: TuningData, notify: Notify) -> list[Qualified]:
    """Return every contestant with its configuration chosen on validation and trained from fresh seeds.

    What is there already is kept, what was killed resumes.

    Raises:
        StudyError: A contestant has no trial with a figure, or each of its seeds diverged.
        EngineError: A training process died.
    """
    jobs = {entrant.name: seed_jobs(contest, entrant, out, data) for entrant in contest.entrants}
    run_jobs([job for own in jobs.values() for job in own], contest.executor, notify)
    return [_qualified(contest, entrant, jobs[entrant.name], out) for entrant in contest.entrants]


def seed_jobs(contest: Contest, entrant: Entrant, out: Path, data: TuningData) -> list[TrialJob]:
    """Return a job a seed of the contestant's selected configuration; one where seeds change nothing."""
    folder = out / "seeds" / entrant.slug
    return seed_jobs_of(contest, entrant, _choice(entrant, out), data, folder, n_seeds=contest.spec.seeds)


def seed_jobs_of(
    contest: Contest,
    entrant: Entrant,
    choice: tuple[dict[str, Any], dict[str, Any]],
    data: TuningData,
    folder: Path,
    *,
    n_seeds: int,
) -> list[TrialJob]:
    """Return a job a seed of a configuration (the whole, and what was searched) in ``folder``."""
    config, params = choice
    return [
        TrialJob(
            number=k,
            seed=derive(contest.seed, config, "contest", k),
            params=params,
            config=config,
            directory=str((folder / f"seed-{k}").absolute()),
            data_directory=str(data.directory),
            study=entrant.name,
            study_directory=str(folder.absolute()),
            n_threads=contest.settings.n_threads,
            accelerator=contest.settings.accelerator,
            name=f"{entrant.name}, seed {k}",
        )
        for k in range(1, (n_seeds if entrant.is_random else 1) + 1)
    ]


def qualified_of(one: Qualified, jobs: Sequence[TrialJob], contest: Contest) -> Qualified | None:
    """Return ``one`` as ``jobs`` trained it on other data; None where each diverged."""
    ended = _ended(jobs)
    if not ended:
        return None
    values = [value[contest.objective] for value in ended.values()]
    return replace(one, folders=tuple(map(Path, ended)), validation=seed_spread(values))


def _choice(entrant: Entrant, out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not entrant.is_tuned:
        return entrant.experiment.trial.plain(), {}
    row = selected_trial(Study.open(study_of(entrant, out)))
    return row.config, row.params


def _qualified(contest: Contest, entrant: Entrant, jobs: Sequence[TrialJob], out: Path) -> Qualified:
    ended = _ended(jobs)
    if not ended:
        first = job_result(jobs[0])
        reason = "it left no result" if first is None else first.reason
        raise StudyError(f"{entrant.name}: no seed was trained to an end ({reason}); narrow its space")
    values = [value[contest.objective] for value in ended.values()]
    trial, n_trials, value, seconds = None, 1, None, 0.0
    if entrant.is_tuned:
        study = Study.open(study_of(entrant, out))
        row = selected_trial(study)
        trial, value, seconds = row.number, row.value, study.elapsed_seconds
        n_trials = sum(row.state.is_finished for row in study.rows())
    return Qualified(
        entrant=entrant,
        config=jobs[0].config,
        params=jobs[0].params,
        trial=trial,
        n_trials=n_trials,
        selected_value=value,
        folders=tuple(map(Path, ended)),
        validation=seed_spread(values),
        seconds=seconds,
    )


def _ended(jobs: Sequence[TrialJob]) -> dict[str, dict[str, float]]:
    """Return the validation metrics of each job that did not diverge, by its folder."""
    results = {job.directory: job_result(job) for job in jobs}
    return {
        folder: result.metrics
        for folder, result in results.items()
        if result is not None and result.state is TrialState.COMPLETE
    }
