"""A linear autoencoder in closed form.

Shapes: B batch, U users, V catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD
from reeltune.errors import DataError
from reeltune.models.baselines.base import (
    Baseline,
    Known,
    RecentConfig,
    as_scores,
    history_matrix,
    interaction_matrix,
)
from reeltune.models.baselines.linear import LinearForm

MAX_ITEMS = 20_000
"""Largest catalogue: its dense matrix takes 3.2 GB to invert."""


class EASEConfig(RecentConfig):
    """Configuration of :class:`EASE`."""

    name: Literal["ease"] = "ease"
    """Chooses this baseline."""
    regularization: float = Field(default=200.0, gt=0.0, le=1e6)
    """Penalty on the squared weights, above 0 to 1e6."""


class EASE(Baseline):
    """Scores a movie by a linear model of the other movies that a person saw.

    ``B = I - P / diag(P)`` with ``P = inverse(X^T X + regularization * I)`` and X the 0/1 matrix of people
    and movies; the score of b is the sum over the history of ``decay ** (steps back) * B[a, b]``. Steck,
    2019, https://arxiv.org/abs/1905.03375.
    """

    config: EASEConfig

    def __init__(self, config: EASEConfig, weights: NDArray[np.float32]) -> None:
        """Take the ``weights`` [V+1, V+1] of a seen movie (row) for a candidate (column)."""
        self.config = config
        self.n_items = len(weights) - 1
        self._weights = weights

    @classmethod
    def fit(cls, config: EASEConfig, known: Known) -> EASE:
        """Return the baseline solved for ``known``.

        Raises:
            DataError: The catalogue is too large for a dense matrix.
        """
        if known.n_items > MAX_ITEMS:
            raise DataError(
                f"EASE inverts a dense matrix of all movies: {known.n_items:,} are more than {MAX_ITEMS:,}; "
                "raise k_core, or leave ease out"
            )
        seen = interaction_matrix(known.train, known.n_items)
        gram = (seen.T @ seen).toarray().astype(np.float64)  # [V+1, V+1]
        np.fill_diagonal(gram, gram.diagonal() + config.regularization)
        inverse = np.linalg.inv(gram)
        weights = (-inverse / inverse.diagonal()).astype(np.float32)
        np.fill_diagonal(weights, 0.0)
        weights[PAD], weights[:, PAD] = 0.0, 0.0
        return cls(config, weights)

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return the solved weights."""
        return {"weights": self._weights}

    def linear(self) -> LinearForm:
        """Return the scores as a weighted sum over the history."""
        return LinearForm(np.zeros(self.n_items + 1, np.float32), self._weights, None, self.config.decay)

    @classmethod
    def from_tables(cls, config: EASEConfig, tables: Mapping[str, NDArray[Any]]) -> EASE:
        """Return the baseline that was solved before.

        Raises:
            KeyError: The table is missing.
            ValueError: It is not square.
        """
        weights = tables["weights"]
        if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
            raise ValueError(f"the weights have the shape {weights.shape}, not that of a square")
        return cls(config, weights)

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""
        return as_scores(history_matrix(histories, self.n_items, self.config.decay) @ self._weights)
