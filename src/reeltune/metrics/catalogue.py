"""Figures of the lists that people would be shown, whatever their targets are.

Shapes: B batch, T steps, M queries, K length of a list, V catalogue.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltune.data.prepared import PAD

__all__ = ["coverage", "novelty", "surprise", "top_items"]


def top_items(scores: Tensor, seen: Tensor, k: int) -> Tensor:
    """Return the ``k`` best movies that are not ``seen``, best first, int64 of shape [B, K].

    Where fewer than ``k`` are left the row ends in PAD.

    Args:
        scores: [B, V+1] float; column 0 (padding) is no candidate.
        seen: [B, T] int64, movies to remove; padding is ignored.
        k: Length of a list, cut to the catalogue.
    """
    hidden = scores.scatter(1, seen, -torch.inf)
    hidden[:, PAD] = -torch.inf
    best = hidden.topk(min(k, scores.shape[1] - 1), dim=1)
    return best.indices.where(best.values > -torch.inf, PAD)


def coverage(lists: NDArray[np.int64], n_items: int) -> float:
    """Return the share of the catalogue that stands in at least one of ``lists`` [M, K], 0 to 1.

    Catalogue coverage (Ge et al., 2010, "Beyond accuracy"), over the queries of the split.
    """
    return float(np.count_nonzero(np.bincount(lists.ravel(), minlength=n_items + 1)[1:]) / n_items)


def novelty(lists: NDArray[np.int64], bits: NDArray[np.float64]) -> float:
    """Return the mean of ``bits`` [V+1] over the movies of ``lists`` [M, K]; see :func:`surprise`."""
    listed = lists[lists != PAD]
    return float(bits[listed].mean()) if len(listed) else 0.0


def surprise(n_people: NDArray[np.int64], n_users: int) -> NDArray[np.float64]:
    """Return ``-log2`` of the share of people who know each movie, in bits, float64 of shape [V+1].

    The self-information of Zhou et al. (2010, https://doi.org/10.1073/pnas.1000488107). A movie that
    nobody has seen counts as seen by half a person.

    Args:
        n_people: [V+1] people with the movie in their training events, 0 for PAD.
        n_users: People in all.
    """
    bits: NDArray[np.float64] = -np.log2(np.maximum(n_people, 0.5) / n_users)
    return bits
