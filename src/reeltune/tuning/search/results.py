"""Which trial won, what its searched values press against, and whether the search could search at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.search.pareto import front_ranks, hypervolume, knee_order
from reeltune.tuning.search.searchers import SEARCHERS, n_initial
from reeltune.tuning.space.parameters import Choice
from reeltune.tuning.space.search_space import Space

MIN_ENDED = 4
"""Trials without which nothing is said about the scheduler."""


def has_figures(row: TrialRow, goal: Goal) -> bool:
    """Return whether the trial ended with every objective known, whether or not it keeps the limits."""
    return (
        row.value is not None
        and row.state in (TrialState.COMPLETE, TrialState.STOPPED)
        and (not goal.is_multiple or goal.values(row.metrics) is not None)
    )


def best_rows(rows: Sequence[TrialRow], goal: Goal, n: int | None = None) -> list[TrialRow]:
    """Return the trials that may win, best first, at most ``n``.

    Complete trials come first; ones that the scheduler or a time limit stopped follow. Diverged,
    failed and unfinished ones and those that break a limit never win. Of one objective, ties go to
    the earlier trial. Of several, the fronts follow each other, each from its knee on.
    """
    eligible = [row for row in rows if has_figures(row, goal) and goal.violation(row.metrics) == 0]
    complete = [row for row in eligible if row.state is TrialState.COMPLETE]
    stopped = [row for row in eligible if row.state is TrialState.STOPPED]
    return [*_ordered(complete, goal), *_ordered(stopped, goal)][:n]


def _ordered(rows: Sequence[TrialRow], goal: Goal) -> list[TrialRow]:
    if not goal.is_multiple:
        sign = -1.0 if goal.higher_is_better[0] else 1.0
        return sorted(rows, key=lambda row: (sign * (row.value or 0.0), row.number))
    losses = [goal.losses(row.metrics) for row in rows]
    ranks = front_ranks(losses)
    ordered = []
    for rank in range(max(ranks, default=-1) + 1):
        front = [i for i, r in enumerate(ranks) if r == rank]
        ordered += [rows[front[place]] for place in knee_order([losses[i] for i in front])]
    return ordered


@dataclass(frozen=True)
class Front:
    """The trials that no other beats in every objective, and how much they leave open."""

    rows: tuple[TrialRow, ...]  # by the first objective, best first
    knee: int  # number of the trial where the trade-off turns
    hypervolume: float  # share of the box between worst and best of the study that the front dominates
    reference: tuple[float, ...]  # the worst value of each objective among the trials with figures
    ideal: tuple[float, ...]  # the best value of each


def pareto_front(rows: Sequence[TrialRow], goal: Goal) -> Front | None:
    """Return the front of the trials that keep the limits, None where there is none or one objective.

    Stopped trials count with their figures so far.
    """
    eligible = [row for row in rows if has_figures(row, goal) and goal.violation(row.metrics) == 0]
    if not eligible or not goal.is_multiple:
        return None
    losses = [goal.losses(row.metrics) for row in eligible]
    on_front = [i for i, rank in enumerate(front_ranks(losses)) if rank == 0]
    worst = [max(column) for column in zip(*losses, strict=True)]
    best = [min(column) for column in zip(*losses, strict=True)]
    widths = [(w - b) or 1.0 for w, b in zip(worst, best, strict=True)]
    scaled = [[(x - b) / w for x, b, w in zip(losses[i], best, widths, strict=True)] for i in on_front]
    signs = [-1.0 if up else 1.0 for up in goal.higher_is_better]
    knee = on_front[knee_order([losses[i] for i in on_front])[0]]
    return Front(
        rows=tuple(sorted((eligible[i] for i in on_front), key=lambda row: goal.losses(row.metrics))),
        knee=eligible[knee].number,
        hypervolume=hypervolume(scaled, [1.0] * len(worst)),
        reference=tuple(s * w for s, w in zip(signs, worst, strict=True)),
        ideal=tuple(s * b for s, b in zip(signs, best, strict=True)),
    )


@dataclass(frozen=True)
class PressedBound:
    """A bound that the best trials lie close to: the space may be too narrow there."""

    name: str
    bound: float | int | bool | str
    side: str  # "low", "high" or "choice"
    share: float  # of the best trials


def pressed_bounds(
    space: Space, best: Sequence[TrialRow], *, margin: float = 0.05, share: float = 0.5
) -> list[PressedBound]:
    """Return the bounds within ``margin`` of which at least ``share`` of the best trials lie.

    The margin is a part of the range, on the scale that was searched. For choices that are numbers
    the smallest and largest count as bounds.
    """
    found: list[PressedBound] = []
    for name, parameter in space:
        values = [row.params[name] for row in best if name in row.params]
        if not values:
            continue
        if isinstance(parameter, Choice):
            numbers = [v for v in parameter.values if isinstance(v, int | float) and not isinstance(v, bool)]
            ends = {"low": min(numbers), "high": max(numbers)} if len(numbers) > 2 else {}
            hits = {side: [v for v in values if v == end] for side, end in ends.items()}
        else:
            ends = {"low": parameter.low, "high": parameter.high}
            places = {value: parameter.place(value) for value in values}
            hits = {
                "low": [v for v in values if places[v] <= margin],
                "high": [v for v in values if places[v] >= 1 - margin],
            }
        for side, end in ends.items():
            if len(hits[side]) >= max(share * len(values), 1):
                found.append(PressedBound(name, end, side, len(hits[side]) / len(values)))
    return found


def simplest(sizes: Mapping[int, int], values: Mapping[int, NDArray[np.float64]]) -> int:
    """Return the smallest of some trials that is within one standard error of the best.

    The rule of Breiman et al. (1984), with the error of the paired difference over users: what two models
    get wrong together does not count. Of equal sizes the better trial is returned.

    Args:
        sizes: Parameters of the network by number of the trial, the best trial first.
        values: The objective of each user by number of the trial, [U] each, users in one order.
    """
    best = next(iter(sizes))

    def is_close(number: int) -> bool:
        differences = values[best] - values[number]
        error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else 0.0
        return bool(abs(differences.mean()) <= error)

    return min((number for number in sizes if number == best or is_close(number)), key=sizes.__getitem__)


def search_warnings(
    rows: Sequence[TrialRow], *, n_trials: int, searcher: Any, scheduler: Any, lag: int | None = None
) -> list[str]:
    """Return in words what keeps a study from searching, empty where nothing does.

    Args:
        rows: The trials so far; may be empty.
        n_trials: Trials that the study is to have.
        searcher: Its configuration.
        scheduler: Its configuration.
        lag: Trials just before a trial whose results are not looked at.
    """
    found = []
    first = n_initial(searcher) + (lag or 0)
    if SEARCHERS[searcher.name].learns and n_trials <= first:
        found.append(
            f"{searcher.name} would choose by results from trial {first} on (n_initial and lag), but the "
            f"study ends with trial {n_trials - 1}: raise study.trials above {first}, or use qmc"
        )
    rung = getattr(scheduler, "grace_epochs", getattr(scheduler, "min_epochs", None))
    ended = [row for row in rows if row.state in (TrialState.COMPLETE, TrialState.STOPPED)]
    early = [row for row in ended if row.state is TrialState.STOPPED and row.n_epochs <= (rung or 0)]
    if len(ended) >= MIN_ENDED and 2 * len(early) > len(ended):
        key = "grace_epochs" if hasattr(scheduler, "grace_epochs") else "min_epochs"
        found.append(
            f"{scheduler.name} stopped {len(early)} of {len(ended)} trials by epoch {rung}, its first rung: "
            f"late starters had no say; raise {key} in study.scheduler, or use none"
        )
    return found
