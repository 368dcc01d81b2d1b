"""The backbone that all recurrent networks share; a cell file adds its layer.

Shapes: B batch, T steps, N new steps, D embedding, H hidden, V catalogue.
"""

from __future__ import annotations

import abc
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from reeltune.config import Config
from reeltune.data.batch import Histories
from reeltune.data.features.config import NO_SIDE, FeatureConfig, SideShapes
from reeltune.models.base import SequenceNetwork
from reeltune.models.heads import TiedHead, catalogue_scores
from reeltune.models.inputs import ItemEmbedding, SideInputs
from reeltune.models.prior import CountPrior

__all__ = ["Memory", "RecurrentConfig", "RecurrentNetwork"]

Memory = list[Any]
"""What each recurrent layer carries from step to step: a tensor, an LSTM's pair, None at the start."""


class RecurrentConfig(Config):
    """Sizes and dropout rates of a recurrent network."""

    embedding_dim: int = Field(default=64, ge=1, le=4096)
    """Width of the movie embeddings, input and output, 1 to 4096."""
    hidden_dim: int = Field(default=128, ge=1, le=8192)
    """Width of each recurrent layer, 1 to 8192."""
    n_layers: int = Field(default=1, ge=1, le=16)
    """Recurrent layers, 1 to 16."""
    embedding_dropout: float = Field(default=0.3, ge=0.0, le=0.95)
    """Share of the input embeddings' entries that is zeroed while training, 0 to .95."""
    dropout: float = Field(default=0.3, ge=0.0, le=0.95)
    """Share of each recurrent layer's outputs that is zeroed while training, 0 to .95."""
    count_prior: float = Field(default=0.0, ge=0.0, le=10.0)
    """Weight of the log of the windowed Markov scores beside the network's, 0 (none) to 10; the loss
    does not see it."""
    inputs: FeatureConfig = FeatureConfig()
    """What each step reads besides the movie."""


class RecurrentNetwork(SequenceNetwork):
    """Movie embeddings, recurrent layers, a projection and the tied softmax.

    The first layer reads the embeddings, to which the side information is added. Each further one is
    a residual block with normalisation before it, ``h + dropout(layer(norm(h)))``, without which deep
    ones collapse to popularity.
    """

    def __init__(self, config: RecurrentConfig, n_items: int, shapes: SideShapes = NO_SIDE) -> None:
        super().__init__()
        self.config = config
        self.n_items = n_items
        self.embedding = ItemEmbedding(n_items, config.embedding_dim, config.embedding_dropout)
        widths = [config.embedding_dim] + [config.hidden_dim] * (config.n_layers - 1)
        self.layers = nn.ModuleList(self.make_layer(width, config.hidden_dim) for width in widths)
        self.norms = nn.ModuleList(nn.LayerNorm(config.hidden_dim) for _ in widths[1:])
        self.dropout = nn.Dropout(config.dropout)
        self.head = TiedHead(n_items, config.hidden_dim, config.embedding_dim)
        self.side = SideInputs(config.inputs, shapes, n_items, config.embedding_dim)
        self.prior = CountPrior(config.count_prior, n_items) if config.count_prior else None

    @abc.abstractmethod
    def make_layer(self, input_dim: int, hidden_dim: int) -> nn.RNNBase:
        """Return a new recurrent layer, batch first; it is called while the network is built."""

    def encode(self, histories: Histories) -> Tensor:
        """Return the query after each position, shape [B, T, D]."""
        queries: Tensor = self.head(self._states(histories))
        return queries

    def advance(
        self, histories: Histories, memory: Memory | None = None, *, n_new: int | None = None
    ) -> tuple[Tensor, Memory]:
        """Return the state after each new position, [B, N, H], and the memory after the last one.

        With the memory of the first T - N movies, the N new ones cost N steps, however long the
        history is. All rows are equally long: padding would enter the memory.

        Args:
            histories: The histories from their start, T steps.
            memory: What :meth:`advance` returned after the movies before the new ones.
            n_new: Movies N at the end that the layers have not read; None for all.
        """
        new = slice(histories.items.shape[1] - n_new if n_new is not None else 0, None)
        side = self.side(histories)
        inputs = self.embedding(histories.items[:, new], None if side is None else side[:, new])
        before: Memory = memory or [None] * len(self.layers)
        outputs, after = self.layers[0](inputs, before[0])
        states: Tensor = self.dropout(outputs)  # [B, N, H]
        memories = [after]
        for norm, layer, held in zip(self.norms, self.layers[1:], before[1:], strict=True):
            outputs, after = layer(norm(states), held)
            states = states + self.dropout(outputs)
            memories.append(after)
        return states, memories

    def _states(self, histories: Histories) -> Tensor:
        return self.advance(histories)[0]

    def item_vectors(self) -> Tensor:
        """Return the movie embeddings, with the movies' features where the config says so, [V+1, D]."""
        return self.side.with_output(self.embedding.table.weight)

    def item_bias(self) -> Tensor | None:
        """Return the bias of each movie, shape [V+1]."""
        return self.head.bias

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""
        states = self._states(histories)
        rows = torch.arange(len(states), device=states.device)
        return self.scores_of(states[rows, histories.lengths - 1], histories)

    def scores_of(self, states: Tensor, histories: Histories) -> Tensor:
        """Return the scores of the catalogue, [B, V+1], after the states [B, H] of :meth:`advance`.

        Args:
            states: The state after each row's last movie.
            histories: The histories, or at least their last ``prior.n_recent`` movies.
        """
        scores = catalogue_scores(self.head(states), self.item_vectors(), self.item_bias())
        return scores if self.prior is None else scores + self.prior(histories)
