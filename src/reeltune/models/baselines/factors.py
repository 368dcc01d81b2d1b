"""Matrix factorization of who saw what: iALS and BPR, trained by the package ``implicit``.

``implicit`` learns the movies' vectors; a person's vector follows from the history at hand, so a person
whom the training never saw is scored like any other, and a bundle needs numpy only.

Shapes: B batch, U users, V catalogue, D factors.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD
from reeltune.models.baselines.base import (
    Baseline,
    Known,
    RecentConfig,
    as_scores,
    history_matrix,
    interaction_matrix,
)


class IALSConfig(RecentConfig):
    """Configuration of :class:`IALS`."""

    name: Literal["ials"] = "ials"
    """Chooses this baseline."""
    embedding_dim: int = Field(default=64, ge=1, le=2048)
    """Factors of a movie, 1 to 2048."""
    regularization: float = Field(default=10.0, ge=0.0, le=1e5)
    """Penalty on the squared factors, 0 to 1e5."""
    confidence: float = Field(default=10.0, gt=1.0, le=1e4)
    """Weight of a seen movie over one that was not seen, above 1 to 1e4."""
    max_epochs: int = Field(default=15, ge=1, le=1000)
    """Passes of alternating least squares, 1 to 1000."""


class BPRConfig(RecentConfig):
    """Configuration of :class:`BPR`."""

    name: Literal["bpr"] = "bpr"
    """Chooses this baseline."""
    embedding_dim: int = Field(default=64, ge=1, le=2048)
    """Factors of a movie, 1 to 2048."""
    learning_rate: float = Field(default=0.05, gt=0.0, le=10.0)
    """Step of stochastic gradient descent, above 0 to 10."""
    regularization: float = Field(default=0.01, ge=0.0, le=10.0)
    """Penalty on the squared factors, 0 to 10."""
    max_epochs: int = Field(default=30, ge=1, le=10_000)
    """Passes over the events, 1 to 10,000."""
    n_fold_in_steps: int = Field(default=30, ge=1, le=1000)
    """Steps of gradient descent that find the vector of a history, 1 to 1000."""


class _Factors(Baseline, abc.ABC):
    """Vectors of movies, learned from all; the vector of a history is found when it is scored."""

    config: RecentConfig

    def __init__(self, config: Any, vectors: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Take the movies' ``vectors`` [V+1, D] and ``bias`` [V+1]."""
        self.config = config
        self.n_items = len(vectors) - 1
        self._vectors = vectors
        self._bias = bias
        self._prepare()

    def _prepare(self) -> None:
        """Compute what every history needs."""

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return the movies' vectors and biases."""
        return {"vectors": self._vectors, "bias": self._bias}

    @classmethod
    def from_tables(cls, config: Any, tables: Mapping[str, NDArray[Any]]) -> _Factors:
        """Return the baseline that was trained before.

        Raises:
            KeyError: A table is missing.
            ValueError: The tables do not fit each other.
        """
        vectors, bias = tables["vectors"], tables["bias"]
        if vectors.ndim != 2 or len(vectors) != len(bias):
            raise ValueError(f"vectors of shape {vectors.shape} do not fit {len(bias)} biases")
        return cls(config, vectors, bias)


class IALS(_Factors):
    """Weighted least squares on the 0/1 matrix of people and movies, all missing entries counted as 0.

    Minimises ``sum w[u, i] (x[u, i] - p[u] q[i])^2 + regularization (|p|^2 + |q|^2)`` with the weight
    ``confidence`` where the movie was seen and 1 elsewhere. Hu, Koren and Volinsky, 2008,
    https://doi.org/10.1109/ICDM.2008.22; ``implicit``'s AlternatingLeastSquares. A history's vector is
    the exact solution of the same problem; there, weights above 1 fade with ``decay ** (steps back)``.
    """

    config: IALSConfig

    @classmethod
    def fit(cls, config: IALSConfig, known: Known) -> IALS:
        """Return the baseline trained on ``known``."""
        from implicit.cpu.als import AlternatingLeastSquares

        model = _train(
            lambda: AlternatingLeastSquares(
                factors=config.embedding_dim,
                regularization=config.regularization,
                alpha=config.confidence,
                iterations=config.max_epochs,
                num_threads=1,
                random_state=known.seed % 2**31,
            ),
            known,
        )
        vectors = _with_padding(model.item_factors)
        return cls(config, vectors, np.zeros(len(vectors), dtype=np.float32))

    def _prepare(self) -> None:
        identity = np.eye(self._vectors.shape[1], dtype=np.float32)
        self._gram = self._vectors.T @ self._vectors + np.float32(self.config.regularization) * identity

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""
        query = history_matrix(histories, self.n_items, self.config.decay)
        extra = np.float32(self.config.confidence - 1.0)
        people = np.zeros((query.shape[0], self._vectors.shape[1]), dtype=np.float32)  # [B, D]
        for row in range(len(people)):
            own = slice(query.indptr[row], query.indptr[row + 1])
            seen, weight = self._vectors[query.indices[own]], extra * query.data[own]
            left = self._gram + (seen.T * weight) @ seen  # [D, D]
            people[row] = np.linalg.solve(left, seen.T @ (1.0 + weight))
        return as_scores(people @ self._vectors.T)


class BPR(_Factors):
    """Factors that rank a seen movie above one that was not seen.

    Minimises ``-log sigmoid(p[u] (q[i] - q[j]) + b[i] - b[j])`` over seen i and unseen j. Rendle et al.,
    2009, https://arxiv.org/abs/1205.2618; ``implicit``'s BayesianPersonalizedRanking. It has no vector for
    a new history: here gradient descent finds it on the same loss, with the mean movie as j and events
    weighed by ``decay ** (steps back)``.
    """

    config: BPRConfig

    @classmethod
    def fit(cls, config: BPRConfig, known: Known) -> BPR:
        """Return the baseline trained on ``known``."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = _train(
            lambda: BayesianPersonalizedRanking(
                factors=config.embedding_dim,
                learning_rate=config.learning_rate,
                regularization=config.regularization,
                iterations=config.max_epochs,
                num_threads=1,
                random_state=known.seed % 2**31,
            ),
            known,
        )
        factors = _with_padding(model.item_factors)
        return cls(config, np.ascontiguousarray(factors[:, :-1]), np.ascontiguousarray(factors[:, -1]))

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""
        query = history_matrix(histories, self.n_items, self.config.decay)
        query.data /= np.repeat(query.sum(axis=1), np.diff(query.indptr))  # each history weighs 1
        vectors = self._vectors - self._vectors[1:].mean(axis=0)
        bias = self._bias - self._bias[1:].mean()
        rows = np.repeat(np.arange(query.shape[0]), np.diff(query.indptr))  # of each event
        people = np.zeros((query.shape[0], vectors.shape[1]), dtype=np.float32)  # [B, D]
        step = 4.0 / (np.square(vectors).sum(axis=1).max() + 1e-6)  # 1 / the largest curvature of the loss
        for _ in range(self.config.n_fold_in_steps):
            margin = np.einsum("nd,nd->n", people[rows], vectors[query.indices]) + bias[query.indices]
            pull = query.copy()
            pull.data = query.data / (1.0 + np.exp(np.clip(margin, -50, 50)))
            people += step * (pull @ vectors - np.float32(self.config.regularization) * people)
        return as_scores(people @ self._vectors.T + self._bias)


def _train(build: Callable[[], Any], known: Known) -> Any:
    """Return the model of ``implicit`` that ``build`` makes, trained; it looks at BLAS when it is made."""
    from threadpoolctl import threadpool_limits

    seen = interaction_matrix(known.train, known.n_items)[:, 1:]  # [U, V]
    with threadpool_limits(1, "blas"):
        model = build()
        model.fit(_csr_matrix(seen), show_progress=False)
    return model


def _csr_matrix(seen: Any) -> Any:
    from scipy import sparse

    return sparse.csr_matrix(seen)  # implicit knows the older class only


def _with_padding(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``vectors`` [V, D] below a row of zeros for padding, [V+1, D]."""
    padded = np.zeros((len(vectors) + 1, vectors.shape[1]), dtype=np.float32)
    padded[PAD + 1 :] = vectors
    return padded
