"""A plain recurrent network over the movies seen."""

from __future__ import annotations

from typing import Literal

from torch import nn

from reeltune.models.networks.recurrent import RecurrentConfig, RecurrentNetwork


class RNNConfig(RecurrentConfig):
    """Configuration of :class:`RNNNetwork`."""

    name: Literal["rnn"] = "rnn"
    """Chooses this network."""


class RNNNetwork(RecurrentNetwork):
    """The simple recurrent network of Elman (1990), ``tanh(W x + U h + b)``, over a history."""

    def make_layer(self, input_dim: int, hidden_dim: int) -> nn.Module:
        """Return a new Elman layer."""
        return nn.RNN(input_dim, hidden_dim, batch_first=True)
