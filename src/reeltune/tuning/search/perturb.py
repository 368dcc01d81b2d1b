"""How the parameters of a population change between two legs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from reeltune.seeding import derive
from reeltune.tuning.records.rows import EpochReport, TrialRow
from reeltune.tuning.search.bandit import propose
from reeltune.tuning.search.samplers import distribution, from_unit
from reeltune.tuning.search.schedulers import Pb2Config, PbtConfig, PopulationConfig
from reeltune.tuning.space.parameters import Choice, Parameter, Scalar, is_active
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study.spec import StudySpec

__all__ = ["can_change", "changing_fields", "explore", "moved"]

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
    spec: StudySpec,
    number: int,
    params: Mapping[str, Scalar],
    rows: Mapping[int, TrialRow],
    epochs: Callable[[int], Sequence[EpochReport]],
) -> dict[str, Scalar]:
    """Return ``params`` with some changed, for trial ``number``; they meet the constraints of the space.

    Where no change that was drawn meets them, ``params`` are kept. What becomes active through a change is
    drawn from its range.

    Args:
        spec: The study.
        number: Of the trial that explores.
        params: Those of its parent.
        rows: The trials known, by number.
        epochs: Gives the epochs of each.
    """
    config, space, base = spec.study.scheduler, spec.space, spec.trial.plain()
    assert isinstance(config, PopulationConfig)
    names = [name for name in changing_fields(space, config) if name in params]
    proposals = propose(spec, number, names, rows, epochs) if isinstance(config, Pb2Config) else []
    for attempt in range(TRIES):
        chance = np.random.default_rng(derive(spec.study.seed, "explore", number, attempt))
        resample = config.resample_probability if isinstance(config, PbtConfig) else 0.0
        changed = {name: moved(space.space[name], params[name], resample, chance) for name in names}
        if proposals:
            changed |= proposals[attempt]
        point: dict[str, Scalar] = {}
        for name, parameter in space:
            if is_active(parameter, space.values(base, point)):
                fresh = from_unit(float(chance.random()), distribution(parameter))
                point[name] = changed.get(name, params.get(name, fresh))
        if space.broken(base, point) is None:
            return point
    return dict(params)


def moved(parameter: Parameter, value: Scalar, resample: float, chance: np.random.Generator) -> Scalar:
    """Return a value near ``value``, or with the probability ``resample`` any of the range.

    A number is multiplied by .8 or 1.2, kept inside its range, and drawn anew where that changes nothing. Of
    choices that are numbers it is a neighbour, of others any.
    """
    anew, up = bool(chance.random() < resample), bool(chance.random() < 0.5)
    fresh: Scalar = from_unit(float(chance.random()), distribution(parameter))
    if anew:
        return fresh
    if not isinstance(parameter, Choice):
        near = parameter.nearest(float(value) * FACTORS[up])
        return fresh if near == value else near
    numbers = [v for v in parameter.values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(parameter.values):
        return fresh
    ordered = sorted(numbers)
    place = ordered.index(value) + (1 if up else -1)  # type: ignore[arg-type]
    return ordered[place] if 0 <= place < len(ordered) else fresh
