"""What training reports after each epoch, and the files that it keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from reeltune.metrics.registry import ChosenMetric

RECORD = ConfigDict(allow_inf_nan=False, extra="forbid")
"""How records are read: numbers are finite, no field is unknown."""

Count = Annotated[int, Field(strict=True, ge=0)]
"""A field of a record that is a whole number, 0 or more, and no text that looks like one."""

Number = Annotated[float, Field(strict=True)]
"""A field of a record that is a finite number."""

LAST_CHECKPOINT = "last.ckpt"
"""Everything that going on after the latest epoch takes."""

BEST_CHECKPOINT = "best.ckpt"
"""The weights of the best epoch."""

VALIDATION_PREDICTIONS = "validation_predictions.npy"
"""The predicted ratings of the validation targets at the best epoch, float32 [M]."""

VALIDATION_RANKS = "validation_ranks.npy"
"""The ranks of the validation targets at the best epoch, int32 [M]."""


@dataclass(frozen=True)
class EpochReport:
    """The figures of one epoch, counted from 1, or on from where an earlier segment of the training ended."""

    __pydantic_config__ = RECORD

    epoch: Annotated[Count, Field(ge=1)]
    metrics: dict[str, Number]  # validation metrics of this epoch, e.g. {"ndcg@10": .11}; empty in a refit
    best: Number  # best value of the objective so far; 0 in a refit
    train_loss: Number
    seconds: Annotated[Number, Field(ge=0)]  # of this epoch, training and validation
    n_parameters: Count = 0  # of the network as it was made for the data

    def plain(self) -> dict[str, Any]:
        """Return the report as plain Python values."""
        return asdict(self)


Report = Callable[[EpochReport], None]
"""Called after each epoch; an engine may raise through it to stop the trial."""


def best_epoch(epochs: list[EpochReport], objective: ChosenMetric) -> EpochReport:
    """Return the first of ``epochs`` that holds the best value of the objective; the last one of a refit."""
    best = epochs[-1].best
    return next((epoch for epoch in epochs if epoch.metrics.get(objective.label) == best), epochs[-1])


def is_patience_out(epochs: list[EpochReport], objective: ChosenMetric, patience: int) -> bool:
    """Return whether the last ``patience`` epochs brought nothing better."""
    return epochs[-1].epoch - best_epoch(epochs, objective).epoch >= patience
