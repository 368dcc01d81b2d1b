"""Which trial won, what its searched values press against, and what mattered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reeltune.tuning.rows import TrialRow, TrialState
from reeltune.tuning.space import Choice, Space

__all__ = ["PressedBound", "best_rows", "importance", "pressed_bounds"]


def best_rows(rows: Sequence[TrialRow], *, higher_is_better: bool, n: int | None = None) -> list[TrialRow]:
    """Return the trials that may win, best first, at most ``n``.

    Complete trials come first; ones that the scheduler or a time limit stopped follow. Diverged,
    failed and unfinished ones never win. Ties go to the earlier trial.
    """
    eligible = [
        row
        for row in rows
        if row.value is not None and row.state in (TrialState.COMPLETE, TrialState.STOPPED)
    ]
    sign = -1.0 if higher_is_better else 1.0
    eligible.sort(
        key=lambda row: (row.state is not TrialState.COMPLETE, sign * (row.value or 0.0), row.number)
    )
    return eligible[:n]


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
            places = {value: _place(value, parameter.low, parameter.high, parameter.log) for value in values}
            hits = {
                "low": [v for v in values if places[v] <= margin],
                "high": [v for v in values if places[v] >= 1 - margin],
            }
        for side, end in ends.items():
            if len(hits[side]) >= max(share * len(values), 1):
                found.append(PressedBound(name, end, side, len(hits[side]) / len(values)))
    return found


def _place(value: float, low: float, high: float, is_log: bool) -> float:
    if is_log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def importance(space: Space, rows: Sequence[TrialRow], *, higher_is_better: bool) -> dict[str, float]:
    """Return the share of the objective's variance that each searched field explains, largest first.

    By functional ANOVA (Hutter et al., 2014) over the complete trials; empty with fewer than four of
    them or when all have the same value. Shares sum to 1.
    """
    import warnings

    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    from reeltune.tuning.storage import frozen_trial, quiet_optuna

    complete = [row for row in rows if row.state is TrialState.COMPLETE and row.value is not None]
    if len(complete) < 4 or len({row.value for row in complete}) == 1:
        return {}
    quiet_optuna()
    study = optuna.create_study(
        direction="maximize" if higher_is_better else "minimize",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    for row in complete:
        study.add_trial(frozen_trial(space, row, []))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's and Optuna's notes on small samples
        shares: dict[str, Any] = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {name: float(share) for name, share in shares.items()}
