"""A gated recurrent unit over the movies seen."""

from __future__ import annotations

from typing import Literal

from torch import nn

from reeltune.models.kernels.gru import FusedGRU
from reeltune.models.networks.recurrent import RecurrentConfig, RecurrentNetwork


class GRUConfig(RecurrentConfig):
    """Configuration of :class:`GRUNetwork`."""

    name: Literal["gru"] = "gru"
    """Chooses this network."""


class GRUNetwork(RecurrentNetwork):
    """Gated recurrent units (Cho et al., 2014, https://arxiv.org/abs/1406.1078) over a history.

    GRU4Rec (Hidasi et al., 2016, https://arxiv.org/abs/1511.06939) brought them to recommendation.
    This one differs: it trains every position of a history in one pass with the full softmax, not
    sampled losses over session-parallel batches; embeddings are tied and the query is normalised.
    """

    def make_layer(self, input_dim: int, hidden_dim: int) -> nn.Module:
        """Return a new GRU layer."""
        return FusedGRU(input_dim, hidden_dim)
