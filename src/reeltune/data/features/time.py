"""Time between two movies, or a movie and a request, in octaves.

Shapes: B batch, T steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["N_GAP_BUCKETS", "gap_buckets", "request_buckets"]

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
    buckets[:, 1:] = request_buckets(timestamps[:, :-1], timestamps[:, 1:])
    return buckets


def request_buckets(before: Tensor, after: Tensor) -> Tensor:
    """Return the octave of each gap from ``before`` to ``after``, int64 of their shape, 0 where unknown.

    Args:
        before: Seconds, -1 where absent.
        after: Seconds, -1 where absent, of the same shape.
    """
    octave = torch.log2((after - before).clamp(min=0).double() + 1).floor().long() + 1
    is_known = (before >= 0) & (after >= 0)
    return octave.clamp(max=N_GAP_BUCKETS - 1).where(is_known, 0)
