"""Optuna samplers whose suggestion is a function of the study's seed and the trial's number alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from reeltune.seeding import derive
from reeltune.tuning.space.parameters import Choice, IntRange, Parameter

__all__ = [
    "FixedPoint",
    "UnitPoints",
    "distribution",
    "from_unit",
    "random_points",
    "shuffled",
    "sobol_points",
]

Points = Callable[[int], NDArray[np.float64]]
"""From the count of parameters to a point of the unit cube."""


def distribution(parameter: Parameter) -> BaseDistribution:
    """Return the Optuna distribution that ``parameter`` is drawn from."""
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    if isinstance(parameter, IntRange):
        return IntDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step or 1)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


class _Independent(BaseSampler):
    """Draws each parameter by itself."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: each parameter is drawn by itself."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing; see :meth:`sample_independent`."""
        return {}


class UnitPoints(_Independent):
    """Maps one point of the unit cube to the parameters, in the order of the space."""

    def __init__(self, names: Sequence[str], points: Points) -> None:
        self._units = dict(zip(names, points(len(names)).tolist(), strict=True))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the value of one parameter."""
        return from_unit(self._units[param_name], param_distribution)


class FixedPoint(_Independent):
    """Suggests one given point."""

    def __init__(self, point: Mapping[str, Any]) -> None:
        self._point = point

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the value of one parameter."""
        return self._point[param_name]


def shuffled(n: int, seed: int, number: int) -> int:
    """Return the place, out of ``n``, that comes at ``number`` in an order drawn from ``seed``."""
    return int(np.random.default_rng(seed).permutation(n)[number % n])


def random_points(seed: int, number: int, attempt: int = 0) -> Points:
    """Return a uniform point for trial ``number``, another one for each ``attempt``."""
    keys = ("point", number, attempt) if attempt else ("point", number)
    return lambda n: np.random.default_rng(derive(seed, *keys)).random(n)


def sobol_points(seed: int, number: int) -> Points:
    """Return the point of trial ``number`` of a scrambled Sobol sequence, which fills the cube evenly."""

    def points(n: int) -> NDArray[np.float64]:
        from torch.quasirandom import SobolEngine

        engine: Any = SobolEngine(n, scramble=True, seed=derive(seed, "sobol"))  # type: ignore[no-untyped-call]
        engine.fast_forward(number)
        point: NDArray[np.float64] = engine.draw(1).double().numpy()[0]
        return point

    return points


def from_unit(unit: float, distribution: BaseDistribution) -> Any:
    """Return the value of ``distribution`` at ``unit``, from 0 to below 1, on its own scale.

    >>> from_unit(0.5, FloatDistribution(1e-4, 1e-2, log=True))
    0.001
    >>> from_unit(0.99, CategoricalDistribution([16, 32, 64]))
    64
    """
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        return choices[min(int(unit * len(choices)), len(choices) - 1)]
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        raise TypeError(f"no rule for {distribution!r}")
    low, high = distribution.low, distribution.high
    if isinstance(distribution, IntDistribution) and distribution.log:
        # Each whole number owns the stretch from a half below it to a half above it.
        value = math.exp(math.log(low - 0.5) + unit * (math.log(high + 0.5) - math.log(low - 0.5)))
        return min(max(round(value), low), high)
    if distribution.step is not None:
        n_values = math.floor((high - low) / distribution.step + 1e-9) + 1
        stepped = low + min(int(unit * n_values), n_values - 1) * distribution.step
        return int(stepped) if isinstance(distribution, IntDistribution) else min(stepped, high)
    if distribution.log:
        value = math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
        return min(max(float(f"{value:.12g}"), low), high)
    return low + unit * (high - low)
