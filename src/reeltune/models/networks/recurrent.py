"""The backbone that all recurrent networks share; a cell file adds its layer.

Shapes: B batch, T steps, N new steps, D embedding, H hidden.
"""

from __future__ import annotations

import abc
from typing import Any

from torch import Tensor, nn

from reeltune.data.batch import Histories
from reeltune.models.kernels.dropout import Dropout
from reeltune.models.networks.catalogue import CatalogueNetwork, NetworkConfig

Memory = list[Any]
"""What each recurrent layer carries from step to step: a tensor, an LSTM's pair, None at the start."""


class RecurrentConfig(NetworkConfig):
    """Sizes and dropout rates of a recurrent network."""


class RecurrentNetwork(CatalogueNetwork):
    """Recurrent layers between embedding and head.

    The first layer reads the embeddings, to which the side information is added. Each further one is
    a residual block with normalisation before it, ``h + dropout(layer(norm(h)))``, without which deep
    ones collapse to popularity.
    """

    def build_body(self, config: NetworkConfig) -> int:
        """Make the layers and the normalisations before all but the first."""
        widths = [config.embedding_dim] + [config.hidden_dim] * (config.n_layers - 1)
        self.layers = nn.ModuleList(self.make_layer(width, config.hidden_dim) for width in widths)
        self.norms = nn.ModuleList(nn.LayerNorm(config.hidden_dim) for _ in widths[1:])
        self.dropout = Dropout(config.dropout)
        return config.hidden_dim

    @abc.abstractmethod
    def make_layer(self, input_dim: int, hidden_dim: int) -> nn.Module:
        """Return a new recurrent layer, batch first; it is called while the network is built.

        A layer takes inputs [B, T, D] and what it carried, None at the start, and returns its outputs
        [B, T, H] and what it carries on.
        """

    def advance(
        self, histories: Histories, memory: Memory | None = None, *, n_new: int | None = None
    ) -> tuple[Tensor, Memory]:
        """Return the state after each new position, [B, N, S], and the memory after the last one.

        With the memory of the first T - N movies, the N new ones cost N steps, however long the
        history is. All rows are equally long: padding would enter the memory.

        Args:
            histories: The histories from their start, T steps; or fewer, where side information and
                count prior do not ask for all.
            memory: What :meth:`advance` returned after the movies before the new ones.
            n_new: Movies N at the end that the layers have not read; None for all.
        """
        before: Memory = memory or [None] * len(self.layers)
        outputs, after = self.layers[0](self.embedded(histories, n_new), before[0])
        states: Tensor = self.dropout(outputs)  # [B, N, H]
        memories = [after]
        for norm, layer, held in zip(self.norms, self.layers[1:], before[1 : len(self.layers)], strict=True):
            outputs, after = layer(norm(states), held)
            states = states + self.dropout(outputs)
            memories.append(after)
        return states, memories

    def states(self, histories: Histories) -> Tensor:
        """Return the state after each position, shape [B, T, S]."""
        return self.advance(histories)[0]


def as_recurrent(model: object) -> RecurrentNetwork | None:
    """Return ``model`` where it carries a state from movie to movie, else None."""
    return model if isinstance(model, RecurrentNetwork) else None
