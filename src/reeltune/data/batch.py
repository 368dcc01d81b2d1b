"""The tensors that networks and baselines read.

Shapes: B batch, T steps, C columns of a profile. Rows are padded on the right with ``PAD``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Histories", "TrainingBatch"]


@dataclass(frozen=True)
class Histories:
    """A batch of histories, oldest event first, padded on the right."""

    items: Tensor  # [B, T] int64, PAD after the last event
    lengths: Tensor  # [B] int64, events in each row
    ratings: Tensor | None = None  # [B, T] float32 stars, NaN where absent
    timestamps: Tensor | None = None  # [B, T] int64 seconds, -1 where absent
    sentiment: Tensor | None = None  # [B, T] float32 -1 to 1 of the reviews, NaN where absent
    profiles: Tensor | None = None  # [B, C] int64 codes of what the people tell of themselves, 0 unknown

    def to(self, device: torch.device | str) -> Histories:
        """Return the batch on ``device``."""
        return Histories(*(None if t is None else t.to(device) for t in self._tensors()))  # type: ignore[arg-type]

    def last(self, n_steps: int) -> Histories:
        """Return the batch with each row cut to its last ``n_steps`` events, still padded on the right."""
        if self.items.shape[1] <= n_steps:
            return self
        starts = (self.lengths - n_steps).clamp(min=0)  # [B]
        columns = starts[:, None] + torch.arange(n_steps, device=self.items.device)  # [B, T']
        columns = columns.clamp(max=self.items.shape[1] - 1)
        lengths = self.lengths.clamp(max=n_steps)
        inside = torch.arange(n_steps, device=self.items.device) < lengths[:, None]
        items = self.items.gather(1, columns).where(inside, 0)
        ratings, timestamps, sentiment = (
            None if column is None else column.gather(1, columns)
            for column in (self.ratings, self.timestamps, self.sentiment)
        )
        return Histories(items, lengths, ratings, timestamps, sentiment, self.profiles)

    def _tensors(self) -> tuple[Tensor | None, ...]:
        return self.items, self.lengths, self.ratings, self.timestamps, self.sentiment, self.profiles


@dataclass(frozen=True)
class TrainingBatch:
    """Histories with the next movie at each position."""

    histories: Histories
    targets: Tensor  # [B, T] int64, the next movie at each position; PAD where there is none

    def to(self, device: torch.device | str) -> TrainingBatch:
        """Return the batch on ``device``."""
        return TrainingBatch(self.histories.to(device), self.targets.to(device))
