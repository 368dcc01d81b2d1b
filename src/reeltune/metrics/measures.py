"""What a study may aim at or limit, by name: ranking metrics, figures of lists, size and speed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from reeltune.errors import ConfigError, unknown_name
from reeltune.metrics.ranking import METRICS, parse_metric

__all__ = ["MEASURES", "ChosenMeasure", "Measure", "MeasureLabel", "parse_measure"]


@dataclass(frozen=True)
class Measure:
    """A figure of a network that no rank of a target tells."""

    higher_is_better: bool
    has_cut: bool  # spelled NAME@K
    description: str


MEASURES: dict[str, Measure] = {
    "coverage": Measure(True, True, "share of the catalogue that is in anybody's first k"),
    "novelty": Measure(True, True, "mean bits of surprise of the movies among the first k"),
    "model_megabytes": Measure(False, False, "weights and tables of the network in 10^6 bytes"),
    "latency_ms": Measure(False, False, "median milliseconds to score the catalogue for one person"),
}


@dataclass(frozen=True)
class ChosenMeasure:
    """A measure with its cut."""

    name: str
    k: int | None
    higher_is_better: bool
    is_ranking: bool

    @property
    def label(self) -> str:
        """The spelling, e.g. ``coverage@10`` or ``latency_ms``."""
        return self.name if self.k is None else f"{self.name}@{self.k}"


def parse_measure(label: str) -> ChosenMeasure:
    """Return the measure that ``label`` spells.

    >>> parse_measure("coverage@10").k, parse_measure("latency_ms").higher_is_better
    (10, False)

    Raises:
        ConfigError: The name is unknown, a cut is missing, or there is one where none belongs.
    """
    name, at, cut = label.partition("@")
    if name in METRICS:
        metric = parse_metric(label)
        return ChosenMeasure(metric.name, metric.k, metric.higher_is_better, is_ranking=True)
    if name not in MEASURES:
        raise ConfigError(unknown_name("measure", name, [*METRICS, *MEASURES]))
    measure = MEASURES[name]
    if not measure.has_cut and at:
        raise ConfigError(f"measure {label!r} has no cut; write {name}")
    if measure.has_cut and not re.fullmatch(r"[1-9][0-9]*", cut):
        raise ConfigError(f"measure {label!r} needs a cut of at least 1; write {name}@10")
    return ChosenMeasure(name, int(cut) if at else None, measure.higher_is_better, is_ranking=False)


def _checked_label(label: str) -> str:
    try:
        return parse_measure(label).label
    except ConfigError as error:
        raise ValueError(str(error)) from error  # what pydantic turns into a line of its own


MeasureLabel = Annotated[str, AfterValidator(_checked_label)]
"""A config field that spells a measure."""
