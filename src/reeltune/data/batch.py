"""The tensors that networks and baselines read.

Shapes: B batch, T steps, C columns of a profile. Rows are padded on the right with ``PAD``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor


class Movable:
    """Base of the batches: a frozen dataclass whose tensors go to a device together."""

    def to(self, device: torch.device | str) -> Self:
        """Return the batch on ``device``; from pinned memory to a GPU without waiting.

        Work that is queued on the GPU later sees the whole copy.
        """
        return self._each(lambda tensor: tensor.to(device, non_blocking=torch.device(device).type == "cuda"))

    def pin_memory(self) -> Self:
        """Return the batch in pinned memory, from which a GPU copies while it computes."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        changed = {
            name: change(value) if isinstance(value, Tensor) else value._each(change)
            for name, value in vars(self).items()
            if isinstance(value, Tensor | Movable)
        }
        return replace(self, **changed)  # type: ignore[type-var]


@dataclass(frozen=True)
class Histories(Movable):
    """A batch of histories, oldest event first, padded on the right."""

    items: Tensor  # [B, T] int64, PAD after the last event
    lengths: Tensor  # [B] int64, events in each row
    ratings: Tensor | None = None  # [B, T] float32, NaN where absent
    timestamps: Tensor | None = None  # [B, T] int64 seconds, -1 where absent
    asked: Tensor | None = None  # [B, T] int64 seconds when what follows each event was asked for, -1 absent
    sentiment: Tensor | None = None  # [B, T] float32 -1 to 1 of the reviews, NaN where absent
    profiles: Tensor | None = None  # [B, C] int64 codes of age group, gender and occupation, 0 unknown
    whole: Histories | None = None
    """Where users stand in the batch several times: the longest history of each of W users. A network reads
    these instead, and takes the states after each row's events from them. None for no such thing."""
    rows: Tensor | None = None  # [B] int64, the row of ``whole`` that begins with this history

    def last(self, n_steps: int) -> Histories:
        """Return the batch with each row cut to its last ``n_steps`` events, still padded on the right."""
        if self.items.shape[1] <= n_steps:
            return self
        starts = (self.lengths - n_steps).clamp(min=0)  # [B]
        columns = starts[:, None] + torch.arange(n_steps, device=self.items.device)  # [B, T']
        columns = columns.clamp(max=self.items.shape[1] - 1)
        lengths = self.lengths.clamp(max=n_steps)
        inside = torch.arange(n_steps, device=self.items.device) < lengths[:, None]

        def cut(events: Tensor | None, absent: float) -> Any:
            return None if events is None else events.gather(1, columns).where(inside, absent)

        return replace(
            self,
            items=cut(self.items, 0),
            lengths=lengths,
            ratings=cut(self.ratings, float("nan")),
            timestamps=cut(self.timestamps, -1),
            asked=cut(self.asked, -1),
            sentiment=cut(self.sentiment, float("nan")),
            whole=None,
            rows=None,
        )


@dataclass(frozen=True)
class TrainingBatch(Movable):
    """Histories with the next movie at each position."""

    histories: Histories
    targets: Tensor  # [B, T] int64, the next movie at each position; PAD where there is none
