"""Statistics beside the interval and the sign-flip test: ranks, families of tests, sizes of effects.

Shapes: M queries, U users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reeltune.evaluation.compare import (
    SIGNIFICANCE,
    Comparison,
    checked_figures,
    compare_paired,
    p_text,
    sums_by_user,
)


@dataclass(frozen=True)
class Finding:
    """A comparison as one of several: two tests, both corrected for their number, and an effect size."""

    comparison: Comparison
    wilcoxon_p: float  # Wilcoxon's signed-rank test over users
    adjusted_p: float  # of the sign-flip test, by Holm's correction
    adjusted_wilcoxon_p: float  # likewise
    effect: float  # mean difference over its standard deviation between users (Cohen's d for pairs)
    share_better: float  # of the users on whom the two differ, for whom the candidate is better
    n_family: int  # comparisons that were corrected together

    @property
    def is_better(self) -> bool:
        """Whether the candidate is better after correction."""
        return self.comparison.difference.value > 0 and self.adjusted_p < SIGNIFICANCE

    @property
    def is_worse(self) -> bool:
        """Whether the candidate is worse after correction."""
        return self.comparison.difference.value < 0 and self.adjusted_p < SIGNIFICANCE

    def verdict(self) -> str:
        """Return the verdict with size, interval, chance and the share of users who gain."""
        c = self.comparison
        label = c.metric.upper()
        size = f"{abs(c.difference.value):.4f} {label}"
        low, high = c.difference.low, c.difference.high
        over = f" after Holm's correction over {self.n_family} comparisons" if self.n_family > 1 else ""
        facts = (
            f"difference {c.difference.value:+.4f} {label}, 95 % interval {low:+.4f} to {high:+.4f}; "
            f"{p_text(self.adjusted_p)}{over}, {p_text(self.adjusted_wilcoxon_p)} by Wilcoxon's test; better "
            f"for {100 * self.share_better:.0f} % of the users on whom the two differ"
        )
        if self.is_better or self.is_worse:
            return f"{'beats' if self.is_better else 'loses to'} {c.opponent} by {size} ({facts})"
        return f"is not shown to differ from {c.opponent} ({facts})"

    def plain(self) -> dict[str, Any]:
        """Return the finding as plain Python values."""
        return asdict(self) | {
            "comparison": self.comparison.plain(),
            "is_better": self.is_better,
            "is_worse": self.is_worse,
            "verdict": self.verdict(),
        }

    @classmethod
    def from_plain(cls, value: Mapping[str, Any]) -> Finding:
        """Return the finding that :meth:`plain` wrote."""
        derived = ("is_better", "is_worse", "verdict")
        fields = {key: item for key, item in value.items() if key not in derived}
        return cls(**(fields | {"comparison": Comparison.from_plain(value["comparison"])}))


def wilcoxon(differences: ArrayLike, *, users: ArrayLike | None = None) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test over users.

    A user's difference is the mean of his queries' ``differences`` [M]. Ties share their rank; zeros
    are ranked and then left out of both sums (Pratt, 1959), for many users have none. Normal
    approximation with the correction for ties; 1 where nobody differs.

    Raises:
        ConfigError: There are no differences, or one is not finite.
    """
    sums, counts = sums_by_user(checked_figures(differences), users)
    # Equal means of unequal queries may differ in the last bits, and would not tie.
    each = np.round(sums / counts, 12)
    if not each.any():
        return 1.0
    result = stats.wilcoxon(each, zero_method="pratt", correction=False, method="asymptotic")
    return float(result.pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return each p-value adjusted for their number, so that any error among all has the given chance.

    Holm's step-down (1979): the smallest is multiplied by n, the next by n - 1, and none may fall
    below one before it.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    largest, adjusted = 0.0, {}
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def compare_family(
    candidate: ArrayLike,
    opponents: Mapping[str, ArrayLike],
    *,
    metric: str,
    users: ArrayLike | None = None,
    seed: int = 0,
    n_flips: int | None = None,
) -> dict[str, Finding]:
    """Return how ``candidate`` [M] differs from each of ``opponents`` [M], corrected for their number.

    Args:
        candidate: One figure a query.
        opponents: Those of the others on the same queries, by their names in words.
        metric: Spelling of the metric, for the verdicts.
        users: Whose query each is, [M]; None where each is another user's.
        seed: Origin of the draws.
        n_flips: Sign flips of each test; None for ``N_FLIPS``.

    Raises:
        ConfigError: Lengths differ, there is nothing to compare, or a value is not finite.
    """
    comparisons, ranked = {}, {}
    for name, values in opponents.items():
        comparisons[name] = compare_paired(
            candidate,
            values,
            opponent_name=name,
            metric=metric,
            users=users,
            seed=seed,
            n_flips=n_flips,
        )
        ranked[name] = wilcoxon(_difference(candidate, values), users=users)
    flips = holm({name: comparison.p_value for name, comparison in comparisons.items()})
    ranks = holm(ranked)
    return {
        name: Finding(
            comparison=comparison,
            wilcoxon_p=ranked[name],
            adjusted_p=flips[name],
            adjusted_wilcoxon_p=ranks[name],
            **_effect(_difference(candidate, opponents[name]), users),
            n_family=len(comparisons),
        )
        for name, comparison in comparisons.items()
    }


def _difference(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    difference: NDArray[np.float64] = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return difference


def _effect(differences: NDArray[np.float64], users: ArrayLike | None) -> dict[str, float]:
    sums, counts = sums_by_user(differences, users)
    each = np.round(sums / counts, 12)
    sd = float(each.std(ddof=1)) if len(each) > 1 else 0.0
    n_better, n_worse = int((each > 0).sum()), int((each < 0).sum())
    return {
        "effect": float(each.mean()) / sd if sd > 0 else 0.0,
        "share_better": n_better / (n_better + n_worse) if n_better + n_worse else 0.5,
    }
