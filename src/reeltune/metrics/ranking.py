"""Ranking metrics as functions of ranks; one target a query.

Shapes: M queries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from reeltune.errors import ConfigError, unknown_name

__all__ = [
    "METRICS",
    "ChosenMetric",
    "MetricLabel",
    "RankingMetric",
    "hit_rate",
    "mrr",
    "ndcg",
    "parse_metric",
    "per_query",
    "precision",
    "ranking_metrics",
    "recall",
]

Ranks = NDArray[np.integer[Any]]
Values = NDArray[np.float64]


def hit_rate(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k]`` of each query, shape [M]; with one target a query it equals recall@k."""
    return (ranks <= k).astype(np.float64)


def precision(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k] / k`` of each query, shape [M]: the share of the list that is relevant.

    With one relevant movie a query it cannot exceed ``1 / k``.
    """
    shares: Values = hit_rate(ranks, k) / k
    return shares


def recall(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k]`` of each query, shape [M]: the share of the relevant movies that are listed.

    One movie is relevant to a query, so it equals :func:`hit_rate`.
    """
    return hit_rate(ranks, k)


def ndcg(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k] / log2(rank + 1)`` of each query, shape [M].

    Normalised discounted cumulative gain (Jarvelin and Kekalainen, 2002) for one relevant movie,
    whose ideal gain is 1.
    """
    gains: Values = hit_rate(ranks, k) / np.log2(ranks + 1.0)
    return gains


def mrr(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k] / rank`` of each query, shape [M]: the reciprocal rank cut at k."""
    return hit_rate(ranks, k) / ranks


@dataclass(frozen=True)
class RankingMetric:
    """A metric of one query's rank and its direction."""

    function: Callable[[Ranks, int], Values]
    higher_is_better: bool
    description: str


METRICS: dict[str, RankingMetric] = {
    "hr": RankingMetric(hit_rate, True, "share of queries whose target is among the first k"),
    "ndcg": RankingMetric(ndcg, True, "discounted gain of the target's place among the first k"),
    "mrr": RankingMetric(mrr, True, "reciprocal rank of the target, 0 beyond k"),
    "precision": RankingMetric(precision, True, "share of the first k that are the target"),
    "recall": RankingMetric(recall, True, "share of the targets among the first k; one a query, so hr"),
}

ROUTINE = ("hr", "ndcg", "mrr")
"""Metrics of every epoch; the others follow from them."""


@dataclass(frozen=True)
class ChosenMetric:
    """A metric of the registry with its cut."""

    name: str  # as in METRICS
    k: int

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is better."""
        return METRICS[self.name].higher_is_better

    @property
    def label(self) -> str:
        """The spelling of the metric, e.g. ``ndcg@10``."""
        return f"{self.name}@{self.k}"

    def per_query(self, ranks: Ranks) -> Values:
        """Return the metric of each query, shape [M]."""
        return METRICS[self.name].function(ranks, self.k)


def parse_metric(label: str) -> ChosenMetric:
    """Return the metric that ``label`` spells, ``NAME@K`` with K of at least 1.

    >>> parse_metric("ndcg@10").k
    10

    Raises:
        ConfigError: The label has another form or the name is unknown.
    """
    match = re.fullmatch(r"([a-z_]+)@([1-9][0-9]*)", label)
    if match is None:
        example = ", ".join(f"{name}@10" for name in METRICS)
        raise ConfigError(f"metric {label!r} is not of the form NAME@K; write one like {example}")
    name, k = match.group(1), int(match.group(2))
    if name not in METRICS:
        raise ConfigError(unknown_name("metric", name, METRICS))
    return ChosenMetric(name, k)


def _checked_label(label: str) -> str:
    try:
        return parse_metric(label).label
    except ConfigError as error:
        raise ValueError(str(error)) from error  # what pydantic turns into a line of its own


MetricLabel = Annotated[str, AfterValidator(_checked_label)]
"""A config field that spells a metric, ``NAME@K``."""


def per_query(ranks: Ranks, label: str) -> Values:
    """Return the metric ``label`` (e.g. ``ndcg@10``) of each query, shape [M]."""
    return parse_metric(label).per_query(ranks)


def ranking_metrics(
    ranks: Ranks, ks: Sequence[int] = (10,), names: Sequence[str] = ROUTINE
) -> dict[str, float]:
    """Return the mean of each metric at each cut, ``{"hr@10": .., "ndcg@10": .., "mrr@10": ..}``.

    Args:
        ranks: Rank of each query's target, [M].
        ks: The cuts.
        names: Metrics of the registry.

    Raises:
        ValueError: There are no ranks to average.
    """
    if len(ranks) == 0:
        raise ValueError("no queries: the mean of no ranks is undefined")
    chosen = [ChosenMetric(name, k) for k in ks for name in names]
    return {metric.label: float(metric.per_query(ranks).mean()) for metric in chosen}
