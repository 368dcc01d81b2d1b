"""The models' way to the test: tuned, chosen on validation, trained again from fresh seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.benchmark.spec import Benchmark, Entry
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


@dataclass(frozen=True)
class Chosen:
    """A model whose configuration is chosen and trained."""

    entry: Entry
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
        if self.selected_value is None or not self.entry.is_random:
            return None
        return WinnersCurse(self.selected_value, self.n_trials, self.validation)

    @property
    def checkpoints(self) -> tuple[Path, ...]:
        """The weights of each seed."""
        return tuple(folder / BEST_CHECKPOINT for folder in self.folders)

    def validation_ranks(self) -> NDArray[np.int32]:
        """Return the validation ranks of each seed, [S, M]."""
        return np.stack([read_ranks(folder / VALIDATION_RANKS) for folder in self.folders])


def check_packages(benchmark: Benchmark) -> None:
    """Check that every model can run here, before hours have gone into the others.

    Raises:
        ConfigError: A package is not installed.
    """
    named = [one.experiment.trial.model.name for one in benchmark.entries]
    part = benchmark.spec.ratings
    if part is not None:
        named += [one.predictor.name for one in part.models.values() if one.predictor is not None]
    check_packages_of(named)


def study_of(entry: Entry, out: Path) -> Path:
    """Return the folder of the model's study."""
    return out / "studies" / entry.slug


def tune_all(benchmark: Benchmark, out: Path, data: TuningData, *, observe: Any, notify: Notify) -> bool:
    """Run the study of each model that has a space, or what is left of it; return whether all ended."""
    from reeltune.tuning.ray import engine as ray_engine
    from reeltune.tuning.study.serial import run_serially

    for entry in benchmark.entries:
        if not entry.is_tuned:
            continue
        study = Study.create(study_of(entry, out), entry.experiment.study_spec(), data.ledger)
        if study.is_finished:
            continue
        notify(f"tuning {entry.name}: {study.n_trials} trials")
        observer: Observer | None = observe()
        # Ray takes longer to start than a baseline to be tuned.
        run = ray_engine.run_study if entry.is_network else run_serially
        if run(study, data.directory, observer=observer) is Outcome.INTERRUPTED:
            return False
    return True


def choose(benchmark: Benchmark, out: Path, data: TuningData, notify: Notify) -> list[Chosen]:
    """Return every model with its configuration chosen on validation and trained from fresh seeds.

    What is there already is kept, what was killed resumes.

    Raises:
        StudyError: A model has no trial with a figure, or each of its seeds diverged.
        EngineError: A training process died.
    """
    jobs = {entry.name: seed_jobs(benchmark, entry, out, data) for entry in benchmark.entries}
    run_jobs([job for own in jobs.values() for job in own], benchmark.executor, notify)
    return [_chosen(benchmark, entry, jobs[entry.name], out) for entry in benchmark.entries]


def seed_jobs(benchmark: Benchmark, entry: Entry, out: Path, data: TuningData) -> list[TrialJob]:
    """Return a job a seed of the model's selected configuration; one where seeds change nothing."""
    folder = out / "seeds" / entry.slug
    return seed_jobs_of(benchmark, entry, _choice(entry, out), data, folder, n_seeds=benchmark.spec.seeds)


def seed_jobs_of(
    benchmark: Benchmark,
    entry: Entry,
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
            seed=derive(benchmark.seed, config, "contest", k),
            params=params,
            config=config,
            directory=str((folder / f"seed-{k}").absolute()),
            data_directory=str(data.directory),
            study=entry.name,
            study_directory=str(folder.absolute()),
            n_threads=benchmark.settings.n_threads,
            accelerator=benchmark.settings.accelerator,
            name=f"{entry.name}, seed {k}",
        )
        for k in range(1, (n_seeds if entry.is_random else 1) + 1)
    ]


def chosen_of(one: Chosen, jobs: Sequence[TrialJob], benchmark: Benchmark) -> Chosen | None:
    """Return ``one`` as ``jobs`` trained it on other data; None where each diverged."""
    ended = _ended(jobs)
    if not ended:
        return None
    values = [value[benchmark.objective] for value in ended.values()]
    return replace(one, folders=tuple(map(Path, ended)), validation=seed_spread(values))


def _choice(entry: Entry, out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not entry.is_tuned:
        return entry.experiment.trial.plain(), {}
    row = selected_trial(Study.open(study_of(entry, out)))
    return row.config, row.params


def _chosen(benchmark: Benchmark, entry: Entry, jobs: Sequence[TrialJob], out: Path) -> Chosen:
    ended = _ended(jobs)
    if not ended:
        first = job_result(jobs[0])
        reason = "it left no result" if first is None else first.reason
        raise StudyError(f"{entry.name}: no seed was trained to an end ({reason}); narrow its space")
    values = [value[benchmark.objective] for value in ended.values()]
    trial, n_trials, value, seconds = None, 1, None, 0.0
    if entry.is_tuned:
        study = Study.open(study_of(entry, out))
        row = selected_trial(study)
        trial, value, seconds = row.number, row.value, study.elapsed_seconds
        n_trials = sum(row.state.is_finished for row in study.rows())
    return Chosen(
        entry=entry,
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
