"""The most seen movies, the same for everyone.

Shapes: B batch, V catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD, Sequences
from reeltune.models.baselines.linear import LinearForm

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

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return what was counted, as arrays by name; :meth:`from_tables` takes them back."""
        return {"scores": self._scores.numpy()}

    def linear(self) -> LinearForm:
        """Return the counts as scores that no history moves."""
        return LinearForm(self._scores.numpy())

    @classmethod
    def from_tables(cls, tables: Mapping[str, NDArray[Any]]) -> Popularity:
        """Return the baseline that was counted before.

        Raises:
            KeyError: The table is missing.
        """
        popularity = cls.__new__(cls)
        popularity._scores = torch.from_numpy(tables["scores"])
        popularity.n_items = len(popularity._scores) - 1
        return popularity

    def scores(self, histories: Histories) -> Tensor:
        """Return the counts for every row, [B, V+1]."""
        return self._scores.repeat(len(histories.items), 1)
