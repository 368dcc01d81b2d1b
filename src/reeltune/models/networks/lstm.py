"""A long short-term memory over the movies seen."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from reeltune.models.networks.catalogue import NetworkConfig
from reeltune.models.networks.recurrent import RecurrentConfig, RecurrentNetwork


class LSTMConfig(RecurrentConfig):
    """Configuration of :class:`LSTMNetwork`."""

    name: Literal["lstm"] = "lstm"
    """Chooses this network."""


class LSTMNetwork(RecurrentNetwork):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with forget gates over a history.

    The forget gates (Gers, Schmidhuber and Cummins, 2000) start open, with a bias of 1, as
    Jozefowicz et al. (2015) recommend.
    """

    def make_layer(self, input_dim: int, hidden_dim: int) -> nn.Module:
        """Return a new LSTM layer."""
        return nn.LSTM(input_dim, hidden_dim, batch_first=True)

    def build_body(self, config: NetworkConfig) -> int:
        """Make the layers and open their forget gates."""
        width = super().build_body(config)
        with torch.no_grad():
            for name, bias in self.layers.named_parameters():
                # torch adds two biases, each ordered input, forget, cell, output gate.
                if ".bias_" in name:
                    bias[width : 2 * width] = 1.0 if ".bias_ih" in name else 0.0
        return width
