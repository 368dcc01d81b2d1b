"""A gated recurrent unit whose backward pass is written by hand; its weights are those of ``torch.nn.GRU``.

Everything that does not depend on the recurrence is one matrix product over many steps, and a step's
share of the backward pass is one product and three elementwise operations: the factors by which the
gradient of a state reaches the gates are computed for a block of steps beforehand.

Shapes: B batch, T steps, D input width, H hidden width; gates lie side by side as reset, update, new.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from reeltune.models.kernels.products import ProductPrecision, product, product_type

# The backward pass takes as many steps at once as keep B x H x steps under this: what it makes of them
# stays in the cache, and in memory that the allocator hands out again without fresh pages.
CELLS_IN_CACHE = 1 << 17
# A step's product with narrower weights saves nothing in bfloat16: 32 rows at width 128 take 35 us in both
# types; at 256 they take 142 us in float32, 91 with the rounding (Zen 4, torch 2.13).
LEAST_ROUNDED_WIDTH = 256


class FusedGRU(nn.GRU):
    """One layer of ``torch.nn.GRU``, batch first, with the fast pass on a CPU.

    Parameters, their names and their initial values are those of ``torch.nn.GRU``, so a state dict of
    one loads into the other. On other devices and in exports it *is* ``torch.nn.GRU``: cuDNN is faster
    there, and exporters know it.
    """

    def __init__(self, input_dim: int, hidden_dim: int, *, batch_first: Literal[True] = True) -> None:
        super().__init__(input_dim, hidden_dim, batch_first=batch_first)

    def forward(  # type: ignore[override]
        self, inputs: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the states [B, T, H] and the last one [1, B, H].

        Args:
            inputs: Inputs, [B, T, D].
            state: State before the first step, [1, B, H], or None for zeros.
        """
        is_exported = torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if inputs.device.type != "cpu" or is_exported:
            states, last = super().forward(inputs, state)
            return states, last
        start = inputs.new_zeros(len(inputs), self.hidden_size) if state is None else state[0]
        states = gru(inputs, start, *self.parameters())  # weight_ih, weight_hh, bias_ih, bias_hh
        return states, states[:, -1][None]


def gru(  # noqa: PLR0917  the order of torch.gru
    inputs: Tensor,
    start: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    *,
    precision: ProductPrecision = "same",
) -> Tensor:
    """Return the state after each step, [B, T, H].

    ::

        r, z = sigmoid(W_ih x + b_ih + W_hh h + b_hh)             reset and update gates
        n    = tanh(W_in x + b_in + r * (W_hn h + b_hn))          new state
        h'   = (1 - z) * n + z * h

    Source: Cho et al. 2014 (https://arxiv.org/abs/1406.1078), in the variant that ``torch.nn.GRU``
    computes. There is no second derivative.

    Args:
        inputs: Inputs, [B, T, D] with T >= 1.
        start: State before the first step, [B, H].
        weight_ih: Weights of the inputs, [3H, D].
        weight_hh: Weights of the state, [3H, H].
        bias_ih: Bias of the inputs, [3H].
        bias_hh: Bias of the state, [3H].
        precision: "bfloat16" rounds the factors of the matrix products, faster on CPUs with avx512_bf16;
            those of single steps from H = 256 on. States and gates stay in the type of the weights.
            Autocast implies it.
    """
    kind = product_type(inputs, precision)
    inputs = inputs.to(weight_hh.dtype)
    states: Tensor = _GRU.apply(  # type: ignore[no-untyped-call]
        inputs, start.to(weight_hh.dtype), weight_ih, weight_hh, bias_ih, bias_hh, kind
    )
    return states


class _GRU(Function):
    @staticmethod
    def forward(  # noqa: PLR0917  autograd passes by position
        ctx: Any,
        inputs: Tensor,
        start: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        kind: torch.dtype,
    ) -> Tensor:
        n_rows, n_steps, _ = inputs.shape
        width = weight_hh.shape[1]
        steps = inputs.transpose(0, 1).contiguous()  # [T, B, D]
        bias = bias_ih.clone()
        bias[: 2 * width] += bias_hh[: 2 * width]
        # tanh(x) = 2 sigmoid(2 x) - 1: the vectorized sigmoid is five times as fast as tanh
        doubled = torch.cat([weight_ih[: 2 * width], 2 * weight_ih[2 * width :]])  # [3H, D]
        bias[2 * width :] *= 2
        gates = product(steps.flatten(0, 1), doubled.t(), kind).add_(bias).view(n_steps, n_rows, 3 * width)
        states = inputs.new_empty(n_steps + 1, n_rows, width)  # the start, then the state after each step
        states[0] = start
        inner = inputs.new_empty(n_steps, n_rows, width)  # W_hn h + b_hn
        products = _recurrent(kind, width)(weight_hh)
        inner_bias = bias_hh[2 * width :]
        both, reset, update, new = (
            gates[:, :, span].unbind()
            for span in (slice(2 * width), slice(width), slice(width, 2 * width), slice(2 * width, None))
        )
        state, held, minus_one = states.unbind(), inner.unbind(), inputs.new_tensor(-1.0)
        for step in range(n_steps):
            products.forward(state[step], inner_bias, both[step], held[step])
            both[step].sigmoid_()
            new[step].addcmul_(reset[step], held[step], value=2).sigmoid_()
            torch.add(minus_one, new[step], alpha=2, out=new[step])
            torch.lerp(new[step], state[step], update[step], out=state[step + 1])
        ctx.save_for_backward(steps, states, gates, inner, weight_ih, weight_hh)
        ctx.kind = kind
        return states[1:].transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        steps, states, gates, inner, weight_ih, weight_hh = ctx.saved_tensors
        kind, (n_steps, n_rows, width) = ctx.kind, inner.shape
        for_outputs = upstream[0].unbind(1)
        update = gates[:, :, width : 2 * width].unbind()
        products = _recurrent(kind, width)(weight_hh)
        # new, reset, update: the order of the first three gate factors
        weight_ih = weight_ih.roll(width, 0).to(kind)
        for_state = states.new_zeros(n_rows, width)
        for_steps = torch.empty_like(steps)
        # the gradients of the weights, transposed: products whose result has few columns are slower
        for_ih, for_hh = (states.new_zeros(weight.shape[::-1]) for weight in (weight_ih, weight_hh))
        for_bias = states.new_zeros(4 * width)
        block = max(1, CELLS_IN_CACHE // (n_rows * width))
        for first in reversed(range(0, n_steps, block)):
            some = slice(first, min(first + block, n_steps))
            for_gates = _gate_factors(states[some], gates[some], inner[some])  # [T, B, 4, H]
            flat = for_gates.view(-1, 4 * width)  # [T * B, 4H]
            gates_of, sums_of = for_gates.unbind(), torch.split(flat[:, width:], n_rows)
            for step in reversed(range(some.stop - first)):
                for_state += for_outputs[first + step]
                gates_of[step].mul_(for_state[:, None])
                for_state *= update[first + step]
                products.backward(sums_of[step], for_state)
            for_bias += flat.sum(0)
            rounded = flat.to(kind)
            by_input, by_state = rounded[:, : 3 * width], rounded[:, width:]
            for_steps[some] = torch.mm(by_input, weight_ih).view_as(steps[some])
            for_ih += torch.mm(steps[some].flatten(0, 1).to(kind).t(), by_input)  # [D, 3H]
            for_hh += torch.mm(states[some].flatten(0, 1).to(kind).t(), by_state)  # [H, 3H]
        for_inputs, by_bias = for_steps.transpose(0, 1), for_bias[: 3 * width].roll(-width)
        return for_inputs, for_state, for_ih.roll(-width, 1).t(), for_hh.t(), by_bias, for_bias[width:], None


def _recurrent(kind: torch.dtype, width: int) -> type[_Recurrent | _RoundedRecurrent]:
    is_rounded = kind == torch.bfloat16 and width >= LEAST_ROUNDED_WIDTH
    return _RoundedRecurrent if is_rounded else _Recurrent


class _Recurrent:
    """The products of a step's state with the recurrent weights, and back."""

    def __init__(self, weight_hh: Tensor) -> None:
        self._weight_hh = weight_hh  # [3H, H]

    def forward(self, state: Tensor, inner_bias: Tensor, both: Tensor, inner: Tensor) -> None:
        """Add what ``state`` [B, H] gives the two gates to ``both`` [B, 2H]; write ``inner`` [B, H]."""
        for_both, for_inner = self._transposed
        both.addmm_(state, for_both)
        torch.addmm(inner_bias, state, for_inner, out=inner)

    def backward(self, by_sum: Tensor, for_state: Tensor) -> None:
        """Add the gradient of the state, given that of the three sums [B, 3H], to ``for_state`` [B, H]."""
        for_state.addmm_(by_sum, self._weight_hh)

    @functools.cached_property
    def _transposed(self) -> tuple[Tensor, Tensor]:
        """The weights of the two gates [H, 2H] and of the new state [H, H]."""
        n_both = 2 * self._weight_hh.shape[1]
        return self._weight_hh[:n_both].t().contiguous(), self._weight_hh[n_both:].t().contiguous()


class _RoundedRecurrent:
    """The same with the factors of the products rounded to bfloat16."""

    def __init__(self, weight_hh: Tensor) -> None:
        self._weight_hh = weight_hh.bfloat16()

    def forward(self, state: Tensor, inner_bias: Tensor, both: Tensor, inner: Tensor) -> None:
        """Add what ``state`` [B, H] gives the two gates to ``both`` [B, 2H]; write ``inner`` [B, H]."""
        by_state = torch.mm(state.bfloat16(), self._transposed)  # [B, 3H]
        both.add_(by_state[:, : both.shape[1]])
        torch.add(by_state[:, both.shape[1] :], inner_bias, out=inner)

    def backward(self, by_sum: Tensor, for_state: Tensor) -> None:
        """Add the gradient of the state, given that of the three sums [B, 3H], to ``for_state`` [B, H]."""
        for_state += torch.mm(by_sum.bfloat16(), self._weight_hh)

    @functools.cached_property
    def _transposed(self) -> Tensor:
        return self._weight_hh.t().contiguous()  # [H, 3H]


def _gate_factors(before: Tensor, gates: Tensor, inner: Tensor) -> Tensor:
    """Return the derivative of each state by the sums that enter it, [T, B, 4, H].

    The four sums are those of the new state, the reset gate, the update gate, and the part of the new
    state's that the reset gate multiplies. ``before`` [T, B, H] is the state before each step.
    """
    reset, update, new = gates.chunk(3, 2)  # [T, B, H] each
    factors = inner.new_empty(*inner.shape[:2], 4, inner.shape[2])
    by_new, by_reset, by_update, by_inner = factors.unbind(2)
    torch.sub(update, 1, out=by_update)
    torch.mul(new, new, out=by_new).sub_(1).mul_(by_update)  # (1 - z) (1 - n^2)
    torch.mul(by_new, reset, out=by_inner)
    torch.sub(1, reset, out=by_reset).mul_(inner).mul_(by_inner)  # (1 - r) r inner (1 - z) (1 - n^2)
    by_update.mul_(update).mul_(new - before)  # (z - 1) z (n - h)
    return factors
