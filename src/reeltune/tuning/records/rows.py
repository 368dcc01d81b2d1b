"""What a trial tells: one report an epoch, one result at the end, one row on disk."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any

from reeltune.training.epochs import EpochReport, Report

__all__ = ["EpochReport", "Report", "TrialResult", "TrialRow", "TrialState"]


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

    number: int
    state: TrialState
    reason: str
    params: dict[str, Any]  # the searched parameters, by dotted name
    config: dict[str, Any]  # the whole resolved trial configuration
    seed: int
    value: float | None = None  # objective at the best epoch
    best_epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    n_epochs: int = 0  # of its own
    n_parameters: int = 0
    seconds: float = 0.0
    parent: int | None = None  # trial whose weights it began with; None for fresh ones
    start_epoch: int = 0  # epochs that those weights were trained for

    def plain(self) -> dict[str, Any]:
        """Return the row as plain Python values."""
        return asdict(self) | {"state": str(self.state)}

    @classmethod
    def from_plain(cls, value: dict[str, Any]) -> TrialRow:
        """Return the row that :meth:`plain` wrote."""
        return cls(**(value | {"state": TrialState(value["state"])}))
