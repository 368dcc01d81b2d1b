"""The form that linear baselines share.

Shapes: B batch, T steps, V catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True)
class LinearForm:
    """Scores as a weighted sum over a history: what can be written as one graph of matrices.

    The score of movie b is the sum over the last ``n_recent`` movies a of
    ``decay ** (steps back) * matrix[a, b]``, plus ``prior[b]``.
    """

    prior: NDArray[np.float32]  # [V+1]; the column of padding counts for nothing
    matrix: NDArray[np.float32] | sparse.csr_array | None = None  # [V+1, V+1] from history to score; or zeros
    n_recent: int | None = None  # None for the whole history
    decay: float = 1.0

    @property
    def n_items(self) -> int:
        """Number of movies V."""
        return len(self.prior) - 1

    def dense(self) -> NDArray[np.float32] | None:
        """Return the matrix with its zeros, float32 [V+1, V+1]."""
        table = self.matrix
        return table.toarray().astype(np.float32) if isinstance(table, sparse.csr_array) else table
