"""Transition counts between movies: the plain chain and the windowed one.

Shapes: B batch, T steps, N events, V catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from torch import Tensor

from reeltune.config import Config
from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD, Sequences
from reeltune.models.baselines.linear import LinearForm
from reeltune.models.baselines.popularity import count_items

__all__ = ["Markov", "MarkovConfig"]


class MarkovConfig(Config):
    """Reach and decay of transition counts."""

    max_lag: int = Field(default=20, ge=1, le=1000)
    """Steps between two movies of a history that still count as a transition, 1 to 1000."""
    n_recent: int = Field(default=30, ge=1, le=1000)
    """Last movies of a history that are asked for their transitions, 1 to 1000."""
    decay: float = Field(default=0.7, gt=0.0, le=1.0)
    """Weight of a step more, in counting and in asking, above 0 to 1."""
    shrinkage: float = Field(default=100.0, ge=0.0, le=1e6)
    """Transitions added to each row's sum, 0 to 1e6, which mistrusts rarely seen movies."""
    popularity_weight: float = Field(default=1e-6, ge=0.0, le=1.0)
    """Weight of a movie's share of all events, 0 to 1, which orders movies that no transition tells apart."""


class Markov:
    """Scores movies by decayed transition counts from the recent ones.

    ``T[a, b] += decay ** (lag - 1)`` for every a before b at lags 1 to ``max_lag`` in a history, each
    row divided by (its sum + ``shrinkage``); the score of b is the sum over the last ``n_recent``
    movies a of ``decay ** (steps back) * T[a, b]``, plus ``popularity_weight`` times the share of b.
    With one lag, one recent movie and no shrinkage it is the first-order Markov chain.
    """

    def __init__(self, config: MarkovConfig, train: Sequences, n_items: int) -> None:
        self.config = config
        self.n_items = n_items
        self._transitions = _transitions(config, train, n_items)  # [V+1, V+1]
        counts = count_items(train, n_items)  # [V+1]
        self._prior = config.popularity_weight * counts / counts.sum()  # [V+1]

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return what was counted, as arrays by name; :meth:`from_tables` takes them back."""
        table = self._transitions
        return {
            "transitions": table.data,
            "columns": table.indices.astype(np.int32),
            "row_starts": table.indptr.astype(np.int64),
            "prior": self._prior.numpy(),
        }

    def linear(self) -> LinearForm:
        """Return the scores as a weighted sum over the recent movies."""
        return LinearForm(self._prior.numpy(), self._transitions, self.config.n_recent, self.config.decay)

    @classmethod
    def from_tables(cls, config: MarkovConfig, tables: Mapping[str, NDArray[Any]]) -> Markov:
        """Return the baseline that was counted before.

        Raises:
            KeyError: A table is missing.
            ValueError: The tables do not fit each other.
        """
        markov = cls.__new__(cls)
        markov.config = config
        markov._prior = torch.from_numpy(tables["prior"])
        markov.n_items = len(markov._prior) - 1
        arrays = (tables["transitions"], tables["columns"], tables["row_starts"])
        markov._transitions = sparse.csr_array(arrays, shape=(markov.n_items + 1, markov.n_items + 1))
        markov._transitions.check_format(full_check=True)
        return markov

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""
        recent = histories.last(self.config.n_recent)
        items = recent.items.numpy()
        steps_back = recent.lengths.numpy()[:, None] - 1 - np.arange(items.shape[1])  # [B, T]
        is_event = items != PAD
        weights = self.config.decay ** steps_back[is_event].astype(np.float32)
        query = sparse.csr_array(
            (weights, (np.nonzero(is_event)[0], items[is_event])), shape=(len(items), self.n_items + 1)
        )
        scores = torch.from_numpy((query @ self._transitions).toarray()) + self._prior
        scores[:, PAD] = float("-inf")
        return scores


def _transitions(config: MarkovConfig, train: Sequences, n_items: int) -> sparse.csr_array:
    """Return the transition weights, rows divided by their shrunken sums, float32 [V+1, V+1]."""
    user = np.repeat(np.arange(train.n_users), train.lengths)  # [N]
    shape = (n_items + 1, n_items + 1)
    counts = sparse.csr_array(shape, dtype=np.float64)
    for lag in range(1, config.max_lag + 1):
        is_same: NDArray[np.bool_] = user[lag:] == user[:-lag]
        before, after = train.items[:-lag][is_same], train.items[lag:][is_same]
        weights = np.full(len(before), config.decay ** (lag - 1))
        counts = counts + sparse.csr_array((weights, (before, after)), shape=shape)
    sums = counts.sum(axis=1) + config.shrinkage
    rows = sparse.diags_array(np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0))
    return (rows @ counts).tocsr().astype(np.float32)
