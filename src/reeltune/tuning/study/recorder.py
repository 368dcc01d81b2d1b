"""Writes the rows of a running study, tells Optuna and the observer, and keeps the checkpoint budget."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from reeltune.seeding import derive
from reeltune.training.epochs import LAST_CHECKPOINT, EpochReport
from reeltune.tuning.records.rows import TrialResult, TrialRow, TrialState
from reeltune.tuning.search.population import Successor
from reeltune.tuning.study.budget import CheckpointBudget
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Observer
from reeltune.tuning.study.preflight import given_points, horizon
from reeltune.tuning.study.storage import TrialStorage
from reeltune.tuning.study.warm import read_prior
from reeltune.tuning.trial.job import TrialJob, count_parameters


class TrialFiles(Protocol):
    """Where the files of trials are; called in the driver's main thread."""

    def trial_begins(self, number: int) -> str:
        """Return the address that the files of a trial pass through, empty for the study's folder."""

    def trial_ended(self, number: int) -> None:
        """Hear that the row of a trial is written."""

    def look(self) -> None:
        """Say what went wrong meanwhile, or raise it."""


def open_storage(study: Study) -> TrialStorage:
    """Return the Optuna storage of ``study``, opened or made."""
    spec, population = study.spec, study.spec.population
    return TrialStorage(
        study.storage_path,
        name=study.first_name,
        space=spec.space,
        searcher=spec.study.searcher,
        seed=spec.study.seed,
        goal=study.goal,
        base=spec.trial.plain(),
        given=given_points(spec),
        lag=spec.study.lag if population is None else population.settings.population,  # it learns from none
        prior=read_prior(study),
    )


class Recorder:
    """The one writer of a study's rows while it runs.

    Each fact is written to its row first and told to Optuna second; both steps may be repeated.
    """

    def __init__(
        self,
        study: Study,
        storage: TrialStorage,
        observer: Observer,
        data_directory: Path,
        files: TrialFiles | None = None,
    ) -> None:
        self.study = study
        self._files = files
        self.storage = storage
        self.observer = observer
        self.data_directory = data_directory
        self._rows = {row.number: row for row in study.rows()}
        self._epochs = {number: study.epochs(number) for number in self._rows}
        self._started = time.monotonic()
        self._seconds_before = study.elapsed_seconds
        self._budget = CheckpointBudget(study)
        self.storage.reconcile(list(self._rows.values()), self._epochs)

    @property
    def rows(self) -> list[TrialRow]:
        """The trials known, by number."""
        return [self._rows[number] for number in sorted(self._rows)]

    def row(self, number: int) -> TrialRow | None:
        """Return the row of trial ``number``, None if it has none."""
        return self._rows.get(number)

    def epochs(self, number: int) -> Sequence[EpochReport]:
        """Return the epochs recorded of trial ``number``."""
        return self._epochs.get(number, [])

    @property
    def elapsed_seconds(self) -> float:
        """Seconds that this and earlier runs of the study took."""
        return self._seconds_before + time.monotonic() - self._started

    def pending(self) -> list[int]:
        """Return the numbers of trials that were begun and not finished, also those without a row."""
        begun = {row.number for row in self.rows if not row.state.is_finished}
        begun |= {trial.number for trial in self.storage.trials() if trial.number not in self._rows}
        return sorted(begun)

    def must_wait(self, number: int) -> bool:
        """Return whether trial ``number`` has to wait for the results that its suggestion looks at."""
        known = (
            self._rows.get(other) for other in range(horizon(self.study.spec, number, self.storage.n_prior))
        )
        return any(row is None or not row.state.is_finished for row in known)

    def begin(self, number: int) -> TrialJob:
        """Return the job of trial ``number``: one that a kill left, or the next one with its parameters.

        Raises:
            ConfigError: No point was found that meets the constraints.
            StudyError: Another tool has added trials to the storage.
        """
        row = self._rows.get(number)
        if row is not None:
            return self.start(number, row.params)
        population = self.study.spec.population
        after = None if population is None else population.successor(number, self._rows, self.epochs)
        return self.start(number, self.storage.suggest(number, after.params if after else None), after)

    def start(self, number: int, params: dict[str, Any], after: Successor | None = None) -> TrialJob:
        """Write the row of a trial that begins, unless it has one, and return its job.

        Args:
            number: Of the trial.
            params: The searched parameters.
            after: The trial whose weights it goes on from, None for fresh ones.
        """
        spec, population = self.study.spec, self.study.spec.population
        row = self._rows.get(number)
        if row is None or not row.params:
            config = spec.space.apply(spec.trial.plain(), params)
            row = TrialRow(
                number=number,
                state=TrialState.RUNNING,
                reason="",
                params=params,
                config=config,
                # A member that goes on as it was must not draw the same batches again.
                seed=derive(spec.study.seed, "trial", config, 0 if after is None else number),
                parent=None if after is None else after.parent,
                start_epoch=0 if after is None else after.start_epoch,
                n_parameters=count_parameters(config, self.study.ledger.n_items),
            )
            # Someone may have removed the folder of a trial that ran: what came after begins again.
            (self.study.trial_directory(number) / "epochs.jsonl").unlink(missing_ok=True)
            self.study.write_row(row)
            self._rows[number] = row
            self._epochs[number] = []
        self._budget.begin(number, self._rows)
        job = TrialJob(
            number=number,
            seed=row.seed,
            params=row.params,
            config=row.config,
            directory=str(self.study.trial_directory(number)),
            data_directory=str(self.data_directory),
            study=self.study.name,
            study_id=f"{derive(0, self.study.created):016x}"[:8],
            study_directory=str(self.study.directory),
            n_threads=spec.study.n_threads,
            accelerator=spec.study.accelerator,
            logging=spec.logging.plain(),
            measures=list(spec.study.goal.extra_measures),
            start_epoch=row.start_epoch,
            end_epoch=None if population is None else population.end_epoch(number),
            origin="" if row.parent is None else str(self._origin(row.parent)),
            storage="" if self._files is None else self._files.trial_begins(number),
        )
        self.observer.trial_started(row, job.last_epoch)
        return job

    def _origin(self, number: int) -> Path:
        return self.study.trial_directory(number) / LAST_CHECKPOINT

    def epoch(self, number: int, report: EpochReport) -> None:
        """Record an epoch, unless it is known: a trial that starts again reports its past first."""
        known = self._epochs[number]
        if report.epoch != self._rows[number].start_epoch + len(known) + 1:
            return
        self.study.append_epoch(number, report)
        known.append(report)
        row = self._rows[number]
        if report.n_parameters > row.n_parameters:  # inputs whose size follows from the data
            self._rows[number] = replace(row, n_parameters=report.n_parameters)
            self._budget.make_room(self._rows)
        self.storage.report(number, report)
        self.observer.epoch_ended(number, report)

    def finish(self, number: int, state: TrialState, reason: str, result: TrialResult | None = None) -> None:
        """Record how a trial ended: its row, then Optuna, then the budget of checkpoints."""
        row = self._rows[number]
        if row.state.is_finished:
            return
        epochs = self._epochs[number]
        row = row.ended(state, reason, epochs, self.study.objective, is_max=self.study.higher_is_better)
        row = replace(row, n_parameters=_n_parameters(row, epochs, result))
        self.study.write_row(row)
        self._rows[number] = row
        self.storage.tell(row, epochs)
        self.study.write_elapsed(self.elapsed_seconds)
        if self._files is not None:
            self._files.trial_ended(number)
        self.keep_budget()
        self.observer.trial_ended(row)

    def keep_budget(self) -> None:
        """Remove the checkpoints that nothing needs."""
        self._budget.tidy(self._rows)
        self._budget.make_room(self._rows)


def _n_parameters(row: TrialRow, epochs: Sequence[EpochReport], result: TrialResult | None) -> int:
    """Return the count that the trial reported, also one that was stopped, else the estimate of its start."""
    reported = result.n_parameters if result is not None else 0
    return reported or (epochs[-1].n_parameters if epochs else 0) or row.n_parameters
