"""Time since the previous movie, in octaves.

Shapes: B batch, T steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["N_GAP_BUCKETS", "gap_buckets"]

N_GAP_BUCKETS = 33
"""0 for an unknown gap, then one for each doubling: bucket 32 starts at 68 years."""


def gap_buckets(timestamps: Tensor) -> Tensor:
    """Return the octave of each step's gap to the step before, int64 of shape [B, T].

    The bucket of a gap of g seconds is ``1 + floor(log2(g + 1))``. It is 0 at the first step and
    where one of the two times is unknown.

    Args:
        timestamps: Seconds, -1 where absent, shape [B, T].

    >>> gap_buckets(torch.tensor([[100, 100, 103, -1, 200]])).tolist()
    [[0, 1, 3, 0, 0]]
    """
    buckets = torch.zeros_like(timestamps)
    before, now = timestamps[:, :-1], timestamps[:, 1:]
    octave = torch.log2((now - before).clamp(min=0).double() + 1).floor().long() + 1
    is_known = (before >= 0) & (now >= 0)
    buckets[:, 1:] = octave.clamp(max=N_GAP_BUCKETS - 1).where(is_known, 0)
    return buckets
