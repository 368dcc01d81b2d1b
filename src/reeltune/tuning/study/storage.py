"""The study's Optuna storage: asks for suggestions, tells results, mends what a kill left.

``trial.json`` is written before Optuna is told, so the rows know at least as much as the
storage; :meth:`TrialStorage.reconcile` tells it the rest, or all of it when the file is gone.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from reeltune.errors import EngineError, StudyError
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.search.history import CONSTRAINT, Direction, History, distribution
from reeltune.tuning.space.search_space import Space

OPTUNA_STATES = {
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.STOPPED: OptunaState.PRUNED,
    # The estimator counts pruned trials among the bad ones; a failed one would teach it nothing.
    TrialState.DIVERGED: OptunaState.PRUNED,
    TrialState.FAILED: OptunaState.FAIL,
    TrialState.RUNNING: OptunaState.RUNNING,
}


BEYOND = 1e9
"""Worse than any broken limit."""


def quiet_optuna() -> None:
    """Keep Optuna's notes about each trial off the terminal."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def verdict(row: TrialRow, goal: Goal) -> tuple[OptunaState, list[float] | None]:
    """Return the state and the values that tell Optuna how a trial ended.

    Optuna cannot prune among several objectives: its samplers fail on a pruned trial. There a stopped trial
    is complete with its figures so far, which another trial beats, and a diverged one breaks a limit.
    """
    state = OPTUNA_STATES[row.state]
    values = [row.value] if row.value is not None else None
    if goal.is_multiple:
        found = goal.values(row.metrics)
        values = None if found is None else list(found)
        if row.state is TrialState.STOPPED:
            state = OptunaState.FAIL if values is None else OptunaState.COMPLETE
        elif row.state is TrialState.DIVERGED:
            values = None
    return state, values if state in (OptunaState.COMPLETE, OptunaState.PRUNED) else None


def _limits(row: TrialRow, goal: Goal) -> dict[str, float]:
    """Return how far a trial is beyond each limit; a diverged one among several objectives is beyond all."""
    if goal.is_multiple and row.state is TrialState.DIVERGED:
        return {**dict.fromkeys(goal.limits, BEYOND), "finite": BEYOND}
    return goal.excesses(row.metrics) if row.metrics else {}


def frozen_trial(space: Space, row: TrialRow, epochs: Sequence[EpochReport], goal: Goal) -> FrozenTrial:
    """Return a finished trial as Optuna keeps it."""
    state, values = verdict(row, goal)
    return optuna.trial.create_trial(
        state=state,
        values=values,
        params=row.params,
        distributions={name: distribution(space.space[name]) for name in row.params},
        intermediate_values={epoch.epoch: epoch.best for epoch in epochs},
        user_attrs=_attributes(row),
        system_attrs={f"{CONSTRAINT}{name}": excess for name, excess in _limits(row, goal).items()},
    )


def _attributes(row: TrialRow) -> dict[str, Any]:
    return {
        "state": str(row.state),
        "reason": row.reason,
        "best_epoch": row.best_epoch,
        "seconds": round(row.seconds, 3),
    }


class TrialStorage:
    """The Optuna study in ``study.db``; trial numbers are the numbers of the trials' folders."""

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        space: Space,
        searcher: Any,
        seed: int,
        goal: Goal,
        base: Mapping[str, Any],
        given: Sequence[Mapping[str, Any]] = (),
        lag: int | None = None,
        prior: Sequence[FrozenTrial] = (),
    ) -> None:
        """Open the storage at ``path`` or make it.

        Args:
            path: The SQLite file.
            name: Optuna's name of the study.
            space: What is searched.
            searcher: Configuration of the searcher.
            seed: The study's seed.
            goal: Objectives with their directions, and limits.
            base: The configuration whose fields are searched, as nested plain values.
            given: Points of the space for the first trials.
            lag: Trials just before the suggested one whose results it does not look at; None to look at
                whatever has ended.
            prior: Finished trials of earlier studies, to learn from.

        Raises:
            EngineError: The file cannot be written.
            StudyError: The file is damaged.
        """
        quiet_optuna()
        self.space = space
        self._base = base
        self._given = given
        self._lag = lag
        self._goal = goal
        directions: list[Direction] = ["maximize" if up else "minimize" for up in goal.higher_is_better]
        self._history = History(space, searcher, seed, directions, prior)
        self.n_prior = self._history.n_results
        self._storage = _open_database(path)
        self.study = optuna.create_study(
            storage=self._storage,
            study_name=name,
            directions=directions,
            load_if_exists=True,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study.set_metric_names(list(goal.objectives))  # optuna-dashboard shows them
        self._study_id = self._storage.get_study_id_from_name(name)

    def close(self) -> None:
        """Close the connections to the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def trials(self) -> list[FrozenTrial]:
        """Return all trials, by number."""
        return self.study.get_trials(deepcopy=False)

    def suggest(self, number: int, chosen: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the parameters of trial ``number``: the next new one, or one that a kill left without row.

        ``chosen`` are taken as they are, where it is not the searcher who chooses.

        Raises:
            ConfigError: No point was found that meets the constraints.
            StudyError: Another tool has added trials to the file.
        """
        known = self.trials()
        if number > len(known) or (number < len(known) and not known[number].params):
            raise StudyError(f"study.db has no place for trial {number}; another tool changed it")
        if number < len(known):
            return dict(known[number].params)
        for trial in known[self._history.n_known :]:
            self._history.add(trial)
        self._history.advance(known, None if self._lag is None else number - self._lag)
        fixed = self._given[number] if number < len(self._given) else chosen or {}
        trial = self._history.suggest(self._base, fixed)
        self._storage.create_new_trial(self._study_id, template_trial=trial)
        return dict(trial.params)

    def report(self, number: int, epoch: EpochReport) -> None:
        """Tell the best objective so far after an epoch; telling it twice does no harm."""
        trial = self._find(number)
        if not trial.state.is_finished():
            self._storage.set_trial_intermediate_value(trial._trial_id, epoch.epoch, epoch.best)

    def tell(self, row: TrialRow, epochs: Sequence[EpochReport]) -> None:
        """Tell how a trial ended; telling it twice does no harm."""
        trial = self._find(row.number)
        if trial.state.is_finished():
            return
        for epoch in epochs:
            if epoch.epoch not in trial.intermediate_values:
                self._storage.set_trial_intermediate_value(trial._trial_id, epoch.epoch, epoch.best)
        for key, value in _attributes(row).items():
            self._storage.set_trial_user_attr(trial._trial_id, key, value)
        for key, excess in _limits(row, self._goal).items():
            self._storage.set_trial_system_attr(trial._trial_id, f"{CONSTRAINT}{key}", excess)
        state, values = verdict(row, self._goal)
        reported = values if state is OptunaState.COMPLETE else None  # Optuna finds a pruned one's by itself
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study.tell(row.number, reported, state=state)

    def reconcile(self, rows: Sequence[TrialRow], epochs: Mapping[int, Sequence[EpochReport]]) -> None:
        """Tell the storage what the rows know and it does not.

        Raises:
            StudyError: The storage holds a trial whose parameters differ from its row.
        """
        known = self.trials()
        for row in sorted(rows, key=lambda row: row.number):
            if row.number >= len(known):
                self._add(row, epochs.get(row.number, ()))
                known = self.trials()
                continue
            trial = known[row.number]
            if trial.params and trial.params != row.params:
                raise StudyError(
                    f"trial {row.number} has other parameters in study.db than in its trial.json; "
                    "restore one of them from a copy, or remove study.db to have it rebuilt"
                )
            if row.state.is_finished:
                self.tell(row, epochs.get(row.number, ()))

    def _add(self, row: TrialRow, epochs: Sequence[EpochReport]) -> None:
        if row.number != len(self.trials()):
            raise StudyError(f"trial {row.number} is there, but trial {len(self.trials())} before it is not")
        frozen = frozen_trial(self.space, row, epochs, self._goal)
        self._storage.create_new_trial(self._study_id, template_trial=frozen)

    def _find(self, number: int) -> FrozenTrial:
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._storage.get_trial(trial_id)


def _relax(connection: sqlite3.Connection, _: object) -> None:
    # A power cut may take the last commits, never the file; the rows, which are synced, give them back.
    connection.execute("PRAGMA synchronous=NORMAL")


def storage_url(path: Path) -> str:
    """Return the address under which other tools open the storage at ``path``.

    >>> storage_url(Path("/studies/a b.db"))
    'sqlite:////studies/a b.db'
    """
    from sqlalchemy.engine import URL

    return URL.create("sqlite", database=str(path)).render_as_string()


def _open_database(path: Path) -> optuna.storages.RDBStorage:
    from sqlalchemy.event import listen
    from sqlalchemy.exc import SQLAlchemyError

    try:
        # With a write-ahead log, readers such as optuna-dashboard never hold up the study. The mode
        # stays in the file.
        connection = sqlite3.connect(path, timeout=60)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        storage = optuna.storages.RDBStorage(
            storage_url(path), engine_kwargs={"connect_args": {"timeout": 60}}
        )
        listen(storage.engine, "connect", _relax)
        storage.engine.dispose()  # so that connections made before are made again
        return storage
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise EngineError(
                f"cannot open {path}: {error}; free space or make the folder writable"
            ) from error
        raise StudyError(
            f"{path} is damaged ({error}); remove it to have it rebuilt from the rows"
        ) from error
    except SQLAlchemyError as error:
        raise EngineError(f"cannot open {path}: {error}; free space or make the folder writable") from error
