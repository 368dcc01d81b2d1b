"""What a study reports while it runs; the engine knows no terminal."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.search.goal import Goal


class Outcome(enum.StrEnum):
    """How a run of a study ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    TIME_OVER = "time over"


@dataclass(frozen=True)
class StudyProgress:
    """Where a study stands when a run of it begins."""

    name: str
    goal: Goal
    n_trials: int  # wanted in all
    concurrency: int
    rows: tuple[TrialRow, ...]  # known at the start, finished and unfinished
    epochs: dict[int, tuple[EpochReport, ...]]  # of the unfinished ones, by trial number
    usual: Mapping[str, Any] = field(default_factory=dict)  # the default configuration's point of the space

    @property
    def objective(self) -> str:
        """Label of the first objective."""
        return self.goal.first


class Observer(Protocol):
    """Hears what happens, in order; called in the driver's main thread."""

    def study_started(self, progress: StudyProgress) -> None:
        """Hear that a run begins."""

    def trial_started(self, row: TrialRow, max_epochs: int) -> None:
        """Hear that a trial begins or goes on."""

    def epoch_ended(self, number: int, report: EpochReport) -> None:
        """Hear of an epoch that was not known before."""

    def trial_interrupted(self, number: int, reason: str) -> None:
        """Hear that a trial lost its worker and starts again from its last checkpoint."""

    def trial_ended(self, row: TrialRow) -> None:
        """Hear that a trial is finished."""

    def noted(self, text: str) -> None:
        """Hear something about the run that a person wants to know."""

    def study_ended(self) -> None:
        """Hear that the run is over, for whatever reason."""


class SilentObserver:
    """Hears and says nothing."""

    def study_started(self, progress: StudyProgress) -> None:
        """Do nothing."""

    def trial_started(self, row: TrialRow, max_epochs: int) -> None:
        """Do nothing."""

    def epoch_ended(self, number: int, report: EpochReport) -> None:
        """Do nothing."""

    def trial_interrupted(self, number: int, reason: str) -> None:
        """Do nothing."""

    def trial_ended(self, row: TrialRow) -> None:
        """Do nothing."""

    def noted(self, text: str) -> None:
        """Do nothing."""

    def study_ended(self) -> None:
        """Do nothing."""
