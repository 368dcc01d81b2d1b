"""From the state of a network to scores of the catalogue.

Shapes: B batch, T steps, S state, D embedding, V catalogue.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reeltune.data.prepared import PAD


class CatalogueHead(nn.Module):
    """Projects a state to the width of the movie embeddings and normalises it.

    The scores are the products of the result with the output embeddings, by default those of the
    input (tied weights, Press and Wolf, 2017, https://arxiv.org/abs/1608.05859), plus a bias for each
    movie. The normalisation holds the scale of the scores while the one-cycle schedule is at its peak.
    """

    def __init__(self, n_items: int, state_dim: int, embedding_dim: int, *, has_bias: bool = True) -> None:
        super().__init__()
        self.projection = nn.Linear(state_dim, embedding_dim)
        self.norm = nn.LayerNorm(embedding_dim)
        self.bias = nn.Parameter(torch.zeros(n_items + 1)) if has_bias else None

    def forward(self, states: Tensor) -> Tensor:
        """Return the queries of ``states`` [..., S], shape [..., D]."""
        queries: Tensor = self.norm(self.projection(states))
        return queries


def catalogue_scores(queries: Tensor, item_vectors: Tensor, item_bias: Tensor | None) -> Tensor:
    """Return the score of each movie, shape [B, V+1]; column 0 (padding) is minus infinity.

    Args:
        queries: [B, D].
        item_vectors: [V+1, D].
        item_bias: [V+1] or None.
    """
    scores = queries @ item_vectors.T  # [B, V+1]
    if item_bias is not None:
        scores = scores + item_bias
    scores[:, PAD] = float("-inf")
    return scores
