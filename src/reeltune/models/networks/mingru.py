"""A minimal gated recurrent unit, whose gates do not read the state, over the movies seen.

Shapes: B batch, T steps, D input width, H hidden width.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from reeltune.models.kernels.scan import linear_scan
from reeltune.models.networks.recurrent import RecurrentConfig, RecurrentNetwork


class MinGRUConfig(RecurrentConfig):
    """Configuration of :class:`MinGRUNetwork`."""

    name: Literal["mingru"] = "mingru"
    """Chooses this network."""


class MinGRU(nn.Module):
    """One layer: ``h[t] = z[t] * h[t-1] + (1 - z[t]) * tanh(W x[t] + b)``, ``z[t] = sigmoid(U x[t] + c)``."""

    def __init__(self, input_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.hidden_dim = hidden_dim
        self.gates = nn.Linear(input_dim, 2 * hidden_dim)  # z, then the candidate

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the states [B, T, H] and the last one [1, B, H].

        Args:
            inputs: Inputs, [B, T, D].
            state: State before the first step, [1, B, H], or None for zeros.
        """
        if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            return self._as_gru(inputs, state)
        keep, candidate = self.gates(inputs).float().chunk(2, dim=-1)
        keep, candidate = keep.sigmoid(), candidate.tanh()
        start = candidate.new_zeros(len(inputs), self.hidden_dim) if state is None else state[0]
        states = linear_scan(keep, (1 - keep) * candidate, start)
        return states, states[:, -1][None]

    def _as_gru(self, inputs: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the same from a GRU whose weights of the state are zero, which exporters know."""
        weight, bias, width = self.gates.weight, self.gates.bias, self.hidden_dim
        start = inputs.new_zeros(1, inputs.shape[0], width) if state is None else state
        parameters = [
            torch.cat([torch.zeros_like(weight[:width]), weight]),  # the reset gate has nothing to reset
            weight.new_zeros(3 * width, width),
            torch.cat([torch.zeros_like(bias[:width]), bias]),
            bias.new_zeros(3 * width),
        ]
        states, last = torch.gru(inputs, start, parameters, True, 1, 0.0, False, False, True)
        return states, last


class MinGRUNetwork(RecurrentNetwork):
    """minGRU (Feng et al., 2024, https://arxiv.org/abs/2410.01201) over a history.

    All steps of a layer are one matrix product and one scan (:mod:`reeltune.models.kernels.scan`). It
    differs from the paper in the candidate, which passes a tanh as in a GRU and is thus bounded.
    """

    def make_layer(self, input_dim: int, hidden_dim: int) -> nn.Module:
        """Return a new layer."""
        return MinGRU(input_dim, hidden_dim)
