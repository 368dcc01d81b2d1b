"""Statistics beside the interval and the sign-flip test: ranks, families of tests, seeds, winners.

Shapes: M queries, U users, S seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reeltune.errors import ConfigError
from reeltune.evaluation.compare import (
    N_BOOTSTRAP,
    SIGNIFICANCE,
    Comparison,
    Interval,
    checked_figures,
    compare_paired,
    portions,
    sums_by_user,
)
from reeltune.seeding import derive

__all__ = [
    "Finding",
    "SeedSpread",
    "WinnersCurse",
    "compare_family",
    "effect_in_words",
    "holm",
    "seed_spread",
    "two_way_interval",
    "two_way_intervals",
    "wilcoxon",
    "winners_curse",
]


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
        """Return the verdict in one or two sentences, with size, interval, effect and chance."""
        c = self.comparison
        d = c.difference
        size = f"{d.value:+.4f} {c.metric.upper()} (95 % interval {d.low:+.4f} to {d.high:+.4f})"
        over = f" after Holm's correction over {self.n_family} comparisons" if self.n_family > 1 else ""
        tests = f"p = {_p(self.adjusted_p)}{over}; Wilcoxon's p = {_p(self.adjusted_wilcoxon_p)}"
        effect = f"{effect_in_words(self.effect)} (d = {self.effect:+.2f}"
        effect += f", better for {100 * self.share_better:.0f} % of the people on whom the two differ)"
        if self.is_better:
            return f"beats {c.opponent}: yes, by {size}, {effect}; {tests}"
        if self.is_worse:
            return f"beats {c.opponent}: no, it is worse by {size}, {effect}; {tests}"
        return f"beats {c.opponent}: not shown, the difference is {size}, {effect}; {tests}"

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


@dataclass(frozen=True)
class SeedSpread:
    """One figure over several seeds: mean, standard deviation and Student's 95 % interval of the mean."""

    mean: float
    sd: float | None  # None below two seeds
    low: float | None
    high: float | None
    n: int

    def plain(self) -> dict[str, Any]:
        """Return the spread as plain Python values."""
        return asdict(self)


@dataclass(frozen=True)
class WinnersCurse:
    """How much the best of several trials flatters itself on the split that chose it."""

    best: float  # validation objective of the selected trial
    n_trials: int  # among which it was the best
    reseeded: SeedSpread  # the same configuration from fresh seeds, on the same split

    @property
    def optimism(self) -> float:
        """How far the selected figure lies above what the configuration reaches without selection."""
        return self.best - self.reseeded.mean

    def sentence(self) -> str:
        """Return the correction in words."""
        over = f"{self.reseeded.n} fresh seed{'s' if self.reseeded.n != 1 else ''}"
        sd = "" if self.reseeded.sd is None else f" \N{PLUS-MINUS SIGN} {self.reseeded.sd:.4f}"
        return (
            f"the best of {self.n_trials} trials showed {self.best:.4f} on validation; trained again from "
            f"{over} it reaches {self.reseeded.mean:.4f}{sd}: {self.optimism:+.4f} was luck of the draw"
        )

    def plain(self) -> dict[str, Any]:
        """Return the correction as plain Python values."""
        return asdict(self) | {"optimism": self.optimism, "sentence": self.sentence()}


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
        users: Whose query each is, [M]; None where each is another person's.
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


def effect_in_words(effect: float) -> str:
    """Return the size of a standardised difference in words, by Cohen's (1988) thresholds.

    >>> effect_in_words(-0.3)
    'a small effect'
    """
    size = abs(effect)
    words = "negligible" if size < 0.2 else "small" if size < 0.5 else "medium" if size < 0.8 else "large"
    return f"a {words} effect"


def seed_spread(values: Sequence[float]) -> SeedSpread:
    """Return mean, standard deviation and Student's interval of one figure a seed.

    Raises:
        ConfigError: There are no values.
    """
    if not values:
        raise ConfigError("no seed has a figure; train at least one")
    mean, n = fmean(values), len(values)
    if n < 2:
        return SeedSpread(mean, None, None, None, n)
    sd = stdev(values)
    half = float(stats.t.ppf(0.975, n - 1)) * sd / n**0.5
    return SeedSpread(mean, sd, mean - half, mean + half, n)


def two_way_interval(values: ArrayLike, *, users: ArrayLike | None = None, seed: int = 0) -> Interval:
    """Return the mean of ``values`` [S, M] with an interval for other users and other seeds alike.

    Users and seeds are both drawn anew. Drawing S seeds out of S shows only ``(S - 1) / S`` of their
    variance, so each seed's distance from the mean of the seeds is first stretched by the root of
    ``S / (S - 1)``. With one seed this is the interval over users.

    Args:
        values: One figure a seed and query (or its paired difference).
        users: Whose query each is, [M]; None where each is another person's.
        seed: Origin of the draws.

    Raises:
        ConfigError: There are no values, or one is not finite.
    """
    array = np.atleast_2d(np.asarray(values, dtype=np.float64))
    return two_way_intervals(array[:, :, None], users=users, seed=seed)[0]


def two_way_intervals(values: ArrayLike, *, users: ArrayLike | None = None, seed: int = 0) -> list[Interval]:
    """Return :func:`two_way_interval` of each of L metrics, all on the same draws.

    Args:
        values: One figure a seed, query and metric, [S, M, L].
        users: Whose query each is, [M]; None where each is another person's.
        seed: Origin of the draws.

    Raises:
        ConfigError: There are no values, or one is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    n_seeds, n_queries, n_metrics = array.shape
    columns = array.transpose(0, 2, 1).reshape(-1, n_queries)  # [S*L, M]
    each = [sums_by_user(checked_figures(row), users) for row in columns]
    sums, counts = np.stack([row[0] for row in each], axis=1), each[0][1]  # [U, S*L], [U]
    means = array.mean(axis=(0, 1))  # [L]
    if n_seeds > 1:
        away = array.mean(axis=1) - means  # [S, L]
        stretch = np.sqrt(n_seeds / (n_seeds - 1)) - 1
        sums = sums + np.outer(counts, (away * stretch).ravel())
    rng = np.random.default_rng(derive(seed, "two-way"))
    n_users, drawn_means = len(counts), []
    for n in portions(N_BOOTSTRAP, n_users + sums.shape[1]):
        drawn = rng.multinomial(n_users, np.full(n_users, 1 / n_users), size=n).astype(np.float64)  # [n, U]
        weights = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n) / n_seeds  # [n, S]
        totals = (drawn @ sums).reshape(n, n_seeds, n_metrics)
        drawn_means.append(np.einsum("nsl,ns->nl", totals, weights) / (drawn @ counts)[:, None])
    low, high = np.quantile(np.concatenate(drawn_means), [0.025, 0.975], axis=0)
    return [Interval(float(m), float(lo), float(hi)) for m, lo, hi in zip(means, low, high, strict=True)]


def winners_curse(best: float, n_trials: int, reseeded: Sequence[float]) -> WinnersCurse:
    """Return how much the best of ``n_trials`` flatters itself, from its figures on fresh seeds.

    Args:
        best: Validation objective of the selected trial.
        n_trials: Trials among which it was selected.
        reseeded: Validation objective of the same configuration from seeds that took no part in the
            selection.

    Raises:
        ConfigError: No seed was trained.
    """
    return WinnersCurse(best, n_trials, seed_spread(reseeded))


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


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.5f}"
