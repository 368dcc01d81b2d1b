"""What a study wants: objectives in order of weight, and limits that the winner must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field, model_validator

from reeltune.config import Config
from reeltune.metrics.registry import parse_metric


class Limit(Config):
    """The range that a measure must keep."""

    min: float | None = Field(default=None)
    """Smallest value allowed; None for none."""
    max: float | None = Field(default=None)
    """Largest value allowed; None for none."""

    @model_validator(mode="after")
    def _check(self) -> Limit:
        if self.min is None and self.max is None:
            raise ValueError("a limit needs min, max or both, e.g. {max: 2}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}; swap them")
        return self

    def excess(self, value: float) -> float:
        """Return how far ``value`` lies outside, as a share of the limit it breaks; at most 0 inside."""
        sides = []
        if self.max is not None:
            sides.append((value - self.max) / (abs(self.max) or 1.0))
        if self.min is not None:
            sides.append((self.min - value) / (abs(self.min) or 1.0))
        return max(sides)

    def in_words(self) -> str:
        """Return the limit in words.

        >>> Limit(max=2.0).in_words(), Limit(min=0.1, max=0.5).in_words()
        ('at most 2', 'from 0.1 to 0.5')
        """
        if self.min is None:
            return f"at most {self.max:g}"
        return f"at least {self.min:g}" if self.max is None else f"from {self.min:g} to {self.max:g}"


@dataclass(frozen=True)
class Goal:
    """Objectives, the first of which chooses a trial's best epoch, and limits by measure."""

    objectives: tuple[str, ...]
    limits: Mapping[str, Limit] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """Label of the first objective."""
        return self.objectives[0]

    @property
    def is_multiple(self) -> bool:
        """Whether there are several objectives."""
        return len(self.objectives) > 1

    @property
    def higher_is_better(self) -> tuple[bool, ...]:
        """Direction of each objective."""
        return tuple(parse_metric(label).higher_is_better for label in self.objectives)

    @property
    def extra_measures(self) -> tuple[str, ...]:
        """Labels that a trial must measure besides the ranking metrics of every epoch."""
        labels = dict.fromkeys((*self.objectives[1:], *self.limits))
        return tuple(label for label in labels if label != self.first)

    def values(self, metrics: Mapping[str, float]) -> tuple[float, ...] | None:
        """Return the objectives among ``metrics``, None where one is missing."""
        if any(label not in metrics for label in self.objectives):
            return None
        return tuple(metrics[label] for label in self.objectives)

    def losses(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return the objectives with the sign that makes smaller better."""
        values = [metrics[label] for label in self.objectives]
        return tuple(-v if up else v for v, up in zip(values, self.higher_is_better, strict=True))

    def excesses(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return for each limit how far ``metrics`` lie outside; above 0 breaks it, as a missing one does."""
        return {
            label: limit.excess(metrics[label]) if label in metrics else 1.0
            for label, limit in self.limits.items()
        }

    def violation(self, metrics: Mapping[str, float]) -> float:
        """Return the sum of what is beyond the limits, 0 where all are kept."""
        return sum(max(excess, 0.0) for excess in self.excesses(metrics).values())

    def broken(self, metrics: Mapping[str, float]) -> list[str]:
        """Return in words which limits ``metrics`` break, e.g. ``model_megabytes 2.71, at most 2``."""
        return [
            f"{label} {metrics[label]:.4g}, {self.limits[label].in_words()}"
            if label in metrics
            else f"{label} unknown, {self.limits[label].in_words()}"
            for label, excess in self.excesses(metrics).items()
            if excess > 0
        ]
