"""What is known of a trial: one report an epoch, one result at the end, one row on disk."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from reeltune.training.epochs import RECORD, Count, EpochReport, Number


class TrialState(enum.StrEnum):
    """How a trial stands; each finished trial has one of the last four."""

    RUNNING = "running"
    COMPLETE = "complete"
    """Ran all its epochs, or its own early stopping ended it."""
    STOPPED = "stopped"
    """The scheduler stopped it."""
    DIVERGED = "diverged"
    """A loss or score was not finite."""
    FAILED = "failed"
    """An error ended it."""

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will be run for the trial."""
        return self is not TrialState.RUNNING


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended, from inside."""

    state: TrialState
    reason: str  # why it ended, in words
    best_epoch: int  # 0 when no epoch was finished
    metrics: dict[str, float]  # at the best epoch
    n_epochs: int
    n_parameters: int
    seconds: float


@dataclass(frozen=True)
class TrialRow:
    """A trial as the study folder keeps it in ``trials/NNNNN/trial.json``."""

    __pydantic_config__ = RECORD

    number: Count
    state: TrialState
    reason: str
    params: dict[str, Any]  # the searched parameters, by dotted name
    config: dict[str, Any]  # the whole resolved trial configuration
    seed: Count
    value: Number | None = None  # objective at the best epoch
    best_epoch: Count = 0
    metrics: dict[str, Number] = field(default_factory=dict)
    n_epochs: Count = 0  # of its own
    n_parameters: Count = 0
    seconds: Annotated[Number, Field(ge=0)] = 0.0
    parent: Count | None = None  # trial whose weights it began with; None for fresh ones
    start_epoch: Count = 0  # epochs that those weights were trained for

    def plain(self) -> dict[str, Any]:
        """Return the row as plain Python values."""
        return asdict(self) | {"state": str(self.state)}

    @classmethod
    def from_plain(cls, value: Any) -> TrialRow:
        """Return the row that :meth:`plain` wrote.

        Raises:
            ValueError: A field is absent, unknown, of another type or not finite.
        """
        return _ROW.validate_python(value)

    def ended(
        self, state: TrialState, reason: str, epochs: Sequence[EpochReport], objective: str, *, is_max: bool
    ) -> TrialRow:
        """Return the row of the trial that ended after ``epochs``, with the metrics of the best one."""
        choose = max if is_max else min
        measured = [epoch for epoch in epochs if objective in epoch.metrics]
        best = choose(measured, key=lambda epoch: epoch.metrics[objective]) if measured else None
        return replace(
            self,
            state=state,
            reason=reason,
            value=best.metrics[objective] if best else None,
            best_epoch=best.epoch if best else 0,
            metrics=dict(best.metrics) if best else {},
            n_epochs=len(epochs),
            seconds=sum(epoch.seconds for epoch in epochs),
        )


_ROW = TypeAdapter(TrialRow)
