"""Intervals and paired tests over users.

The queries of one user are not independent, so users are drawn, each with all queries.
A ranking metric takes few distinct values (NDCG@10 has eleven), so where each user has one
query, resampling them is the same as drawing how often each distinct value occurs: the draws
below are exact and their cost does not grow with the number of users.

Shapes: M queries, U users, K distinct users.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reeltune.errors import ConfigError
from reeltune.seeding import derive

SIGNIFICANCE = 0.05
"""A difference with a p-value below this is called real."""

N_BOOTSTRAP = 10_000
"""Bootstrap resamples: the ends of a 95 % interval then move by about 1 % of its width."""

N_FLIPS = 99_999
"""Sign-flip samples: with the observed one the smallest p-value is 0.00001."""

_CELLS = 4_000_000  # numbers drawn at once, about 32 MB


@dataclass(frozen=True)
class Interval:
    """A mean over users with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def plain(self) -> dict[str, float]:
        """Return the interval as plain Python values."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Two scorers on the same queries: the mean paired difference and its test."""

    opponent: str  # what the candidate is compared with, in words
    metric: str
    difference: Interval  # candidate minus opponent
    p_value: float
    n_queries: int
    test: str = "two-sided paired sign-flip permutation test over users"

    @property
    def is_better(self) -> bool:
        """Whether the candidate is better and the difference is unlikely to be chance."""
        return self.difference.value > 0 and self.p_value < SIGNIFICANCE

    @property
    def is_worse(self) -> bool:
        """Whether the candidate is worse and the difference is unlikely to be chance."""
        return self.difference.value < 0 and self.p_value < SIGNIFICANCE

    def verdict(self) -> str:
        """Return the verdict in one line.

        >>> Comparison("windowed Markov", "ndcg@10", Interval(-0.016, -0.03, -0.004), 0.01, 943).verdict()
        'loses to windowed Markov by 0.0160 NDCG@10 (p = .010)'
        """
        size, p = f"{abs(self.difference.value):.4f} {self.metric.upper()}", p_text(self.p_value)
        if self.is_better or self.is_worse:
            return f"{'beats' if self.is_better else 'loses to'} {self.opponent} by {size} ({p})"
        sign = "-" if self.difference.value < 0 else "+"
        return f"is not shown to differ from {self.opponent} ({sign}{size}, {p})"

    def standing(self) -> str:
        """Return where the opponent stands against the candidate.

        >>> Comparison("windowed Markov", "ndcg@10", Interval(-0.016, -0.03, -0.004), 0.01, 943).standing()
        'ahead by 0.0160 (p = .010)'
        """
        return standing(self.difference.value, self.p_value)

    def plain(self) -> dict[str, Any]:
        """Return the comparison as plain Python values."""
        return asdict(self) | {"is_better": self.is_better, "verdict": self.verdict()}

    @classmethod
    def from_plain(cls, value: dict[str, Any]) -> Comparison:
        """Return the comparison that :meth:`plain` wrote."""
        fields = {key: value[key] for key in value if key not in ("is_better", "verdict")}
        return cls(**(fields | {"difference": Interval(**value["difference"])}))


def p_text(p_value: float) -> str:
    """Return a p-value as it is printed; below what the permutations resolve well, its bound.

    >>> p_text(0.01), p_text(0.00004), p_text(1.0)
    ('p = .010', 'p < 1e-4', 'p = 1')
    """
    if p_value < 1e-4:
        return "p < 1e-4"
    digits = 3 if p_value >= 0.001 else 4
    text = f"{p_value:.{digits}f}"
    return f"p = {text[1:] if text.startswith('0') else '1'}"


def standing(difference: float, p_value: float) -> str:
    """Return where an opponent stands of whom a candidate differs by ``difference``."""
    if p_value >= SIGNIFICANCE or not difference:
        return f"no difference shown ({p_text(p_value)})"
    return f"{'behind' if difference > 0 else 'ahead'} by {abs(difference):.4f} ({p_text(p_value)})"


def mean_interval(values: ArrayLike, *, users: ArrayLike | None = None, seed: int = 0) -> Interval:
    """Return the mean of ``values`` [M] with its 95 % percentile bootstrap interval over users.

    Args:
        values: One figure a query, [M].
        users: Whose query each is, [M] int64 from 0; None where each is another user's.
        seed: Origin of the draws.

    Raises:
        ConfigError: There are no values, or one is not finite.
    """
    array = checked_figures(values)
    low, high = np.quantile(bootstrap_means(array, users=users, seed=seed), [0.025, 0.975])
    return Interval(float(array.mean()), float(low), float(high))


def bootstrap_means(
    values: ArrayLike, *, users: ArrayLike | None = None, seed: int = 0, n_draws: int | None = None
) -> NDArray[np.float64]:
    """Return the means of ``n_draws`` (``N_BOOTSTRAP``) resamples of the users; see :func:`mean_interval`."""
    totals = np.stack(
        sums_by_user(checked_figures(values), users), axis=1
    )  # [U, 2] each user's sum and number
    distinct, n_alike = np.unique(totals, axis=0, return_counts=True)  # [K, 2], [K]
    rng = np.random.default_rng(derive(seed, "bootstrap"))
    shares = n_alike / len(totals)
    means = []
    for n in portions(n_draws or N_BOOTSTRAP, len(distinct)):
        drawn = rng.multinomial(len(totals), shares, size=n) @ distinct  # [n, 2]
        means.append(drawn[:, 0] / drawn[:, 1])
    return np.concatenate(means)


def compare_paired(
    candidate: ArrayLike,
    opponent: ArrayLike,
    *,
    opponent_name: str,
    metric: str,
    users: ArrayLike | None = None,
    seed: int = 0,
    n_flips: int | None = None,
) -> Comparison:
    """Return how ``candidate`` [M] differs from ``opponent`` [M], query by query.

    The p-value is that of the two-sided sign-flip permutation test: the share of random
    sign assignments to the users' summed differences whose total is at least as far from zero
    as the one observed, the observed one counted in. The interval is a paired bootstrap.
    ``users`` is as in :func:`mean_interval`; ``n_flips`` is the number of assignments, ``N_FLIPS`` if None.

    Raises:
        ConfigError: The two have different lengths, are empty, or hold a value that is not finite.
    """
    a, b = checked_figures(candidate), checked_figures(opponent)
    if len(a) != len(b):
        raise ConfigError(f"cannot pair {len(a)} queries with {len(b)}: compare on the same split")
    differences = a - b
    return Comparison(
        opponent=opponent_name,
        metric=metric,
        difference=mean_interval(differences, users=users, seed=seed),
        p_value=_sign_flip(sums_by_user(differences, users)[0], seed, n_flips or N_FLIPS),
        n_queries=len(a),
    )


def _sign_flip(differences: NDArray[np.float64], seed: int, n_flips: int) -> float:
    sizes, counts = np.unique(np.abs(differences), return_counts=True)
    sizes, counts = sizes[sizes > 0], counts[sizes > 0]
    if len(sizes) == 0:
        return 1.0
    observed = abs(float(differences.sum()))
    # Sums that are equal in exact arithmetic may differ in the last bits.
    threshold = observed - 1e-9 * float(sizes @ counts)
    rng = np.random.default_rng(derive(seed, "sign-flip"))
    n_as_far = 0
    for n in portions(n_flips, len(sizes)):
        n_positive = rng.binomial(counts, 0.5, size=(n, len(sizes)))
        sums = (2 * n_positive - counts) @ sizes
        n_as_far += int(np.count_nonzero(np.abs(sums) >= threshold))
    return (1 + n_as_far) / (1 + n_flips)


def sums_by_user(
    array: NDArray[np.float64], users: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum and the number of the figures of each user that has any, [U] and [U]."""
    if users is None:
        return array, np.ones_like(array)
    _, row = np.unique(np.asarray(users), return_inverse=True)
    return np.bincount(row, weights=array).astype(np.float64), np.bincount(row).astype(np.float64)


def targets_in_words(n_queries: int, n_users: int | None) -> str:
    """Return how many targets there are, and of how many users where that is another number.

    >>> targets_in_words(943, 943), targets_in_words(4715, 943)
    ('943 users', '4,715 targets of 943 users')
    """
    if n_users in (None, n_queries):
        return f"{n_queries:,} users"
    return f"{n_queries:,} targets of {n_users:,} users"


def checked_figures(values: ArrayLike) -> NDArray[np.float64]:
    """Return ``values`` [M] as an array.

    Raises:
        ConfigError: There are none, or one is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise ConfigError(f"expected one figure a user, found an array of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ConfigError(f"{int((~np.isfinite(array)).sum())} figures are not finite; nothing to compare")
    return array


def portions(total: int, width: int) -> Iterator[int]:
    """Yield numbers that sum to ``total``, each so small that as many rows of ``width`` fit into memory."""
    size = max(1, _CELLS // width)
    for start in range(0, total, size):
        yield min(size, total - start)
