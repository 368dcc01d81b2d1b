"""How the parameters of a population change between two segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reeltune.tuning.search.schedulers import PopulationConfig
from reeltune.tuning.space.parameters import Choice, Parameter, Scalar, is_active, is_number
from reeltune.tuning.space.search_space import Space

FACTORS = (0.8, 1.2)
"""A number that moves is multiplied by one of these, as in the paper."""

TRIES = 64
"""Changes that are drawn until one meets the constraints of the space."""


def can_change(name: str) -> bool:
    """Return whether a searched field may change while a network trains: its weights keep their meaning.

    >>> can_change("training.learning_rate"), can_change("model.hidden_dim")
    (True, False)
    """
    section, _, field = name.rpartition(".")
    if name.startswith("training."):
        return field not in ("max_epochs", "patience")
    return section == "model" and field.endswith("dropout")


def changing_fields(space: Space, population: PopulationConfig) -> list[str]:
    """Return the searched fields that change, in the order of the space."""
    return [name for name, _ in space if can_change(name) and name in (population.perturbed or space.space)]


def explore(
    population: PopulationConfig,
    space: Space,
    base: Mapping[str, Any],
    params: Mapping[str, Scalar],
    seed: Callable[[int], int],
) -> dict[str, Scalar]:
    """Return ``params`` with some changed; they meet the constraints of the space.

    Where no change that was drawn meets them, ``params`` are kept. What becomes active through a change is
    drawn from its range.

    Args:
        population: Which fields change, and how often one is drawn afresh.
        space: What is searched.
        base: The configuration whose fields are searched, nested plain values.
        params: Those of the parent.
        seed: Gives the seed of each attempt.
    """
    names = [name for name in changing_fields(space, population) if name in params]
    for attempt in range(TRIES):
        rng = np.random.default_rng(seed(attempt))
        resample = population.resample_probability
        changed = {name: moved(space.space[name], params[name], resample, rng) for name in names}
        point: dict[str, Scalar] = {}
        for name, parameter in space:
            if is_active(parameter, space.values(base, point)):
                fresh = parameter.at(float(rng.random()))
                point[name] = changed.get(name, params.get(name, fresh))
        if space.broken(base, point) is None:
            return point
    return dict(params)


def moved(parameter: Parameter, value: Scalar, resample: float, rng: np.random.Generator) -> Scalar:
    """Return a value near ``value``, or with the probability ``resample`` any of the range.

    A number is multiplied by .8 or 1.2, kept inside its range, and drawn afresh where that changes nothing.
    Of choices that are numbers it is a neighbour, of others any.
    """
    is_fresh, is_up = bool(rng.random() < resample), bool(rng.random() < 0.5)
    fresh = parameter.at(float(rng.random()))
    if is_fresh:
        return fresh
    if not isinstance(parameter, Choice):
        near = parameter.nearest(float(value) * FACTORS[is_up])
        return fresh if near == value else near
    if not all(map(is_number, parameter.values)):
        return fresh
    ordered = sorted(parameter.values)
    place = ordered.index(value) + (1 if is_up else -1)
    return ordered[place] if 0 <= place < len(ordered) else fresh
