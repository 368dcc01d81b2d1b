"""What all networks share: movies go in as embeddings, states come out as scores of the catalogue.

Shapes: B batch, T steps, D embedding, S state, V catalogue.
"""

from __future__ import annotations

import abc
from typing import Literal

from pydantic import Field
from torch import Tensor

from reeltune.config import Config
from reeltune.data.batch import Histories
from reeltune.data.features.config import NO_SIDE, FeatureConfig, SideShapes
from reeltune.models.base import SequenceNetwork
from reeltune.models.heads import CatalogueHead, catalogue_scores
from reeltune.models.inputs import ItemEmbedding, SideInputs
from reeltune.models.prior import CountPrior


class NetworkConfig(Config):
    """Sizes, dropout rates and output of any network."""

    embedding_dim: int = Field(default=128, ge=1, le=4096)
    """Width of the movie embeddings, input and output, 1 to 4096."""
    hidden_dim: int = Field(default=128, ge=1, le=8192)
    """Width of each layer inside, 1 to 8192."""
    n_layers: int = Field(default=1, ge=1, le=16)
    """Layers, 1 to 16."""
    input_dropout: float = Field(default=0.0, ge=0.0, le=0.95)
    """Share of the input's dimensions that are zeroed at all steps of a history alike while training, 0 to
    .95 (Gal and Ghahramani, 2016, https://arxiv.org/abs/1512.05287)."""
    embedding_dropout: float = Field(default=0.5, ge=0.0, le=0.95)
    """Share of the input embeddings' entries that is zeroed while training, 0 to .95."""
    dropout: float = Field(default=0.3, ge=0.0, le=0.95)
    """Share of each layer's outputs that is zeroed while training, 0 to .95."""
    output: Literal["tied", "free"] = "tied"
    """Whether the output vectors of the movies are their input embeddings or their own."""
    item_bias: bool = True
    """Whether each movie has a bias in the scores."""
    count_prior: float = Field(default=0.0, ge=0.0, le=10.0)
    """Weight of the log of the windowed Markov scores beside the network's, 0 (none) to 10; the loss
    does not see it."""
    inputs: FeatureConfig = FeatureConfig()
    """What each step reads besides the movie."""
    name: str
    """Name in the registry of models."""


class CatalogueNetwork(SequenceNetwork):
    """Movie embeddings with side information, a body in the subclass, a projection and a softmax.

    A subclass makes its layers in :meth:`build_body` and returns the states of all steps from
    :meth:`states`.
    """

    def __init__(self, config: NetworkConfig, n_items: int, shapes: SideShapes = NO_SIDE) -> None:
        super().__init__()
        width = config.embedding_dim
        self.config = config
        self.n_items = n_items
        self.embedding = ItemEmbedding(n_items, width, config.embedding_dropout, config.input_dropout)
        state_dim = self.build_body(config)
        self.head = CatalogueHead(n_items, state_dim, width, has_bias=config.item_bias)
        self.side = SideInputs(config.inputs, shapes, n_items, width)
        # Drawn after the rest, so that other weights do not depend on it.
        self.output = ItemEmbedding(n_items, width) if config.output == "free" else None
        self.prior = CountPrior(config.count_prior, n_items) if config.count_prior else None

    @abc.abstractmethod
    def build_body(self, config: NetworkConfig) -> int:
        """Make the layers between embedding and head; return the width S of the states."""

    @abc.abstractmethod
    def states(self, histories: Histories) -> Tensor:
        """Return the state after each position, shape [B, T, S]."""

    def last_states(self, histories: Histories) -> Tensor:
        """Return the state after each row's last movie, shape [B, S]."""
        if histories.whole is not None and histories.rows is not None:
            return self.states(histories.whole)[histories.rows, histories.lengths - 1]
        states = self.states(histories)
        rows = (histories.lengths - 1)[:, None, None].expand(-1, 1, states.shape[2])  # [B, 1, S]
        last: Tensor = states.gather(1, rows)[:, 0]
        return last

    def encode(self, histories: Histories) -> Tensor:
        """Return the query after each position, shape [B, T, D]."""
        queries: Tensor = self.head(self.states(histories))
        return queries

    def item_vectors(self) -> Tensor:
        """Return the output embeddings, with the movies' features where the config says so, [V+1, D]."""
        return self.side.with_output((self.output or self.embedding).table.weight)

    def item_bias(self) -> Tensor | None:
        """Return the bias of each movie, shape [V+1], or None where the config has none."""
        return self.head.bias

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""
        return self.scores_of(self.last_states(histories), histories)

    def scores_of(self, states: Tensor, histories: Histories) -> Tensor:
        """Return the scores of the catalogue, [B, V+1], after the states [B, S].

        Args:
            states: The state after each row's last movie.
            histories: The histories, or at least their last ``prior.n_recent`` movies.
        """
        scores = catalogue_scores(self.head(states), self.item_vectors(), self.item_bias())
        return scores if self.prior is None else scores + self.prior(histories)

    def embedded(self, histories: Histories, n_new: int | None = None) -> Tensor:
        """Return the inputs of the last ``n_new`` steps (None for all), [B, N, D]."""
        new = slice(histories.items.shape[1] - n_new if n_new is not None else 0, None)
        side = self.side(histories)
        inputs: Tensor = self.embedding(histories.items[:, new], None if side is None else side[:, new])
        return inputs
