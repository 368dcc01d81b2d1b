"""Ranking metrics as functions of ranks, counted from 1; one target a query.

Shapes: M queries.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ranks", "Values", "hit_rate", "mrr", "ndcg", "precision", "recall"]

Ranks = NDArray[np.integer[Any]]
Values = NDArray[np.float64]


def hit_rate(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k]`` of each query, shape [M]; with one target a query it equals recall@k."""
    return (ranks <= k).astype(np.float64)


def precision(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k] / k`` of each query, shape [M]: the share of the list that is relevant.

    With one relevant movie a query it cannot exceed ``1 / k``.
    """
    shares: Values = hit_rate(ranks, k) / k
    return shares


def recall(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k]`` of each query, shape [M]: the share of the relevant movies that are listed.

    One movie is relevant to a query, so it equals :func:`hit_rate`.
    """
    return hit_rate(ranks, k)


def ndcg(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k] / log2(rank + 1)`` of each query, shape [M].

    Normalised discounted cumulative gain (Jarvelin and Kekalainen, 2002) for one relevant movie,
    whose ideal gain is 1.
    """
    gains: Values = hit_rate(ranks, k) / np.log2(ranks + 1.0)
    return gains


def mrr(ranks: Ranks, k: int) -> Values:
    """Return ``[rank <= k] / rank`` of each query, shape [M]: the reciprocal rank cut at k."""
    return hit_rate(ranks, k) / ranks
