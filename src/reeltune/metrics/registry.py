"""The one METRICS: name -> how it is computed, from what, and which direction is better.

What has a name here can be measured of every scorer, and be an objective or a limit of a study.

Shapes: M queries, K length of a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from reeltune.data.prepared import TuningData
from reeltune.errors import ConfigError, unknown_name
from reeltune.metrics.evaluate import latency_ms, model_megabytes
from reeltune.metrics.lists import Lists, coverage, item_surprise, novelty
from reeltune.metrics.rating import Stars, rating_errors

Ranks = NDArray[np.integer[Any]]
"""Ranks of the targets, counted from 1, one target a query."""

Values = NDArray[np.float64]


def _hit_rate(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k]`` of each query, [M]; with one relevant movie a query it equals recall@k."""
    return (ranks <= k).astype(np.float64)


def _precision(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k] / k`` of each query, [M]; with one relevant movie it cannot exceed ``1 / k``."""
    shares: Values = _hit_rate(ranks, k) / k
    return shares


def _ndcg(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k] / log2(rank + 1)`` of each query, [M].

    Normalised discounted cumulative gain (Jarvelin and Kekalainen, 2002) for one relevant movie,
    whose ideal gain is 1.
    """
    gains: Values = _hit_rate(ranks, k) / np.log2(ranks + 1.0)
    return gains


def _mrr(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k] / rank`` of each query, [M]: the reciprocal rank cut at k."""
    return _hit_rate(ranks, k) / ranks


@dataclass(frozen=True)
class Evidence:
    """What metrics are computed from: a model and what it gave on the validation queries of ``data``."""

    ranks: Ranks  # of the targets, [M]
    lists: Lists  # the first movies of each query, [M, K]; may be empty where no metric needs them
    scorer: Any  # a network or a baseline
    data: TuningData
    predicted: Stars | None = None  # ratings of the rated targets, [M']; None where movies are ranked
    actual: Stars | None = None  # their truth, [M']

    @classmethod
    def of_ratings(cls, predicted: Stars, actual: Stars, model: Any, data: TuningData) -> Evidence:
        """Return the evidence of a model that predicts ratings and ranks nothing."""
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none[:, None], model, data, predicted, actual)


@dataclass(frozen=True)
class Metric:
    """How a metric is computed, its direction, and what it needs."""

    compute: Callable[[Evidence, int], float]
    higher_is_better: bool
    needs: Literal["ranks", "lists", "scorer", "ratings"]
    description: str
    per_query: Callable[[Ranks, int], Values] | None = None
    """One value a query, where the metric is a mean of these."""
    has_cut: bool = True
    """Whether it is spelled NAME@K."""
    is_fixed: bool = False
    """Whether training does not change it: it is measured once a trial."""


def _ranking(function: Callable[[Ranks, int], Values], description: str) -> Metric:
    def compute(evidence: Evidence, k: int) -> float:
        return float(function(evidence.ranks, k).mean())

    return Metric(compute, True, "ranks", description, per_query=function)


def _rating(name: str, description: str) -> Metric:
    def compute(evidence: Evidence, _: int) -> float:
        if evidence.predicted is None or evidence.actual is None:
            others = ", ".join(RANKING_METRICS)
            raise ConfigError(f"{name} is a metric of predicted ratings, movies are ranked; use {others}")
        return rating_errors(evidence.predicted, evidence.actual)[name]

    return Metric(compute, False, "ratings", description, has_cut=False)


METRICS: dict[str, Metric] = {
    "hr": _ranking(_hit_rate, "share of queries whose target is among the first k"),
    "ndcg": _ranking(_ndcg, "discounted gain of the target's place among the first k"),
    "mrr": _ranking(_mrr, "reciprocal rank of the target, 0 beyond k"),
    "precision": _ranking(_precision, "share of the first k that are the target"),
    "recall": _ranking(_hit_rate, "share of the targets among the first k; one a query, so hr"),
    "coverage": Metric(
        lambda of, k: coverage(of.lists[:, :k], of.data.n_items),
        higher_is_better=True,
        needs="lists",
        description="share of the catalogue that is in anybody's first k",
    ),
    "novelty": Metric(
        lambda of, k: novelty(of.lists[:, :k], item_surprise(of.data.train, of.data.n_items)),
        higher_is_better=True,
        needs="lists",
        description="mean bits of surprise of the movies among the first k",
    ),
    "rmse": _rating("rmse", "root of the mean squared error of predicted ratings, in stars"),
    "mae": _rating("mae", "mean absolute error of predicted ratings, in stars"),
    "model_megabytes": Metric(
        lambda of, _: model_megabytes(of.scorer),
        higher_is_better=False,
        needs="scorer",
        description="weights and tables of the model in 10^6 bytes",
        has_cut=False,
        is_fixed=True,
    ),
    "latency_ms": Metric(
        lambda of, _: latency_ms(of.scorer, of.data.validation),
        higher_is_better=False,
        needs="scorer",
        description="median milliseconds to score the catalogue for one user",
        has_cut=False,
        is_fixed=True,
    ),
}

RANKING_METRICS = tuple(name for name, metric in METRICS.items() if metric.needs == "ranks")
"""Names of the metrics that follow from ranks."""

RATING_METRICS = tuple(name for name, metric in METRICS.items() if metric.needs == "ratings")
"""Names of the metrics of predicted ratings."""

ROUTINE = ("hr", "ndcg", "mrr")
"""Metrics of every epoch, at 10 and at every cut that is asked for."""


@dataclass(frozen=True)
class ChosenMetric:
    """A metric of the registry with its cut."""

    name: str  # as in METRICS
    k: int = 0  # 0 where the metric has no cut

    @property
    def entry(self) -> Metric:
        """The registry's entry."""
        return METRICS[self.name]

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is better."""
        return self.entry.higher_is_better

    @property
    def is_ranking(self) -> bool:
        """Whether it follows from ranks."""
        return self.entry.needs == "ranks"

    @property
    def label(self) -> str:
        """The spelling, e.g. ``ndcg@10`` or ``latency_ms``."""
        return f"{self.name}@{self.k}" if self.k else self.name

    def per_query(self, ranks: Ranks) -> Values:
        """Return the metric of each query, shape [M]."""
        function = self.entry.per_query
        if function is None:
            raise ConfigError(f"{self.label} is no mean over queries; use one like ndcg@10")
        return function(ranks, self.k)


def parse_metric(label: str) -> ChosenMetric:
    """Return the metric that ``label`` spells: ``NAME@K`` with K of at least 1, or a name without a cut.

    >>> parse_metric("ndcg@10").k, parse_metric("latency_ms").higher_is_better
    (10, False)
    """
    name, at, cut = label.partition("@")
    if name not in METRICS:
        raise ConfigError(unknown_name("metric", name, METRICS))
    if not METRICS[name].has_cut:
        if at:
            raise ConfigError(f"metric {label!r} has no cut; write {name}")
        return ChosenMetric(name)
    if not re.fullmatch(r"[1-9][0-9]{0,5}", cut):
        raise ConfigError(f"metric {label!r} needs a cut from 1 to 999999; write {name}@10")
    return ChosenMetric(name, int(cut))


def _of(needs: Container[str], otherwise: str = "") -> AfterValidator:
    """Return the check of a config field: a metric that needs one of ``needs``, spelled as it should be."""

    def checked(label: str) -> str:
        try:
            metric = parse_metric(label)
        except ConfigError as error:
            raise ValueError(str(error)) from error  # what pydantic turns into a line of its own
        if metric.entry.needs not in needs:
            raise ValueError(f"{label} {otherwise}")
        return metric.label

    return AfterValidator(checked)


_NO_RANKS = f"does not follow from ranks; use one of {', '.join(RANKING_METRICS)} with @K"
_NO_RATINGS = f"is no metric of predicted ratings; use {' or '.join(RATING_METRICS)}"

MetricLabel = Annotated[str, _of({metric.needs for metric in METRICS.values()})]
"""A config field that spells a metric."""

RankingLabel = Annotated[str, _of({"ranks"}, _NO_RANKS)]
"""A config field that spells a metric of ranks, ``NAME@K``."""

RatingLabel = Annotated[str, _of({"ratings"}, _NO_RATINGS)]
"""A config field that spells a metric of predicted ratings."""

ObjectiveLabel = Annotated[str, _of({"ranks", "ratings"}, _NO_RANKS)]
"""A config field that spells what may choose a trial's best epoch: a metric of ranks or of ratings."""


def per_query(ranks: Ranks, label: str) -> Values:
    """Return the metric ``label`` (e.g. ``ndcg@10``) of each query, shape [M]."""
    return parse_metric(label).per_query(ranks)


def ranking_metrics(
    ranks: Ranks, ks: Iterable[int] = (10,), names: Sequence[str] = ROUTINE
) -> dict[str, float]:
    """Return the mean of each metric at each cut, ``{"hr@10": .., "ndcg@10": .., "mrr@10": ..}``.

    Raises:
        ValueError: There are no ranks to average.
    """
    if len(ranks) == 0:
        raise ValueError("no queries: the mean of no ranks is undefined")
    chosen = [ChosenMetric(name, k) for k in ks for name in names]
    return {metric.label: float(metric.per_query(ranks).mean()) for metric in chosen}


def list_length(labels: Iterable[str]) -> int:
    """Return how many movies of each query's list the metrics ``labels`` need; 0 for none."""
    return max((m.k for m in map(parse_metric, labels) if m.entry.needs == "lists"), default=0)


def measure(labels: Iterable[str], evidence: Evidence, known: Mapping[str, float] = {}) -> dict[str, float]:
    """Return the routine metrics and those in ``labels``, by label.

    Args:
        labels: What is asked for.
        evidence: What the metrics are computed from; its lists have at least :func:`list_length` movies.
        known: Metrics of an earlier epoch: those that training does not change are taken from it, so that
            a trial that resumes after a kill does not report another time of scoring.
    """
    chosen = [parse_metric(label) for label in labels]
    if evidence.predicted is None:
        values = ranking_metrics(evidence.ranks, sorted({10, *(m.k for m in chosen if m.is_ranking)}))
    else:
        values = {name: METRICS[name].compute(evidence, 0) for name in RATING_METRICS}
    for metric in chosen:
        if metric.entry.is_fixed and metric.label in known:
            values[metric.label] = known[metric.label]
        elif metric.label not in values:
            values[metric.label] = metric.entry.compute(evidence, metric.k)
    return values
