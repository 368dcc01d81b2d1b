"""Transition counts between movies: the plain chain and the windowed one.

Shapes: B batch, N events, V catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.data.prepared import Sequences
from reeltune.models.baselines.base import (
    Baseline,
    BaselineConfig,
    Known,
    as_scores,
    check_square,
    history_matrix,
)
from reeltune.models.baselines.linear import LinearForm
from reeltune.models.baselines.popularity import count_items


class MarkovConfig(BaselineConfig):
    """Reach and decay of transition counts."""

    name: Literal["windowed-markov"] = "windowed-markov"
    """Chooses this baseline."""
    max_lag: int = Field(default=20, ge=1, le=1000)
    """Steps between two movies of a history that still count as a transition, 1 to 1000."""
    n_recent: int = Field(default=30, ge=1, le=1000)
    """Last movies of a history that are asked for their transitions, 1 to 1000."""
    decay: float = Field(default=0.7, gt=0.0, le=1.0)
    """Weight of a step more, in counting and in asking, above 0 to 1."""
    shrinkage: float = Field(default=100.0, ge=0.0, le=1e6)
    """Transitions added to each row's sum, 0 to 1e6, which mistrusts rarely seen movies."""
    popularity_weight: float = Field(default=1e-6, ge=0.0, le=1.0)
    """Weight of a movie's share of all events, 0 to 1, for movies that no transition distinguishes."""


class Markov(Baseline):
    """Scores movies by decayed transition counts from the recent ones.

    ``T[a, b] += decay ** (lag - 1)`` for every a before b at lags 1 to ``max_lag`` in a history, each
    row divided by (its sum + ``shrinkage``); the score of b is the sum over the last ``n_recent``
    movies a of ``decay ** (steps back) * T[a, b]``, plus ``popularity_weight`` times the share of b.
    With one lag, one recent movie and no shrinkage it is the first-order Markov chain.
    """

    config: MarkovConfig

    def __init__(
        self, config: MarkovConfig, transitions: sparse.csr_array, prior: NDArray[np.float32]
    ) -> None:
        """Take the weighted ``transitions`` [V+1, V+1] and the weighted shares ``prior`` [V+1]."""
        self.config = config
        self.n_items = len(prior) - 1
        self._transitions = transitions
        self._prior = prior

    @classmethod
    def fit(cls, config: MarkovConfig, known: Known) -> Markov:
        """Return the baseline counted on ``known``."""
        counts = count_items(known.train, known.n_items).numpy()  # [V+1]
        prior = (config.popularity_weight * counts / counts.sum()).astype(np.float32)
        return cls(config, _transitions(config, known.train, known.n_items), prior)

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return what was counted."""
        table = self._transitions
        return {
            "transitions": table.data,
            "columns": table.indices.astype(np.int32),
            "row_starts": table.indptr.astype(np.int64),
            "prior": self._prior,
        }

    def linear(self) -> LinearForm:
        """Return the scores as a weighted sum over the recent movies."""
        return LinearForm(self._prior, self._transitions, self.config.n_recent, self.config.decay)

    @classmethod
    def from_tables(cls, config: MarkovConfig, tables: Mapping[str, NDArray[Any]]) -> Markov:
        """Return the baseline that was counted before.

        Raises:
            KeyError: A table is missing.
            ValueError: The tables do not fit each other.
        """
        arrays = (tables["transitions"], tables["columns"], tables["row_starts"])
        n_rows = len(tables["prior"])
        return cls(config, check_square(sparse.csr_array(arrays, shape=(n_rows, n_rows))), tables["prior"])

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""
        query = history_matrix(histories.last(self.config.n_recent), self.n_items, self.config.decay)
        return as_scores((query @ self._transitions).toarray() + self._prior)


class FirstOrderConfig(MarkovConfig):
    """Configuration of :class:`FirstOrderMarkov`: one lag, the last movie, plain relative frequencies."""

    name: Literal["markov"] = "markov"  # type: ignore[assignment]
    """Chooses this baseline."""
    max_lag: int = Field(default=1, ge=1, le=1000)
    """Steps between two movies of a history that still count as a transition, 1 to 1000."""
    n_recent: int = Field(default=1, ge=1, le=1000)
    """Last movies of a history that are asked for their transitions, 1 to 1000."""
    shrinkage: float = Field(default=0.0, ge=0.0, le=1e6)
    """Transitions added to each row's sum, 0 to 1e6."""
    # Many counts of one lag are equal: float32 distinguishes this weight, and a transition outweighs it.
    popularity_weight: float = Field(default=1e-3, ge=0.0, le=1.0)
    """Weight of a movie's share of all events, 0 to 1, for movies that no transition distinguishes."""


class FirstOrderMarkov(Markov):
    """The chain of single steps: what most often came directly after the last movie."""


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
