"""Optuna samplers whose suggestion is a function of the study's seed and the trial's number alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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

__all__ = ["GridPoints", "UnitPoints", "from_unit", "random_points", "sobol_points"]

Points = Callable[[int, int], NDArray[np.float64]]
"""From a trial's number and the count of parameters to a point of the unit cube."""


class UnitPoints(BaseSampler):
    """Maps one point of the unit cube a trial to the parameters, in the order of the space.

    It holds no state, so a suggestion does not depend on what was asked before, nor on how far a
    trial's parameters had been written when its study was killed.
    """

    def __init__(self, names: Sequence[str], points: Points) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._points = points

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: each parameter is drawn by itself."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing; see :meth:`sample_independent`."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the value of one parameter."""
        point = self._points(trial.number, len(self._places))
        return from_unit(float(point[self._places[param_name]]), param_distribution)


class GridPoints(UnitPoints):
    """Visits the combinations of the given values once each, in a shuffled order."""

    def __init__(self, grid: dict[str, list[Any]], seed: int) -> None:
        super().__init__(list(grid), lambda number, n: np.zeros(n))
        self._grid = grid
        self._order = np.random.default_rng(seed).permutation(math.prod(len(v) for v in grid.values()))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the value of one parameter in the trial's combination."""
        index = int(self._order[trial.number % len(self._order)])
        for name, values in self._grid.items():
            index, place = divmod(index, len(values))
            if name == param_name:
                return values[place]
        raise KeyError(param_name)


def random_points(seed: int) -> Points:
    """Return independent uniform points."""
    return lambda number, n: np.random.default_rng(derive(seed, "point", number)).random(n)


def sobol_points(seed: int) -> Points:
    """Return the points of a scrambled Sobol sequence, which fill the cube evenly."""

    def points(number: int, n: int) -> NDArray[np.float64]:
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
