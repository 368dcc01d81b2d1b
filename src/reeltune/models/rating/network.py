"""The rating that a person gives a movie next: a recurrent state, the candidate, and biases.

Shapes: B people, T steps, N questions, D width of a query, F factors, U users, V catalogue.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from reeltune.config import Config
from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD
from reeltune.models.base import SequenceNetwork
from reeltune.models.kernels.dropout import Dropout


class RatingHeadConfig(Config):
    """Sizes and dropout of :class:`RatingHead`."""

    factors: int = Field(default=128, ge=1, le=4096)
    """Factors by which people, states and candidates meet, 1 to 4096."""
    dropout: float = Field(default=0.4, ge=0.0, le=0.95)
    """Share of the state's and the factors' entries that is zeroed while training, 0 to .95."""
    people: bool = True
    """Whether people of the training data have a bias and factors of their own, as in factorization."""
    rated: Literal["none", "before", "known"] = "before"
    """Movies that add to a person's factors by having been rated, whatever the stars: none, those before the
    question, or all that are known, later ones too, as in SVD++."""


class RatingHead(nn.Module):
    """Predicts ``mean + b[u] + b[i] + c(s) + (p[u] + n**-.5 sum(y[j]) + W s) . q[i]`` stars.

    s is the state of a recurrent network after what the person has seen so far, i the candidate, u the
    person and j the n movies of ``rated``: biases and factors as in Koren, 2009
    (https://doi.org/10.1109/MC.2009.263), y as in his SVD++ (https://doi.org/10.1145/1401890.1401944), to
    which the state adds what the latest ratings say. A person whom the training never saw is row 0: bias
    and factors are zero, and the history alone speaks.
    """

    def __init__(self, config: RatingHeadConfig, *, n_items: int, n_users: int, state_dim: int) -> None:
        super().__init__()
        self.config = config
        self.mean = nn.Parameter(torch.zeros(()), requires_grad=False)
        self.item_bias = nn.Embedding(n_items + 1, 1, padding_idx=PAD)
        self.item_factors = nn.Embedding(n_items + 1, config.factors, padding_idx=PAD)
        self.of_state = nn.Linear(state_dim, config.factors + 1)
        self.user_bias: nn.Embedding | None = None
        self.user_factors: nn.Embedding | None = None
        if config.people:
            self.user_bias = nn.Embedding(n_users + 1, 1, padding_idx=0)
            self.user_factors = nn.Embedding(n_users + 1, config.factors, padding_idx=0)
        self.rated_factors: nn.Embedding | None = None
        if config.rated != "none":
            self.rated_factors = nn.Embedding(n_items + 1, config.factors, padding_idx=PAD)
        self.dropout = Dropout(config.dropout)
        for table in self.tables():
            nn.init.normal_(table, std=0.1 * config.factors**-0.5)
            nn.init.zeros_(table[0].detach())
        nn.init.normal_(self.of_state.weight, std=0.1 * state_dim**-0.5)
        nn.init.zeros_(self.of_state.bias)

    def tables(self) -> list[nn.Parameter]:
        """Return the factors and biases of movies and people, [V+1 or U+1, F or 1] each."""
        embeddings = (module for module in self.children() if isinstance(module, nn.Embedding))
        return [parameter for embedding in embeddings for parameter in embedding.parameters()]

    def forward(self, states: Tensor, users: Tensor, items: Tensor, rated: Tensor | None = None) -> Tensor:
        """Return the stars [N] of ``items`` [N] for ``users`` [N] (row + 1, or 0) in ``states`` [N, D].

        ``rated`` [N, F] is what :meth:`of_rated` made of the movies that each person rated.
        """
        of_state = self.of_state(self.dropout(states))  # [N, F+1]
        taste, stars = of_state[:, 1:], self.mean + of_state[:, 0] + self.item_bias(items)[:, 0]
        if self.user_factors is not None and self.user_bias is not None:
            taste = taste + self.user_factors(users)
            stars = stars + self.user_bias(users)[:, 0]
        if rated is not None:
            taste = taste + rated
        predicted: Tensor = stars + (self.dropout(taste) * self.item_factors(items)).sum(dim=1)
        return predicted

    def of_rated(self, history: Tensor, row: Tensor, before: Tensor) -> Tensor | None:
        """Return what the movies of a person's history add to the person's factors, [N, F].

        Args:
            history: [B, T] movies of each person, padded.
            row: [N] who is asked.
            before: [N] events of the history that precede the question.
        """
        if self.rated_factors is None:
            return None
        factors = self.rated_factors(history)  # [B, T, F]
        sums = nn.functional.pad(factors.cumsum(dim=1), (0, 0, 1, 0))  # [B, T+1, F]
        n_rated = before if self.config.rated == "before" else (history != PAD).sum(dim=1)[row]  # [N]
        return sums[row, n_rated] / n_rated.clamp(min=1).sqrt()[:, None]

    def squares(self, users: Tensor, items: Tensor, history: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean squared length of the factors and of the biases that a batch reads, two scalars.

        Their weighted sum is the penalty of Koren's factorization: what is read more often is held back
        more often. ``users`` [N] (row + 1, or 0), ``items`` [N], ``history`` [B, T].
        """
        factors = self.item_factors(items).square().sum(dim=1).mean()
        biases = self.item_bias(items).square().mean()
        if self.user_factors is not None and self.user_bias is not None:
            factors = factors + self.user_factors(users).square().sum(dim=1).mean()
            biases = biases + self.user_bias(users).square().mean()
        if self.rated_factors is not None:
            factors = factors + self.rated_factors(history[history != PAD]).square().sum(dim=1).mean()
        return factors, biases


class RatingNetwork(nn.Module):
    """Any sequence network with a head that rates candidates from its states."""

    def __init__(self, network: SequenceNetwork, config: RatingHeadConfig, n_users: int) -> None:
        super().__init__()
        self.network = network
        state_dim = network.item_vectors().shape[1]
        self.start = nn.Parameter(torch.zeros(state_dim))
        self.head = RatingHead(config, n_items=network.n_items, n_users=n_users, state_dim=state_dim)

    def states(self, histories: Histories) -> Tensor:
        """Return the state after 0, 1, .. T events, shape [B, T+1, D]."""
        first = self.start.expand(len(histories.items), 1, -1)
        return torch.cat([first, self.network.encode(histories)], dim=1)

    def forward(
        self, histories: Histories, users: Tensor, row: Tensor, before: Tensor, items: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the stars [N] and the states [B, T+1, D] they were read from.

        Args:
            histories: Histories of B people.
            users: [B] rows of the training data, -1 for a person whom it does not know.
            row: [N] who is asked.
            before: [N] events of the history that precede the question.
            items: [N] the movies asked for.
        """
        states = self.states(histories)
        rated = self.head.of_rated(histories.items, row, before)
        return self.head(states[row, before], users[row] + 1, items, rated), states
