"""The cross-entropy over the whole catalogue, with its gradient, one chunk of rows at a time.

The logits of a batch (8,192 positions x 3,416 movies are 112 MB) never exist at once: each chunk
of rows goes through product, softmax and both gradient products while it is in the cache. That
saves memory, and it is faster than one piece, whose temporaries are fresh pages of the operating
system each time (``benchmarks/kernels.py`` measures both).

Shapes: N rows (positions of a batch with a target), D embedding, V catalogue, C rows of a chunk.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from reeltune.models.kernels.products import ProductPrecision, product_type

# 2**20 logits of 4 bytes: product and softmax of one chunk stay in the second- and third-level cache
# (Zen 4 at V = 3,416, D = 64: 256 rows 85 GF/s, 1,024 rows 55 GF/s).
CHUNK_CELLS = 1 << 20
# A GPU wants larger pieces: 2**26 logits are 256 MB.
CHUNK_CELLS_GPU = 1 << 26
# Fewer rows than this leave the matrix products starved whatever the catalogue.
LEAST_CHUNK_ROWS = 32
LOG2_E = math.log2(math.e)


def full_softmax_loss(
    states: Tensor,
    item_vectors: Tensor,
    item_bias: Tensor | None,
    targets: Tensor,
    *,
    label_smoothing: float = 0.0,
    precision: ProductPrecision = "same",
) -> Tensor:
    """Return the mean cross-entropy of the next movie against the whole catalogue, a scalar.

    With logits ``l = states @ item_vectors.T + item_bias`` over movies 1..V and smoothing ``e``::

        loss = mean over rows of  logsumexp(l) - (1 - e) * l[target] - e * mean(l)

    which equals ``torch.nn.functional.cross_entropy`` on the logits of movies 1..V. The gradient is
    computed together with the loss, so there is no second derivative.

    Args:
        states: Query of each position, [N, D] with N >= 1.
        item_vectors: Output embeddings, [V+1, D]; row 0 belongs to padding, takes no part, gets no gradient.
        item_bias: Bias of each movie, [V+1], or None.
        targets: The next movie of each row, [N] int64 in 1..V.
        label_smoothing: Share of the target spread evenly over the catalogue, 0 to 1.
        precision: "same" multiplies in the type of ``states``; "bfloat16" rounds the factors of the three
            matrix products and the logits; sums and softmax stay in the type of ``states``. Autocast
            implies it.
    """
    is_rounded = product_type(states, precision) == torch.bfloat16
    if states.dtype in {torch.bfloat16, torch.float16}:
        states = states.float()
    loss: Tensor = _FullSoftmax.apply(  # type: ignore[no-untyped-call]
        states, item_vectors, item_bias, targets, label_smoothing, is_rounded
    )
    return loss


class _Gradients(NamedTuple):
    """Sums over rows of the derivative of each row's loss."""

    states: Tensor  # [N, D]
    vectors: Tensor  # [V+1, D]
    bias: Tensor  # [V+1]


class _FullSoftmax(Function):
    @staticmethod
    def forward(  # noqa: PLR0917  autograd passes by position
        ctx: Any,
        states: Tensor,
        item_vectors: Tensor,
        item_bias: Tensor | None,
        targets: Tensor,
        label_smoothing: float,
        is_rounded: bool,
    ) -> Tensor:
        gradients = None
        if any(ctx.needs_input_grad[:3]):
            gradients = _Gradients(
                torch.empty_like(states, memory_format=torch.contiguous_format),
                torch.zeros_like(item_vectors),
                item_vectors.new_zeros(len(item_vectors)),
            )
        with torch.autocast(states.device.type, enabled=False):
            loss = _pass(
                states,
                item_vectors,
                item_bias,
                targets - 1,
                is_rounded=is_rounded,
                gradients=gradients,
                label_smoothing=label_smoothing,
            )
        if gradients is not None:
            ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        scale = upstream[0] / len(ctx.saved_tensors[0])
        wanted = zip(ctx.saved_tensors, ctx.needs_input_grad, strict=False)
        return (*(sums * scale if needed else None for sums, needed in wanted), None, None, None)


def _pass(
    states: Tensor,
    item_vectors: Tensor,
    item_bias: Tensor | None,
    columns: Tensor,
    *,
    is_rounded: bool,
    gradients: _Gradients | None,
    label_smoothing: float,
) -> Tensor:
    """Return the mean loss, a scalar, and fill ``gradients``; columns [N] are the targets in 0..V-1."""
    vectors = item_vectors[1:]  # [V, D]
    bias = vectors.new_zeros(len(vectors)) if item_bias is None else item_bias[1:]  # [V]
    n_rows, n_items = len(states), len(vectors)
    cells = CHUNK_CELLS if states.device.type == "cpu" else CHUNK_CELLS_GPU
    chunk_rows = min(n_rows, max(LEAST_CHUNK_ROWS, cells // n_items))
    products = (_RoundedProducts if is_rounded else _Products)(vectors, chunk_rows)
    buffer = states.new_empty(chunk_rows, n_items)  # the one large temporary
    losses = states.new_empty(n_rows)
    # Powers of two, not of e: a cell takes exp2 .37 ns, softmax .83, exp .89 (Zen 4, torch 2.13)
    doublings, bias_doublings = states * LOG2_E, bias * LOG2_E
    for start in range(0, n_rows, chunk_rows):
        rows = slice(start, min(start + chunk_rows, n_rows))
        chunk, target = buffer[: rows.stop - start], columns[rows, None]  # [C, V], [C, 1]
        products.logits(doublings[rows], bias_doublings, out=chunk)
        target_logits, largest = chunk.gather(1, target), chunk.amax(1, keepdim=True)  # [C, 1]
        chunk.sub_(largest).exp2_()  # the softmax before it is divided by its sum
        total = chunk.sum(1, keepdim=True)  # [C, 1]
        in_bits = largest + total.log2() - (1 - label_smoothing) * target_logits
        losses[rows] = in_bits[:, 0] / LOG2_E
        if gradients is not None:
            chunk.scatter_add_(1, target, (label_smoothing - 1) * total)
            share = total.reciprocal()
            gradients.bias[1:] += chunk.t().mv(share[:, 0])
            products.differentiate(chunk, share, states[rows], gradients.states[rows], gradients.vectors[1:])
    if label_smoothing:
        _smooth(states, vectors, bias, losses, gradients=gradients, label_smoothing=label_smoothing)
    return losses.mean()


def _smooth(
    states: Tensor,
    vectors: Tensor,
    bias: Tensor,
    losses: Tensor,
    *,
    gradients: _Gradients | None,
    label_smoothing: float,
) -> None:
    """Subtract the smoothing term from losses and gradients; it is linear, so it needs no logits."""
    mean_vector = vectors.mean(0)  # [D]
    losses -= label_smoothing * (states @ mean_vector + bias.mean())
    if gradients is not None:
        share = label_smoothing / len(vectors)
        gradients.states.sub_(mean_vector, alpha=label_smoothing)
        gradients.vectors[1:] -= share * states.sum(0)
        gradients.bias[1:] -= share * len(states)


class _Products:
    """The three matrix products of a chunk, in the type of their factors."""

    def __init__(self, vectors: Tensor, chunk_rows: int) -> None:
        self._vectors = vectors  # [V, D]

    def logits(self, states: Tensor, bias: Tensor, *, out: Tensor) -> None:
        """Write states [C, D] times vectors plus bias [V] to ``out`` [C, V]."""
        torch.addmm(bias, states, self._vectors.t(), out=out)

    def differentiate(
        self, by_logit: Tensor, share: Tensor, states: Tensor, for_states: Tensor, for_vectors: Tensor
    ) -> None:
        """Write the gradient for states [C, D], add that for vectors [V, D].

        The gradient by each logit is ``share`` [C, 1] times ``by_logit`` [C, V].
        """
        torch.mm(by_logit, self._vectors, out=for_states)
        for_states *= share
        for_vectors.addmm_(by_logit.t(), states * share)


class _RoundedProducts:
    """The same with factors rounded to bfloat16; sums over chunks stay in the wide type."""

    def __init__(self, vectors: Tensor, chunk_rows: int) -> None:
        self._vectors = vectors.bfloat16()  # [V, D]
        self._cells = self._vectors.new_empty(chunk_rows, len(vectors))  # [C, V]

    def logits(self, states: Tensor, bias: Tensor, *, out: Tensor) -> None:
        """Write states [C, D] times vectors plus bias [V] to ``out`` [C, V]."""
        cells = self._cells[: len(states)]
        torch.mm(states.bfloat16(), self._vectors.t(), out=cells)
        out.copy_(cells).add_(bias)

    def differentiate(
        self, by_logit: Tensor, share: Tensor, states: Tensor, for_states: Tensor, for_vectors: Tensor
    ) -> None:
        """Write the gradient for states [C, D], add that for vectors [V, D].

        The gradient by each logit is ``share`` [C, 1] times ``by_logit`` [C, V].
        """
        cells = self._cells[: len(states)].copy_(by_logit)
        torch.mul(cells @ self._vectors, share, out=for_states)
        for_vectors += cells.t() @ (states * share).bfloat16()
