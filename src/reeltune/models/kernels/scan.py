"""The linear recurrence ``h[t] = a[t] * h[t-1] + b[t]``, forward and backward.

Its steps can be combined in any grouping, so that a GPU computes T of them in about log2 T passes (Blelloch,
1990; for recurrent networks Martin and Cundy, 2018, https://arxiv.org/abs/1709.04057). One core has nothing
to gain from that: there, T passes over one step each stay in the cache and cost the fewest operations.

Shapes: B batch, T steps, H hidden.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def linear_scan(decays: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """Return ``h[t] = decays[t] * h[t-1] + inputs[t]`` for every step, shape [B, T, H].

    The gradient runs the same recurrence from the last step to the first; it is computed once, without a
    second derivative.

    Args:
        decays: [B, T, H].
        inputs: [B, T, H].
        start: h before the first step, [B, H].
    """
    states: Tensor = _Scan.apply(decays, inputs, start)  # type: ignore[no-untyped-call]
    return states


def sequential_scan(decays: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """Return the recurrence of :func:`linear_scan` step by step, without a gradient."""
    states = torch.empty_like(inputs)
    state = start
    for step in range(inputs.shape[1]):
        state = torch.addcmul(inputs[:, step], decays[:, step], state)
        states[:, step] = state
    return states


def parallel_scan(decays: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """Return the recurrence of :func:`linear_scan` in log2 T passes over all steps, without a gradient.

    Each pass composes every step's map ``h -> a h + b`` with that of the step as far before it as the
    pass's stride (Hillis and Steele, 1986).
    """
    states = inputs.clone()
    states[:, 0].addcmul_(decays[:, 0], start)
    products = decays.clone()
    stride = 1
    while stride < inputs.shape[1]:
        # The right sides are new tensors: each step reads what its predecessors were before the pass.
        states[:, stride:] = torch.addcmul(states[:, stride:], products[:, stride:], states[:, :-stride])
        products[:, stride:] = products[:, stride:] * products[:, :-stride]
        stride *= 2
    return states


def _scan(decays: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    scan = sequential_scan if inputs.device.type == "cpu" else parallel_scan
    return scan(decays, inputs, start)


class _Scan(Function):
    @staticmethod
    def forward(ctx: Any, decays: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
        states = _scan(decays, inputs, start)
        ctx.save_for_backward(decays, states, start)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        decays, states, start = ctx.saved_tensors
        # g[t] = upstream[t] + a[t+1] * g[t+1]: the scan of the reversed steps, with the decays one step late.
        late = torch.cat([decays[:, 1:], decays.new_zeros(decays[:, :1].shape)], dim=1)
        by_state = _scan(late.flip(1), upstream[0].flip(1), torch.zeros_like(start)).flip(1)  # [B, T, H]
        before = torch.cat([start[:, None], states[:, :-1]], dim=1)
        return by_state * before, by_state, by_state[:, 0] * decays[:, 0]
