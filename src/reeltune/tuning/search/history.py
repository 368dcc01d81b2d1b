"""What the searcher knows when it suggests a trial: the trials before it, as an Optuna study in memory.

A suggestion for trial n looks at the results of the trials up to n - 1 - lag only, whatever else may
have ended by then; the rest count as running. So it depends on the study's seed and on those results,
not on how many trials run at once or on which of them is quickest.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from reeltune.errors import ConfigError
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.search.searchers import SEARCHERS, Draw, n_initial, random_point, sobol_point
from reeltune.tuning.space.parameters import Choice, IntRange, Parameter, Scalar
from reeltune.tuning.space.search_space import Space

CONSTRAINT = "constraints:"
"""What Optuna's samplers look for, from version 5 on: above 0 breaks the limit."""

Direction = Literal["minimize", "maximize"]

SEARCHER_TRIES = 16
"""Suggestions that a searcher may make for one trial until one meets the constraints and is new."""
RANDOM_TRIES = 2000
"""Uniform draws after that."""


def distribution(parameter: Parameter) -> BaseDistribution:
    """Return ``parameter`` as Optuna knows it."""
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    if isinstance(parameter, IntRange):
        return IntDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step or 1)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


class History:
    """The searcher's view of a study."""

    def __init__(
        self,
        space: Space,
        searcher: Any,
        seed: int,
        directions: Sequence[Direction],
        prior: Sequence[FrozenTrial] = (),
    ) -> None:
        """Begin with the finished trials ``prior`` of earlier studies."""
        self.space = space
        self._searcher = searcher
        self._seed = seed
        self._study = optuna.create_study(directions=list(directions))
        self._ids: list[int] = []  # of the study's own trials, by number
        self._finished: set[int] = set()
        self._points: set[str] = set()
        self.n_results = 0
        for trial in prior:
            seen = self._seen(trial)
            self._study.add_trial(seen)
            self.n_results += seen.state is not OptunaState.FAIL

    @property
    def n_known(self) -> int:
        """How many trials of the study are known, running ones included."""
        return len(self._ids)

    def add(self, trial: FrozenTrial) -> None:
        """Take in the next trial, as one that is running."""
        running = optuna.trial.create_trial(
            state=OptunaState.RUNNING,
            params=trial.params,
            distributions=trial.distributions,
            system_attrs=trial.system_attrs,
        )
        self._ids.append(self._storage.create_new_trial(self._study._study_id, template_trial=running))
        self._points.add(_key(trial.params))

    def advance(self, trials: Sequence[FrozenTrial], horizon: int | None) -> None:
        """Take in the ends of ``trials`` below ``horizon``, of all that ended where it is None."""
        for number in range(self.n_known if horizon is None else max(min(horizon, self.n_known), 0)):
            if number in self._finished:
                continue
            if trials[number].state.is_finished():
                self._finish(number, trials[number])
            elif horizon is not None:
                break  # in the order of their numbers

    def suggest(self, base: Mapping[str, Any], fixed: Mapping[str, Any]) -> FrozenTrial:
        """Return the next trial with its parameters, known as running from now on.

        Args:
            base: The configuration whose fields are searched, nested plain values.
            fixed: Values that are given.

        Raises:
            ConfigError: No point was found that meets the constraints.
        """
        number = self.n_known
        trial_id = self._storage.create_new_trial(self._study._study_id)
        self._ids.append(trial_id)
        params = self._draw(number, base, fixed)
        for name, value in params.items():
            kind = distribution(self.space.space[name])
            self._storage.set_trial_param(trial_id, name, kind.to_internal_repr(value), kind)
        self._points.add(_key(params))
        return self._storage.get_trial(trial_id)

    def _draw(self, number: int, base: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
        broken: dict[str, None] = {}
        spare: dict[str, Any] | None = None  # meets the constraints, but is not new
        for attempt in range(SEARCHER_TRIES + RANDOM_TRIES):
            draw = Draw(self.space, base, self._seed, number, attempt)
            suggested = self._suggested(draw) if attempt < SEARCHER_TRIES else random_point(draw).__getitem__
            params = self.space.point(base, _first_of(fixed, suggested))
            constraint = self.space.broken(base, params)
            if constraint is not None:
                broken[constraint] = None
            else:
                is_grid = self._searcher.name == "grid" and attempt < SEARCHER_TRIES
                if fixed or _key(params) not in self._points or is_grid:
                    return params
                spare = spare or params
            if spare is not None and attempt >= 2 * SEARCHER_TRIES:
                return spare
            if fixed and len(fixed) == len(params):
                return params
        raise ConfigError(
            f"none of {SEARCHER_TRIES + RANDOM_TRIES} points drawn for trial {number} meets all constraints: "
            f"{', '.join(map(repr, broken))} stood in the way; loosen them or narrow the ranges they concern"
        )

    def _suggested(self, draw: Draw) -> Callable[[str], Scalar]:
        """Return what gives the value that the searcher suggests for a parameter."""
        config, entry = self._searcher, SEARCHERS[self._searcher.name]
        if entry.point is not None:
            return entry.point(draw).__getitem__
        # A genetic algorithm draws its first generation by itself.
        if hasattr(config, "n_initial") and self.n_results < n_initial(config):
            return sobol_point(draw).__getitem__
        assert entry.sampler is not None
        with warnings.catch_warnings():
            # Multivariate TPE, the constant liar and CMA-ES with margin are experimental; tests hold them.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = entry.sampler(config, draw)
            trial = self._storage.get_trial(self._ids[draw.number])
            joint_space = sampler.infer_relative_search_space(self._study, trial)
            joint = sampler.sample_relative(self._study, trial, joint_space)

        def value(name: str) -> Any:
            kind = distribution(self.space.space[name])
            if name in joint:
                return joint[name]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return sampler.sample_independent(self._study, trial, name, kind)

        return value

    @property
    def _storage(self) -> optuna.storages.BaseStorage:
        return self._study._storage

    def _finish(self, number: int, trial: FrozenTrial) -> None:
        seen = self._seen(trial)
        trial_id = self._ids[number]
        self._finished.add(number)
        for epoch, value in seen.intermediate_values.items():
            self._storage.set_trial_intermediate_value(trial_id, epoch, value)
        for key, value in seen.system_attrs.items():  # how far it breaks the limits of the study
            if key.startswith(CONSTRAINT):
                self._storage.set_trial_system_attr(trial_id, key, value)
        self._storage.set_trial_state_values(trial_id, seen.state, seen.values)
        self.n_results += seen.state is not OptunaState.FAIL

    def _seen(self, trial: FrozenTrial) -> FrozenTrial:
        """Return a finished trial as the searcher is to see it.

        Most of Optuna's samplers overlook a pruned trial. They are given the value that it had reached,
        or the worst one known where it diverged.
        """
        is_plain = len(self._study.directions) > 1 or SEARCHERS[self._searcher.name].takes_pruned
        if trial.state is not OptunaState.PRUNED or is_plain:
            return trial
        values = list(trial.intermediate_values.values())
        value = (
            values[-1] if values and trial.user_attrs.get("state") != TrialState.DIVERGED else self._worst()
        )
        return optuna.trial.create_trial(
            state=OptunaState.FAIL if value is None else OptunaState.COMPLETE,
            value=value,
            params=trial.params,
            distributions=trial.distributions,
            system_attrs=trial.system_attrs,
        )

    def _worst(self) -> float | None:
        known = [trial.value for trial in self._study.get_trials(deepcopy=False) if trial.value is not None]
        if not known:
            return None
        return min(known) if self._study.direction is optuna.study.StudyDirection.MAXIMIZE else max(known)


def _first_of(
    fixed: Mapping[str, Any], suggested: Callable[[str], Scalar]
) -> Callable[[str, Mapping[str, Scalar]], Scalar]:
    return lambda name, _: fixed[name] if name in fixed else suggested(name)


def _key(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)
