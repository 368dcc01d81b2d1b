"""Seeds as a second source of spread: of one figure, of an interval over users, of the winner of a search.

Shapes: M queries, U users, S seeds, L metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from reeltune.errors import ConfigError
from reeltune.evaluation.compare import N_BOOTSTRAP, Interval, checked_figures, portions, sums_by_user
from reeltune.seeding import derive


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

    Users and seeds are both drawn again. Drawing S seeds out of S shows only ``(S - 1) / S`` of their
    variance, so each seed's distance from the mean of the seeds is first stretched by the root of
    ``S / (S - 1)``. With one seed this is the interval over users.

    Args:
        values: One figure a seed and query (or its paired difference).
        users: Whose query each is, [M]; None where each is another user's.
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
        users: Whose query each is, [M]; None where each is another user's.
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
