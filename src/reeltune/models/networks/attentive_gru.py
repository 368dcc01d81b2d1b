"""A gated recurrent unit that looks back over its own states.

Shapes: B batch, T steps, N new steps, H hidden.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from reeltune.data.batch import Histories
from reeltune.models.kernels.attention import causal_attention
from reeltune.models.networks.catalogue import NetworkConfig
from reeltune.models.networks.gru import GRUNetwork
from reeltune.models.networks.recurrent import Memory, RecurrentConfig


class AttentiveGRUConfig(RecurrentConfig):
    """Configuration of :class:`AttentiveGRUNetwork`."""

    name: Literal["attentive-gru"] = "attentive-gru"
    """Chooses this network."""


class AttentiveGRUNetwork(GRUNetwork):
    """The last state of a GRU beside an attention over all of its states, after NARM.

    NARM (Li et al., 2017, https://arxiv.org/abs/1711.04725) joins a global encoder, the last state, with a
    local one, the earlier states weighted by how well each answers the last. This one differs: weights are
    scaled dot products under a softmax in place of an additive score, so that every position of a history
    trains at once, and the head is that of the other networks in place of a bilinear decoder.
    """

    def build_body(self, config: NetworkConfig) -> int:
        """Make the layers and the attention; a state is both halves, 2 H wide."""
        width = super().build_body(config)
        self.asks = nn.Linear(width, width, bias=False)
        self.answers = nn.Linear(width, width, bias=False)
        return 2 * width

    def advance(
        self, histories: Histories, memory: Memory | None = None, *, n_new: int | None = None
    ) -> tuple[Tensor, Memory]:
        """Return the state after each new position, [B, N, 2H], and the memory after the last one.

        The memory ends with the states of all steps so far, [B, T, H], to which later ones look back.
        """
        states, memories = super().advance(histories, memory, n_new=n_new)
        every = states if memory is None else torch.cat([memory[-1], states], dim=1)  # [B, T, H]
        return self._joined(states, every), [*memories, every]

    def _joined(self, states: Tensor, every: Tensor) -> Tensor:
        """Return ``states`` [B, N, H] beside what they find in ``every`` [B, T, H], [B, N, 2H]."""
        found = causal_attention(self.asks(states)[:, None], self.answers(every)[:, None], every[:, None])
        return torch.cat([states, found[:, 0]], dim=-1)
