"""The one function that makes ranks of scores.

Shapes: B batch, T steps, V catalogue.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reeltune.data.prepared import PAD
from reeltune.errors import DivergedError

__all__ = ["target_ranks"]


def target_ranks(scores: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
    """Return the rank of each target among the movies not seen, 1 is best, int64 of shape [B].

    Ties count against the target (pessimistic): the rank is 1 plus the number of other unseen
    movies that do not score less. So a constant scorer ranks every target last, and a score that is
    not a number never helps. A target that was seen before stays a candidate.

    Args:
        scores: [B, V+1] float; column 0 (padding) is no candidate.
        targets: [B] int64, 1..V.
        seen: [B, T] int64, movies to remove; padding is ignored, repetitions do no harm.

    Raises:
        DivergedError: A target's score is not finite.
    """
    at_target = scores.gather(1, targets[:, None])  # [B, 1]
    if not bool(torch.isfinite(at_target).all()):
        bad = at_target[~torch.isfinite(at_target)][0].item()
        raise DivergedError(f"the score of a target is {bad}, not a finite number; lower the learning rate")
    is_candidate = torch.ones_like(scores, dtype=torch.bool)  # [B, V+1]
    is_candidate[:, PAD] = False
    is_candidate.scatter_(1, seen, value=False)
    is_candidate.scatter_(1, targets[:, None], value=False)
    return 1 + (is_candidate & ~(scores < at_target)).sum(dim=1)
