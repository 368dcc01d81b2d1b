"""A population that is trained together, as trials: each is a segment of a few epochs of one member.

After Li et al. (2019, https://arxiv.org/abs/1902.01894): a trial has one set of parameters for all its epochs
and names the trial whose weights it began with, so that rows, kills and replays are those of any trial, and
the course of the parameters over a whole training is the chain of a trial's parents. Of a population of P,
trial n is member ``n % P`` in generation ``n // P``. A generation begins when the one before it has ended:
what a trial is depends on the study's seed and on the trials of earlier generations alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reeltune.errors import ConfigError, unknown_name
from reeltune.seeding import derive
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.search.perturb import can_change, changing_fields, explore
from reeltune.tuning.search.schedulers import PopulationConfig
from reeltune.tuning.space.search_space import Space

Epochs = Callable[[int], Sequence[EpochReport]]
"""From the number of a trial to its epochs."""


@dataclass(frozen=True)
class Successor:
    """What a trial resumes from."""

    params: dict[str, Any]
    parent: int  # trial whose weights it takes
    start_epoch: int  # epochs that those were trained for


@dataclass(frozen=True)
class Population:
    """The population of a study."""

    settings: PopulationConfig
    space: Space
    base: Mapping[str, Any]  # the configuration whose fields are searched, nested plain values
    goal: Goal
    seed: int  # of the study
    max_epochs: int  # of a whole training

    @property
    def n_segments(self) -> int:
        """How many trials it takes to train the whole population to its end."""
        return self.settings.population * math.ceil(self.max_epochs / self.settings.interval_epochs)

    def generation(self, number: int) -> range:
        """Return the numbers of the trials that trial ``number`` is trained beside."""
        size = self.settings.population
        return range(number // size * size, (number // size + 1) * size)

    def end_epoch(self, number: int) -> int:
        """Return the epochs that are done when trial ``number`` is over."""
        generation = number // self.settings.population
        return min((generation + 1) * self.settings.interval_epochs, self.max_epochs)

    def successor(self, number: int, rows: Mapping[int, TrialRow], epochs: Epochs) -> Successor | None:
        """Return what trial ``number`` resumes from, None where it begins fresh.

        A member resumes its own last segment with the same parameters, unless that is among the worst of its
        generation by its last epoch, or ended without weights: then it takes over weights and parameters of
        one of the best, drawn from the seed, and changes some of the parameters.

        Args:
            number: Of the trial.
            rows: The trials known, by number; all of the generation before have ended.
            epochs: Gives the epochs of each.
        """
        size = self.settings.population
        if number < size:
            return None
        order = self._ranking([rows[n] for n in self.generation(number - size)], epochs)
        if not order:
            return None  # none left weights
        n_replaced = max(1, int(size * self.settings.share))
        own = number - size
        if own in order and order.index(own) < size - n_replaced:
            return Successor(dict(rows[own].params), own, _ended_at(rows[own]))
        rng = np.random.default_rng(derive(self.seed, "exploit", number))
        parent = order[int(rng.integers(min(n_replaced, len(order))))]
        seed = functools.partial(derive, self.seed, "explore", number)
        params = explore(self.settings, self.space, self.base, rows[parent].params, seed)
        return Successor(params, parent, _ended_at(rows[parent]))

    def _ranking(self, rows: Sequence[TrialRow], epochs: Epochs) -> list[int]:
        """Return the numbers of the trials that left weights, the best by the last epoch first."""
        goal = self.goal
        last = {row.number: epochs(row.number)[-1].metrics for row in rows if _has_weights(row)}
        return sorted(last, key=lambda n: (goal.violation(last[n]), goal.losses(last[n]), n))

    def needed_origins(self, rows: Mapping[int, TrialRow]) -> set[int]:
        """Return the ended trials whose last checkpoint a trial of the next generation may begin from."""
        needed = set()
        for number, row in rows.items():
            following = self.generation(number + self.settings.population)
            if following.start < self.n_segments and _has_weights(row):
                others = (rows.get(other) for other in following)
                if any(other is None or not other.state.is_finished for other in others):
                    needed.add(number)
        return needed

    def check(self, *, model: str, has_epochs: bool, searcher: str, n_trials: int, n_first: int) -> None:
        """Check that the population can be trained in a study of ``n_trials`` trials.

        Args:
            model: Name of the model.
            has_epochs: Whether it is trained epoch by epoch.
            searcher: Name of the searcher that gives the first generation.
            n_trials: Trials of the study.
            n_first: Points that are given for the first trials.

        Raises:
            ConfigError: It cannot.
        """
        name, size, interval = self.settings.name, self.settings.population, self.settings.interval_epochs
        problem = ""
        if not has_epochs:
            problem = f"{name} trains networks epoch by epoch, {model} has none; use none"
        elif "training.max_epochs" in self.space.space:
            problem = f"{name} trains all networks equally long; fix training.max_epochs, do not search it"
        elif interval >= self.max_epochs:
            problem = (
                f"a segment of {interval} epochs leaves nothing to change in {self.max_epochs} "
                "(training.max_epochs); lower interval_epochs"
            )
        elif n_trials < size:
            problem = (
                f"study.trials is {n_trials}, fewer than the population of {size}; {self.max_epochs} epochs "
                f"in segments of {interval} take {self.n_segments} trials"
            )
        elif searcher == "grid":
            problem = f"{name} begins with {size} points of the searcher, a grid is searched whole; use qmc"
        elif n_first > size:
            problem = f"{n_first - 1} points in study.first and the default are more than {size}"
        if problem:
            raise ConfigError(problem)
        self._check_changes()

    def _check_changes(self) -> None:
        possible = [name for name, _ in self.space if can_change(name)]
        for name in self.settings.perturbed:
            if name not in self.space.space:
                raise ConfigError(f"perturbed: {unknown_name('parameter', name, self.space.space)}")
            if name not in possible:
                raise ConfigError(
                    f"perturbed: {name} cannot change while a network trains; of the space only "
                    f"{', '.join(possible) or 'none'} can"
                )
        if not changing_fields(self.space, self.settings):
            raise ConfigError("none of the searched fields can change while a network trains; use asha")


def _has_weights(row: TrialRow) -> bool:
    return row.state in (TrialState.COMPLETE, TrialState.STOPPED) and row.n_epochs > 0


def _ended_at(row: TrialRow) -> int:
    return row.start_epoch + row.n_epochs


def lineage(rows: Mapping[int, TrialRow], number: int) -> list[TrialRow]:
    """Return the trials whose segments make up the training of trial ``number``, oldest first."""
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
