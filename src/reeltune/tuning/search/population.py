"""A population that is trained together, as trials: each is a leg of a few epochs of one member.

After Li et al. (2019, https://arxiv.org/abs/1902.01894): a trial has one set of parameters for all its epochs
and names the trial whose weights it began with, so that rows, kills and replays are those of any trial, and
the course of the parameters over a whole training is the chain of a trial's parents. Of a population of P,
trial n is member ``n % P`` in generation ``n // P``. A generation begins when the one before it has ended:
what a trial is depends on the study's seed and on the trials of earlier generations alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reeltune.errors import ConfigError, unknown_name
from reeltune.models.registry import is_network
from reeltune.seeding import derive
from reeltune.tuning.records.rows import EpochReport, TrialRow, TrialState
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.search.perturb import can_change, changing_fields, explore
from reeltune.tuning.search.schedulers import Pb2Config, PopulationConfig
from reeltune.tuning.search.searchers import GridConfig
from reeltune.tuning.space.parameters import Choice
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study.spec import StudySettings, StudySpec
from reeltune.tuning.trial.run import TrialConfig

__all__ = [
    "Successor",
    "check_population",
    "end_epoch",
    "lineage",
    "n_legs",
    "needed_origins",
    "population_of",
    "schedule",
    "successor",
]

Epochs = Callable[[int], Sequence[EpochReport]]
"""From the number of a trial to its epochs."""


@dataclass(frozen=True)
class Successor:
    """What a trial goes on from."""

    params: dict[str, Any]
    parent: int  # trial whose weights it takes
    start_epoch: int  # epochs that those were trained for


def population_of(spec: StudySpec) -> PopulationConfig | None:
    """Return the settings of the study's population, None where its trials are whole trainings."""
    scheduler = spec.study.scheduler
    return scheduler if isinstance(scheduler, PopulationConfig) else None


def n_legs(spec: StudySpec) -> int | None:
    """Return how many trials it takes to train the whole population to its end, None without one."""
    population = population_of(spec)
    if population is None:
        return None
    return population.population * math.ceil(spec.trial.training.max_epochs / population.interval_epochs)


def end_epoch(spec: StudySpec, number: int) -> int | None:
    """Return the epochs that are done when trial ``number`` is over, None for a whole training."""
    population = population_of(spec)
    if population is None:
        return None
    generation = number // population.population
    return min((generation + 1) * population.interval_epochs, spec.trial.training.max_epochs)


def successor(spec: StudySpec, number: int, rows: Mapping[int, TrialRow], epochs: Epochs) -> Successor | None:
    """Return what trial ``number`` goes on from, None where it begins anew.

    A member goes on from its own last leg with the same parameters, unless that is among the worst of its
    generation by its last epoch, or ended without weights: then it takes over weights and parameters of one
    of the best, drawn from the seed, and changes some of the parameters.

    Args:
        spec: The study.
        number: Of the trial.
        rows: The trials known, by number; all of the generation before have ended.
        epochs: Gives the epochs of each.
    """
    population = population_of(spec)
    if population is None or number < population.population:
        return None
    size = population.population
    first = (number // size - 1) * size
    order = _ranking([rows[n] for n in range(first, first + size)], spec.study.goal, epochs)
    if not order:
        return None  # none left weights
    n_replaced = max(1, int(size * population.share))
    own = number - size
    if own in order and order.index(own) < size - n_replaced:
        return Successor(dict(rows[own].params), own, _ended_at(rows[own]))
    chance = np.random.default_rng(derive(spec.study.seed, "exploit", number))
    parent = order[int(chance.integers(min(n_replaced, len(order))))]
    params = explore(spec, number, rows[parent].params, rows, epochs)
    return Successor(params, parent, _ended_at(rows[parent]))


def _ranking(rows: Sequence[TrialRow], goal: Goal, epochs: Epochs) -> list[int]:
    """Return the numbers of the trials that left weights, the best by the last epoch first."""
    last = {row.number: epochs(row.number)[-1].metrics for row in rows if _has_weights(row)}
    return sorted(last, key=lambda number: (goal.violation(last[number]), goal.losses(last[number]), number))


def _has_weights(row: TrialRow) -> bool:
    return row.state in (TrialState.COMPLETE, TrialState.STOPPED) and row.n_epochs > 0


def _ended_at(row: TrialRow) -> int:
    return row.start_epoch + row.n_epochs


def lineage(rows: Mapping[int, TrialRow], number: int) -> list[TrialRow]:
    """Return the trials whose legs make up the training of trial ``number``, oldest first, itself last."""
    chain = [rows[number]]
    while chain[0].parent is not None:
        chain.insert(0, rows[chain[0].parent])
    return chain


def schedule(rows: Mapping[int, TrialRow], number: int) -> list[dict[str, Any]]:
    """Return the course of the parameters over the training behind trial ``number``, empty for one set.

    Each entry has the ``trial``, its ``first_epoch`` and ``last_epoch``, and its ``params``.
    """
    chain = lineage(rows, number)
    if len(chain) == 1:
        return []
    return [
        {
            "trial": row.number,
            "first_epoch": row.start_epoch + 1,
            "last_epoch": row.start_epoch + row.n_epochs,
            "params": dict(row.params),
        }
        for row in chain
    ]


def needed_origins(spec: StudySpec, rows: Mapping[int, TrialRow]) -> set[int]:
    """Return the ended trials whose last checkpoint a trial of the next generation may begin from."""
    population = population_of(spec)
    if population is None:
        return set()
    size, n_all = population.population, n_legs(spec) or 0
    needed = set()
    for number, row in rows.items():
        following = range((number // size + 1) * size, (number // size + 2) * size)
        if following.start < n_all and _has_weights(row):
            others = (rows.get(other) for other in following)
            if any(other is None or not other.state.is_finished for other in others):
                needed.add(number)
    return needed


def check_population(space: Space, study: StudySettings, trial: TrialConfig) -> None:
    """Check that a population can be trained as ``study`` asks; does nothing where it asks for none.

    Raises:
        ConfigError: It cannot.
    """
    population = study.scheduler
    if not isinstance(population, PopulationConfig):
        return
    name, size, n_epochs = population.name, population.population, trial.training.max_epochs
    if not is_network(trial.model.name):
        raise ConfigError(f"{name} trains networks epoch by epoch, {trial.model.name} has none; use none")
    if "training.max_epochs" in space.space:
        raise ConfigError(
            f"{name} trains all networks equally long; fix training.max_epochs, do not search it"
        )
    if population.interval_epochs >= n_epochs:
        raise ConfigError(
            f"a leg of {population.interval_epochs} epochs leaves nothing to change in {n_epochs} "
            "(training.max_epochs); lower interval_epochs"
        )
    if study.trials < size:
        n_all = size * math.ceil(n_epochs / population.interval_epochs)
        raise ConfigError(
            f"study.trials is {study.trials}, fewer than the population of {size}; {n_epochs} epochs in "
            f"legs of {population.interval_epochs} take {n_all} trials"
        )
    if isinstance(study.searcher, GridConfig):
        raise ConfigError(
            f"{name} begins with {size} points of the searcher, a grid is searched whole; use qmc"
        )
    if 1 + len(study.first) > size:
        raise ConfigError(f"{len(study.first)} points in study.first and the default are more than {size}")
    _check_changes(space, population)


def _check_changes(space: Space, population: PopulationConfig) -> None:
    possible = [name for name, _ in space if can_change(name)]
    for name in population.perturbed:
        if name not in space.space:
            raise ConfigError(f"perturbed: {unknown_name('parameter', name, space.space)}")
        if name not in possible:
            raise ConfigError(
                f"perturbed: {name} cannot change while a network trains; of the space only "
                f"{', '.join(possible) or 'none'} can"
            )
    changing = changing_fields(space, population)
    if not changing:
        raise ConfigError("none of the searched fields can change while a network trains; use asha")
    if isinstance(population, Pb2Config) and all(isinstance(space.space[n], Choice) for n in changing):
        raise ConfigError(f"pb2 explores ranges, {', '.join(changing)} are choices; use pbt")
