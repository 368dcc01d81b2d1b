"""The loss of next-movie prediction over the whole catalogue.

Shapes: N positions, D embedding, V catalogue.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["softmax_loss"]


def softmax_loss(
    queries: Tensor,
    item_vectors: Tensor,
    item_bias: Tensor | None,
    targets: Tensor,
    *,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the mean cross entropy of the full softmax, a scalar.

    ``mean_n(-sum_v q[n, v] * log softmax(queries[n] @ item_vectors[1:].T + item_bias[1:])[v])``
    with ``q`` 1 - e at the target plus e / V everywhere, e the label smoothing. Padding is no
    candidate.

    Args:
        queries: [N, D].
        item_vectors: [V+1, D]; row 0 belongs to padding and is left out.
        item_bias: [V+1] or None.
        targets: [N] int64, 1..V.
        label_smoothing: Share of the target's mass that is spread over the catalogue.
    """
    bias = None if item_bias is None else item_bias[1:]
    logits = functional.linear(queries, item_vectors[1:], bias)  # [N, V]
    return functional.cross_entropy(logits, targets - 1, label_smoothing=label_smoothing)
