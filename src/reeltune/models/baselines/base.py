"""What every baseline offers, and the matrix of weighted histories that most of them ask with.

Shapes: B batch, T steps, V catalogue.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


class BaselineConfig(Config):
    """Base of the baselines' configs; each has the field ``name``."""

    name: str
    """Name in the registry of baselines."""


class RecentConfig(BaselineConfig):
    """Base of the configs of baselines that weigh the movies of a history by their age."""

    decay: float = Field(default=1.0, gt=0.0, le=1.0)
    """Weight of a movie a step further back when a history is asked for, above 0 to 1; 1 for all alike."""


@dataclass(frozen=True)
class Known:
    """What a baseline may be fitted to."""

    train: Sequences
    n_items: int
    seed: int = 0
    """Origin of all randomness of those that are trained."""
    terms: Callable[[], Sequence[Sequence[str]]] | None = None
    """Gives the words, genres and people of each movie, [V]; None where only the ids are known."""


class Baseline(abc.ABC):
    """A recommender that is fitted in one go; it satisfies :class:`reeltune.models.base.Scorer`."""

    config: BaselineConfig
    n_items: int

    @classmethod
    @abc.abstractmethod
    def fit(cls, config: Any, known: Known) -> Baseline:
        """Return the baseline fitted to ``known``."""

    @abc.abstractmethod
    def tables(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, as arrays by name; :meth:`from_tables` takes them back."""

    @classmethod
    @abc.abstractmethod
    def from_tables(cls, config: Any, tables: Mapping[str, NDArray[Any]]) -> Baseline:
        """Return the baseline that was fitted before.

        Raises:
            KeyError: A table is missing.
            ValueError: The tables do not fit each other.
        """

    def linear(self) -> LinearForm | None:
        """Return the same scores as a weighted sum over the history; None where they are none."""
        return None

    @abc.abstractmethod
    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""


def history_matrix(histories: Histories, n_items: int, decay: float) -> sparse.csr_array:
    """Return ``decay ** (steps back)`` of each movie of each history, float32 [B, V+1]; repeats add up."""
    items = histories.items.numpy()
    steps_back = histories.lengths.numpy()[:, None] - 1 - np.arange(items.shape[1])  # [B, T]
    is_event = items != PAD
    weights = np.float32(decay) ** steps_back[is_event].astype(np.float32)
    places = (np.nonzero(is_event)[0], items[is_event])
    return sparse.csr_array((weights, places), shape=(len(items), n_items + 1))


def interaction_matrix(train: Sequences, n_items: int) -> sparse.csr_array:
    """Return 1 where a person saw a movie, however often, float32 [U, V+1]."""
    user = np.repeat(np.arange(train.n_users), train.lengths)  # [N]
    ones = np.ones(train.n_events, dtype=np.float32)
    seen = sparse.csr_array((ones, (user, train.items)), shape=(train.n_users, n_items + 1))
    seen.sum_duplicates()
    seen.data[:] = 1.0
    return seen


def as_scores(products: Any) -> Tensor:
    """Return an array [B, V+1] as scores; column 0 (padding) becomes minus infinity."""
    dense = products.toarray() if sparse.issparse(products) else products
    scores = torch.from_numpy(np.ascontiguousarray(dense, dtype=np.float32))
    scores[:, PAD] = float("-inf")
    return scores


def check_square(table: sparse.csr_array) -> sparse.csr_array:
    """Return ``table`` after checking its indices.

    Raises:
        ValueError: They do not fit.
    """
    table.check_format(full_check=True)
    return table
