"""Whom a model serves better or worse: gaps between groups of users, and between kinds of queries.

Shapes: M queries, U users.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reeltune.data.interactions import Users
from reeltune.data.prepared import Queries
from reeltune.evaluation.compare import (
    SIGNIFICANCE,
    Interval,
    bootstrap_means,
    checked_figures,
    sums_by_user,
)
from reeltune.evaluation.statistics import holm
from reeltune.metrics.lists import profile_means

MIN_USERS = 30
"""People that a group needs before a figure is given: below, one user moves it by more than 3 %."""

N_DRAWS = 2000
"""Bootstrap resamples of each group: there are many groups, and the test does not rest on them."""

AGES = (18, 25, 35, 45, 50, 56)
"""First years of the age brackets after the youngest, those of MovieLens-1M."""

COLD_EVENTS = (20, 50, 100, 200)
"""Movies in a history at which the next bracket begins."""


@dataclass(frozen=True)
class Grouping:
    """A group for each query."""

    name: str
    labels: tuple[str, ...]
    codes: NDArray[np.int64]  # [M] place in ``labels``; -1 unknown


@dataclass(frozen=True)
class GroupFigure:
    """What one group gets."""

    label: str
    n_users: int
    figure: Interval | None = None  # None where there are too few users
    gap: Interval | None = None  # mean of the group minus mean of all others
    p_value: float | None = None  # Welch's test of the gap, after Holm's correction over the groups

    @property
    def is_enough(self) -> bool:
        """Whether enough users are in the group to say anything."""
        return self.figure is not None


@dataclass(frozen=True)
class GroupReport:
    """The groups of one grouping under one metric."""

    grouping: str
    metric: str
    groups: tuple[GroupFigure, ...]
    n_unknown: int  # users of no known group
    min_users: int

    @property
    def widest(self) -> float | None:
        """The best group's mean minus the worst's, None with fewer than two groups of enough users."""
        values = [group.figure.value for group in self.groups if group.figure is not None]
        return max(values) - min(values) if len(values) > 1 else None

    def verdict(self) -> str:
        """Return in words whether any group differs from the others."""
        enough = [group for group in self.groups if group.is_enough]
        if len(enough) < 2:
            return f"{self.grouping}: cannot be said, fewer than two groups have {self.min_users} people"
        apart = [
            f"{group.label} {group.gap.value:+.4f}"
            for group in enough
            if group.gap is not None and group.p_value is not None and group.p_value < SIGNIFICANCE
        ]
        over = f"{self.metric.upper()} between groups by {self.grouping}"
        if not apart:
            return f"{over}: no gap that chance would not explain (widest {self.widest:.4f})"
        return f"{over}: " + ", ".join(apart) + " against everyone else"

    def plain(self) -> dict[str, Any]:
        """Return the report as plain Python values."""
        return asdict(self) | {"verdict": self.verdict(), "widest": self.widest}


def group_report(
    values: ArrayLike,
    users: ArrayLike,
    grouping: Grouping,
    *,
    metric: str,
    min_users: int = MIN_USERS,
    seed: int = 0,
) -> GroupReport:
    """Return the mean of ``values`` in each group, and its gap to everyone else.

    Groups of fewer than ``min_users`` users get no figure: it would say more about them one by one
    than about the group, and would name users nearly.

    Args:
        values: One figure a query, [M]; NaN where unknown, left out.
        users: Whose query each is, [M].
        grouping: The groups.
        metric: Name of the figure.
        min_users: Fewest users of a group.
        seed: Origin of the draws.

    Raises:
        ConfigError: A figure is infinite.
    """
    array, who = np.asarray(values, dtype=np.float64), np.asarray(users)
    is_known = ~np.isnan(array)
    array, who, codes = array[is_known], who[is_known], grouping.codes[is_known]
    groups = [
        _figure(array, who, codes, (code, label), min_users=min_users, seed=seed)
        for code, label in enumerate(grouping.labels)
    ]
    adjusted = holm({group.label: group.p_value for group in groups if group.p_value is not None})
    return GroupReport(
        grouping=grouping.name,
        metric=metric,
        groups=tuple(replace(group, p_value=adjusted.get(group.label)) for group in groups),
        n_unknown=len(np.unique(who[codes < 0])),
        min_users=min_users,
    )


def user_groupings(queries: Queries, known: Users, counts: NDArray[np.int64]) -> list[Grouping]:
    """Return the groupings of the queries by who asks: those that the data know.

    Gender, age and occupation are the source's; activity is the length of the history, and
    mainstreamness the mean popularity of its movies, both in thirds of the users.

    Args:
        queries: Histories and targets.
        known: What the source knows of the users, by row of the sequences.
        counts: How often each movie was seen, [V+1].
    """
    found = []
    if known.genders:
        found.append(_by_name("gender", known.genders, queries.user))
    if known.ages:
        labels = (f"under {AGES[0]}", *(f"{a} to {b - 1}" for a, b in itertools.pairwise(AGES)))
        ages = np.array(known.ages)[queries.user]
        codes = np.where(ages < 0, -1, np.searchsorted(AGES, ages, side="right"))
        found.append(Grouping("age", (*labels, f"{AGES[-1]} and over"), codes))
    if known.occupations:
        found.append(_by_name("occupation", known.occupations, queries.user))
    lengths = (queries.end - queries.sequences.offsets[queries.user]).astype(np.float64)
    thirds = ("least active third", "middle third", "most active third")
    found.append(_in_thirds("activity", lengths, thirds))
    thirds = ("most niche third", "middle third", "most mainstream third")
    found.append(_in_thirds("mainstreamness", profile_means(queries, counts), thirds))
    return found


def query_groupings(queries: Queries, counts: NDArray[np.int64]) -> list[Grouping]:
    """Return the groupings of the queries by how hard they are: cold users and rare movies apart.

    Args:
        queries: Histories and targets.
        counts: How often each movie was seen, [V+1].
    """
    lengths = queries.end - queries.sequences.offsets[queries.user]
    between = (f"{a} to {b - 1}" for a, b in itertools.pairwise(COLD_EVENTS))
    labels = (f"under {COLD_EVENTS[0]} movies", *between, f"{COLD_EVENTS[-1]} and more")
    cold = Grouping("length of history", labels, np.searchsorted(COLD_EVENTS, lengths, side="right"))
    # The head is what takes half of all views; the other half is halved again into middle and tail.
    order = np.argsort(-counts[1:], kind="stable")
    share = np.cumsum(counts[1:][order]) / max(counts[1:].sum(), 1)
    part = np.zeros(len(counts), dtype=np.int64)
    part[order + 1] = np.searchsorted([0.5, 0.8], share, side="left")
    names = ("popular: half of all views", "middle: the next 30 %", "rare: the last 20 %")
    return [cold, Grouping("popularity of the target", names, part[queries.target])]


def _figure(
    array: NDArray[np.float64],
    who: NDArray[Any],
    codes: NDArray[np.int64],
    group: tuple[int, str],
    *,
    min_users: int,
    seed: int,
) -> GroupFigure:
    code, label = group
    inside, outside = codes == code, (codes >= 0) & (codes != code)
    n_users = len(np.unique(who[inside]))
    if n_users < max(min_users, 2):
        return GroupFigure(label, n_users)
    mine = bootstrap_means(array[inside], users=who[inside], seed=seed, n_draws=N_DRAWS)
    figure = _interval(float(array[inside].mean()), mine)
    if len(np.unique(who[outside])) < max(min_users, 2):
        return GroupFigure(label, n_users, figure)
    others = bootstrap_means(array[outside], users=who[outside], seed=seed + 1, n_draws=N_DRAWS)
    gap = _interval(float(array[inside].mean() - array[outside].mean()), mine - others)
    return GroupFigure(label, n_users, figure, gap, _welch(array, who, inside, outside))


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _welch(
    array: NDArray[np.float64], who: NDArray[Any], inside: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> float:
    means = []
    for part in (inside, outside):
        sums, counts = sums_by_user(checked_figures(array[part]), who[part])
        means.append(sums / counts)
    if all(np.ptp(each) == 0 for each in means):
        return 1.0 if means[0][0] == means[1][0] else 0.0
    return float(stats.ttest_ind(means[0], means[1], equal_var=False).pvalue)


def _by_name(name: str, values: Sequence[str], users: NDArray[np.int32]) -> Grouping:
    labels = tuple(sorted({value for value in values if value}))
    place = {label: i for i, label in enumerate(labels)}
    codes = np.array([place.get(value, -1) for value in values], dtype=np.int64)
    return Grouping(name, labels, codes[users])


def _in_thirds(name: str, values: NDArray[np.float64], labels: tuple[str, ...]) -> Grouping:
    is_known = np.isfinite(values)
    cuts = np.quantile(values[is_known], [1 / 3, 2 / 3]) if is_known.any() else np.zeros(2)
    return Grouping(name, labels, np.where(is_known, np.searchsorted(cuts, values, side="left"), -1))
