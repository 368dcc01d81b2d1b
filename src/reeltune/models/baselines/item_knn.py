"""Movies that the same people saw: nearest neighbours by cosine.

Shapes: B batch, U users, V catalogue.
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
from reeltune.models.baselines.base import (
    Baseline,
    Known,
    RecentConfig,
    as_scores,
    check_square,
    history_matrix,
    interaction_matrix,
)
from reeltune.models.baselines.linear import LinearForm

_BLOCK = 1024
"""Movies whose similarities to all others are in memory at once."""


class ItemKNNConfig(RecentConfig):
    """Configuration of :class:`ItemKNN`."""

    name: Literal["item-knn"] = "item-knn"
    """Chooses this baseline."""
    n_neighbours: int = Field(default=50, ge=1, le=100_000)
    """Most similar movies that are kept of each movie, 1 to 100,000."""
    shrinkage: float = Field(default=10.0, ge=0.0, le=1e6)
    """Added to the denominator of the cosine, 0 to 1e6, which mistrusts movies that few people saw."""


class ItemKNN(Baseline):
    """Scores a movie by its similarity to the movies of the history.

    ``s[a, b] = n(a and b) / (sqrt(n(a) * n(b)) + shrinkage)`` with n the number of people who saw it; of
    each movie a the ``n_neighbours`` most similar others are kept. The score of b is the sum over the
    history of ``decay ** (steps back) * s[a, b]``. Sarwar et al., 2001,
    https://doi.org/10.1145/371920.372071; the shrunken cosine as in Ferrari Dacrema et al., 2019.
    """

    config: ItemKNNConfig

    def __init__(self, config: ItemKNNConfig, similar: sparse.csr_array) -> None:
        """Take the similarities ``similar`` [V+1, V+1] of a seen movie (row) to a candidate (column)."""
        self.config = config
        self.n_items = similar.shape[0] - 1
        self._similar = similar

    @classmethod
    def fit(cls, config: ItemKNNConfig, known: Known) -> ItemKNN:
        """Return the baseline counted on ``known``."""
        seen = interaction_matrix(known.train, known.n_items)  # [U, V+1]
        return cls(config, _nearest(seen, config.n_neighbours, config.shrinkage))

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return what was counted."""
        table = self._similar
        return {
            "similar": table.data,
            "columns": table.indices.astype(np.int32),
            "row_starts": table.indptr.astype(np.int64),
        }

    def linear(self) -> LinearForm:
        """Return the scores as a weighted sum over the history."""
        return LinearForm(np.zeros(self.n_items + 1, np.float32), self._similar, None, self.config.decay)

    @classmethod
    def from_tables(cls, config: ItemKNNConfig, tables: Mapping[str, NDArray[Any]]) -> ItemKNN:
        """Return the baseline that was counted before.

        Raises:
            KeyError: A table is missing.
            ValueError: The tables do not fit each other.
        """
        arrays = (tables["similar"], tables["columns"], tables["row_starts"])
        n_rows = len(tables["row_starts"]) - 1
        return cls(config, check_square(sparse.csr_array(arrays, shape=(n_rows, n_rows))))

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""
        return as_scores(history_matrix(histories, self.n_items, self.config.decay) @ self._similar)


class RecentItemKNNConfig(ItemKNNConfig):
    """Configuration of :class:`RecentItemKNN`."""

    name: Literal["item-knn-recency"] = "item-knn-recency"  # type: ignore[assignment]
    """Chooses this baseline."""
    decay: float = Field(default=0.6, gt=0.0, le=1.0)
    """Weight of a movie a step further back when a history is asked for, above 0 to 1; 1 for all alike."""


class RecentItemKNN(ItemKNN):
    """:class:`ItemKNN` that listens to the latest movies: all it knows of order."""


def _nearest(seen: sparse.csr_array, n_neighbours: int, shrinkage: float) -> sparse.csr_array:
    """Return the shrunken cosines, the largest of each row kept, float32 [V+1, V+1]."""
    by_item = seen.T.tocsr()  # [V+1, U]
    roots = np.sqrt(np.diff(by_item.indptr)).astype(np.float32)  # [V+1]
    blocks = []
    for start in range(0, len(roots), _BLOCK):
        stop = min(start + _BLOCK, len(roots))
        together = (by_item[start:stop] @ seen).toarray()  # [block, V+1]
        bottom = roots[start:stop, None] * roots[None, :] + np.float32(shrinkage)
        near = np.divide(together, bottom, out=np.zeros_like(together), where=bottom > 0)
        near[np.arange(stop - start), np.arange(start, stop)] = 0.0  # a movie is no neighbour of its own
        if n_neighbours < near.shape[1]:
            least = np.partition(near, -n_neighbours, axis=1)[:, -n_neighbours, None]
            near[near < least] = 0.0
        blocks.append(sparse.csr_array(near))
    similar = sparse.vstack(blocks).tocsr()
    similar.eliminate_zeros()
    return similar
