"""The points of a grid over a space."""

from __future__ import annotations

import itertools
import math
from typing import Any

from reeltune.errors import ConfigError
from reeltune.tuning.parameters import Choice, IntRange, Parameter
from reeltune.tuning.space import Space

__all__ = ["grid_points"]

MAX_GRID = 1_000_000
"""Points that a grid may have."""


def _values(name: str, parameter: Parameter) -> list[Any]:
    """Return the values of ``parameter`` that a grid visits.

    Raises:
        ConfigError: The parameter is a range of real numbers without a step, or has conditions.
    """
    if parameter.when:
        raise ConfigError(f"{name} has a condition (when:), which a grid cannot hold; use another searcher")
    if isinstance(parameter, Choice):
        return list(parameter.values)
    if isinstance(parameter, IntRange):
        if parameter.log:
            raise ConfigError(
                f"{name} has a logarithmic scale, which a grid cannot hold; list choices instead"
            )
        return list(range(parameter.low, parameter.high + 1, parameter.step or 1))
    if parameter.step is None:
        raise ConfigError(f"{name} has no step, so a grid over it never ends; give it a step or list choices")
    n_values = math.floor((parameter.high - parameter.low) / parameter.step + 1e-9) + 1
    return [parameter.low + i * parameter.step for i in range(n_values)]


def grid_points(space: Space) -> list[dict[str, Any]]:
    """Return the combinations that a grid visits.

    Raises:
        ConfigError: A parameter has no end, or there are more than a million combinations.
    """
    values = {name: _values(name, parameter) for name, parameter in space}
    n_all = math.prod(len(each) for each in values.values())
    if n_all > MAX_GRID:
        raise ConfigError(
            f"a grid over this space has {n_all} points, at most {MAX_GRID} are allowed; use wider steps, "
            "fewer choices or another searcher"
        )
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
