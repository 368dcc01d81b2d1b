"""The points of a grid over a space."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from reeltune.errors import ConfigError
from reeltune.tuning.space.parameters import Choice, Parameter, is_active
from reeltune.tuning.space.search_space import Space

MAX_GRID = 1_000_000
"""Points that a grid may have before its constraints thin it out."""


def grid_points(space: Space, base: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the points that a grid visits, the last parameter changing fastest.

    A parameter whose conditions (``when:``) do not hold at a point is left out there, and the point is
    visited once; points that break a constraint are left out.

    Args:
        space: What is searched.
        base: The configuration whose fields are searched, nested plain values.

    Raises:
        ConfigError: A parameter has no end or is logarithmic, there are more than a million combinations,
            or none of them meets the constraints.
    """
    return _grid_points(json.dumps(space.plain()), json.dumps(base))


@functools.lru_cache(maxsize=4)
def _grid_points(plain_space: str, plain_base: str) -> list[dict[str, Any]]:
    space, base = Space.model_validate_json(plain_space), json.loads(plain_base)
    points: list[dict[str, Any]] = [{}]
    for name, parameter in space:
        n_values = _n_values(name, parameter)
        active = [not parameter.when or is_active(parameter, space.values(base, point)) for point in points]
        n_points = sum(n_values if is_searched else 1 for is_searched in active)
        if n_points > MAX_GRID:
            raise ConfigError(
                f"a grid over this space has {n_points} points or more, at most {MAX_GRID} are allowed; use "
                "wider steps, fewer choices or another searcher"
            )
        values = parameter.grid()
        points = [
            longer
            for point, is_searched in zip(points, active, strict=True)
            for longer in ([{**point, name: value} for value in values] if is_searched else [point])
        ]
    kept = [point for point in points if space.broken(base, point) is None]
    if not kept:
        raise ConfigError(
            f"none of the {len(points)} points of the grid meets all constraints; loosen them or add values"
        )
    return kept


def _n_values(name: str, parameter: Parameter) -> int:
    if not isinstance(parameter, Choice) and parameter.log:
        raise ConfigError(f"{name} has a logarithmic scale, which a grid cannot hold; list choices instead")
    if parameter.n_values is None:
        raise ConfigError(f"{name} has no step, so a grid over it never ends; give it a step or list choices")
    return parameter.n_values
