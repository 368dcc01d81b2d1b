"""The most seen movies, the same for everyone.

Shapes: B batch, V catalogue.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD, Sequences

__all__ = ["Popularity", "count_items"]


def count_items(train: Sequences, n_items: int) -> Tensor:
    """Return how often each movie was seen, float32 of shape [V+1]."""
    counts = np.bincount(train.items, minlength=n_items + 1)
    return torch.from_numpy(counts.astype(np.float32))


class Popularity:
    """Scores a movie by the number of times it was seen in training."""

    def __init__(self, train: Sequences, n_items: int) -> None:
        self.n_items = n_items
        self._scores = count_items(train, n_items)  # [V+1]
        self._scores[PAD] = float("-inf")

    def scores(self, histories: Histories) -> Tensor:
        """Return the counts for every row, [B, V+1]."""
        return self._scores.repeat(len(histories.items), 1)
