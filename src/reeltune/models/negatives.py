"""Movies drawn to stand for the catalogue in a sampled loss.

Shapes: K negatives, V catalogue.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reeltune.data.prepared import PAD


class NegativeSampler:
    """Draws movies with replacement, with chances in proportion to ``(count + 1) ** exponent``.

    The exponent goes from 0, every movie alike, to 1, by popularity, as in GRU4Rec (Hidasi and Karatzoglou,
    2018, https://arxiv.org/abs/1706.03847). One draw serves all rows of a batch, so that the scores are one
    matrix product.
    """

    def __init__(self, counts: Tensor, exponent: float) -> None:
        """Take how often each movie was seen, ``counts`` [V+1]."""
        weights = (counts.double() + 1.0) ** exponent
        weights[PAD] = 0.0
        chances = weights / weights.sum()
        self.chances = chances.float()  # [V+1]

    def draw(self, n_negatives: int) -> tuple[Tensor, Tensor]:
        """Return K movies, [K] int64, and the log of how often each is expected in the draw, [K]."""
        items = torch.multinomial(self.chances, n_negatives, replacement=True)
        return items, torch.log(self.chances[items] * n_negatives)

    def to(self, device: torch.device) -> NegativeSampler:
        """Move the chances to ``device`` and return the same sampler."""
        self.chances = self.chances.to(device)
        return self
