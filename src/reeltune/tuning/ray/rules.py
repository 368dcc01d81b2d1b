"""Ray Tune's stopping rules, made from their configurations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from reeltune.tuning.ray.halving import NonDominatedHalving
from reeltune.tuning.ray.worker import EPOCH, OBJECTIVE
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.search.schedulers import (
    AshaConfig,
    HyperBandConfig,
    MedianConfig,
    NoSchedulerConfig,
    PopulationConfig,
)

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
"""Multiples of the golden ratio fill the unit interval evenly at any count."""


@dataclass(frozen=True)
class RuleTrial:
    """A trial as a rule sees it."""

    number: int

    @property
    def trial_id(self) -> str:
        """Name by which Ray's rules know a trial."""
        return f"trial-{self.number}"


class AsyncHyperBand(FIFOScheduler):  # type: ignore[misc]
    """HyperBand (Li et al., 2018) without waiting: a share of the trials goes to each bracket of ASHA.

    The brackets differ in the epochs that they give every trial: few in the first, all in the last. Their
    shares are those of HyperBand, which spends about as many epochs on each. Which trial belongs to
    which depends on its number alone; in Ray Tune's own scheduler it is drawn from numpy's global
    stream, and the synchronous one pauses trials until a bracket is full.
    """

    def __init__(self, brackets: list[TrialScheduler], shares: list[float]) -> None:
        super().__init__()
        self._brackets = brackets
        self._shares = shares

    def _bracket(self, trial: RuleTrial) -> Any:
        place = (0.5 + trial.number * GOLDEN) % 1.0
        for bracket, share in zip(self._brackets, self._shares, strict=True):
            place -= share
            if place < 0:
                return bracket
        return self._brackets[-1]

    def on_trial_add(self, tune_controller: Any, trial: RuleTrial) -> None:
        """Add the trial to its bracket."""
        self._bracket(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: RuleTrial, result: dict[str, Any]) -> str:
        """Return what the trial's bracket decides."""
        return str(self._bracket(trial).on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: RuleTrial, result: dict[str, Any]) -> None:
        """End the trial in its bracket."""
        self._bracket(trial).on_trial_complete(tune_controller, trial, result)


class ReplayableMedian(MedianStoppingRule):  # type: ignore[misc]
    """Ray Tune's median rule that can be given epochs after one at which it would have stopped a trial.

    A trial of the past may have gone on there: it was judged by what was known then.
    """

    def on_trial_result(self, tune_controller: Any, trial: RuleTrial, result: dict[str, Any]) -> str:
        """Return the decision of this epoch, whatever was decided before."""
        self._stopped_trials.discard(trial)
        return str(super().on_trial_result(tune_controller, trial, result))


def _asha(config: AshaConfig, mode: str, max_epochs: int) -> TrialScheduler:
    return ASHAScheduler(
        time_attr=EPOCH,
        metric=OBJECTIVE,
        mode=mode,
        max_t=max(max_epochs, config.grace_epochs),
        grace_period=config.grace_epochs,
        reduction_factor=config.reduction_factor,
    )


def _hyperband(config: HyperBandConfig, mode: str, max_epochs: int) -> TrialScheduler:
    graces = [config.min_epochs]
    while graces[-1] * config.reduction_factor <= max_epochs:
        graces.append(math.ceil(graces[-1] * config.reduction_factor))
    n = len(graces)
    sizes = [math.ceil(n / (k + 1) * config.reduction_factor**k) for k in reversed(range(n))]
    brackets = [
        _asha(AshaConfig(grace_epochs=grace, reduction_factor=config.reduction_factor), mode, max_epochs)
        for grace in graces
    ]
    return AsyncHyperBand(brackets, [size / sum(sizes) for size in sizes])


def _median(config: MedianConfig, mode: str, max_epochs: int) -> TrialScheduler:
    return ReplayableMedian(
        time_attr=EPOCH,
        metric=OBJECTIVE,
        mode=mode,
        grace_period=config.grace_epochs,
        min_samples_required=config.min_trials,
        min_time_slice=float("inf"),  # never pauses: a paused trial would wait for a checkpoint of Ray's own
    )


def _none(config: NoSchedulerConfig | PopulationConfig, mode: str, max_epochs: int) -> TrialScheduler:
    return FIFOScheduler()


BUILDERS: dict[str, Callable[[Any, str, int], TrialScheduler]] = {
    "asha": _asha,
    "hyperband": _hyperband,
    "median": _median,
    "none": _none,
    "pbt": _none,
}


def make_rule(config: Any, goal: Goal, max_epochs: int) -> TrialScheduler:
    """Return the stopping rule of a study that knows no trial yet."""
    if goal.is_multiple and isinstance(config, AshaConfig):
        return NonDominatedHalving(config, goal, max_epochs)
    return BUILDERS[config.name](config, "max" if goal.higher_is_better[0] else "min", max_epochs)
