"""The most seen movies, the same for everyone.

Shapes: B batch, V catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD, Sequences
from reeltune.models.baselines.base import Baseline, BaselineConfig, Known
from reeltune.models.baselines.linear import LinearForm


def count_items(train: Sequences, n_items: int) -> Tensor:
    """Return how often each movie was seen, float32 of shape [V+1]."""
    counts = np.bincount(train.items, minlength=n_items + 1)
    return torch.from_numpy(counts.astype(np.float32))


class PopularityConfig(BaselineConfig):
    """Configuration of :class:`Popularity`: there is nothing to choose."""

    name: Literal["popularity"] = "popularity"
    """Chooses this baseline."""


class Popularity(Baseline):
    """Scores a movie by the number of times it was seen in training."""

    def __init__(self, config: PopularityConfig, counts: Tensor) -> None:
        """Take the ``counts`` of all movies, [V+1]."""
        self.config = config
        self.n_items = len(counts) - 1
        self._scores = counts.clone()  # [V+1]
        self._scores[PAD] = float("-inf")

    @classmethod
    def fit(cls, config: PopularityConfig, known: Known) -> Popularity:
        """Return the baseline counted on ``known``."""
        return cls(config, count_items(known.train, known.n_items))

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return what was counted."""
        return {"scores": self._scores.numpy()}

    def linear(self) -> LinearForm:
        """Return the counts as scores that no history moves."""
        return LinearForm(self._scores.numpy())

    @classmethod
    def from_tables(cls, config: PopularityConfig, tables: Mapping[str, NDArray[Any]]) -> Popularity:
        """Return the baseline that was counted before.

        Raises:
            KeyError: The table is missing.
        """
        return cls(config, torch.from_numpy(tables["scores"]))

    def scores(self, histories: Histories) -> Tensor:
        """Return the counts for every row, [B, V+1]."""
        return self._scores.repeat(len(histories.items), 1)
