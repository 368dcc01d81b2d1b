"""What a network reads at each step: the embedding of the movie just seen, and what is known beside it.

Shapes: B batch, T steps, D embedding, V catalogue, F dense features, K people, C profile columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reeltune.data.batch import Histories
from reeltune.data.features.config import FeatureConfig, SideShapes
from reeltune.data.features.users import (
    N_GAP_BUCKETS,
    N_RATING_COLUMNS,
    gap_buckets,
    request_buckets,
    running_taste,
)
from reeltune.data.prepared import PAD
from reeltune.models.kernels.dropout import Dropout

_N_STAR_BUCKETS = 11
"""0 for no rating, then half stars from 0.5 to 5."""
_FIRST_SHARE = 0.1
"""First deviation of the added vectors over that of the movies' own. On Rotten Tomatoes a whole one, noise as
loud as the movie, cost .004 NDCG@10 for lexicon sentiment (2 seeds, 12 epochs)."""
_N_SENTIMENT = 2
"""Sentiment and its strength."""


class ItemEmbedding(nn.Module):
    """Looks up the embedding of each movie and drops parts of it while training.

    Rows are drawn with a standard deviation of ``embedding_dim ** -.5``, so that a normalised
    query has scores of about unit variance at the start. The row of padding is zero and stays so.
    """

    def __init__(
        self, n_items: int, embedding_dim: int, dropout: float = 0.0, locked_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(n_items + 1, embedding_dim, padding_idx=PAD)
        self.dropout = Dropout(dropout)
        self.locked_dropout = locked_dropout
        nn.init.normal_(self.table.weight, std=embedding_dim**-0.5)
        nn.init.zeros_(self.table.weight[PAD].detach())

    def forward(self, items: Tensor, added: Tensor | None = None) -> Tensor:
        """Return the embeddings of ``items`` [B, T] plus ``added`` [B, T, D], shape [B, T, D]."""
        vectors: Tensor = self.table(items)
        if added is not None:
            vectors = vectors + added
        if self.training and self.locked_dropout:
            # The same dimensions at each step of a history: [B, 1, D].
            vectors = vectors * nn.functional.dropout(torch.ones_like(vectors[:, :1]), self.locked_dropout)
        embedded: Tensor = self.dropout(vectors)
        return embedded


class SideInputs(nn.Module):
    """Turns side information into vectors that are *added* to the embedding of the movie.

    Each part is a linear layer without bias or an embedding whose row 0 is zero, so what is missing
    adds nothing: a person without ratings, times, reviews or profile is read as by a network that has
    no such input. Adding keeps the width of the layers, so networks with and without an input have
    the same recurrent layers and, from one seed, the same first weights of them. Vectors are drawn
    with a tenth of the movie embeddings' deviation: an input begins as a whisper and grows if it helps.

    The tables lie in buffers, so a checkpoint or bundle holds all that it takes to score.
    """

    def __init__(self, config: FeatureConfig, shapes: SideShapes, n_items: int, embedding_dim: int) -> None:
        super().__init__()
        self.config = config
        self.shapes = shapes
        self.features: nn.Linear | None = None
        self.people: nn.Embedding | None = None
        self.taste: nn.Linear | None = None
        self.profile: nn.Embedding | None = None

        def linear(n_columns: int) -> nn.Linear:
            layer = nn.Linear(n_columns, embedding_dim, bias=False)
            nn.init.normal_(layer.weight, std=_FIRST_SHARE * embedding_dim**-0.5)
            return layer

        def embedding(n_codes: int) -> nn.Embedding:
            layer = nn.Embedding(n_codes, embedding_dim, padding_idx=0)
            nn.init.normal_(layer.weight, std=_FIRST_SHARE * embedding_dim**-0.5)
            nn.init.zeros_(layer.weight[0].detach())
            return layer

        self.stars = embedding(_N_STAR_BUCKETS) if config.rating else None
        self.gaps = embedding(N_GAP_BUCKETS) if config.time_gap else None
        self.waits = embedding(N_GAP_BUCKETS) if config.request_time else None
        self.sentiment = linear(_N_SENTIMENT) if config.sentiment != "none" else None
        if shapes.n_item_features:
            self.features = linear(shapes.n_item_features)
            self.register_buffer("item_features_table", torch.zeros(n_items + 1, shapes.n_item_features))
        if shapes.n_people:
            self.people = embedding(shapes.n_people + 1)
            people = torch.zeros(n_items + 1, shapes.max_people, dtype=torch.int64)
            self.register_buffer("people_table", people)
        if shapes.n_taste:
            self.taste = linear(shapes.n_taste + N_RATING_COLUMNS)
            self.register_buffer("taste_table", torch.zeros(n_items + 1, shapes.n_taste))
        if shapes.n_profile_codes:
            self.profile = embedding(shapes.n_profile_codes + 1)

    def fill(self, tables: Mapping[str, Any]) -> None:
        """Take the tables of :class:`reeltune.data.features.assemble.Features`."""
        for name, table in tables.items():
            self.get_buffer(f"{name}_table").copy_(torch.from_numpy(table.copy()))

    def forward(self, histories: Histories) -> Tensor | None:
        """Return what is added to the embeddings, shape [B, T, D], or None where nothing is on."""
        parts = [self._of_items(histories.items), *self._of_steps(histories), self._of_people(histories)]
        total: Tensor | None = None
        for part in parts:
            if part is not None:
                total = part if total is None else total + part
        return total

    def with_output(self, vectors: Tensor) -> Tensor:
        """Return the output vectors [V+1, D] plus those of the movies' features, if the config says so."""
        if not self.config.in_output or not self._tells_of_items:
            return vectors
        return vectors + self._of_each(torch.arange(len(vectors), device=vectors.device))

    @property
    def _tells_of_items(self) -> bool:
        return self.features is not None or self.people is not None

    def _of_items(self, items: Tensor) -> Tensor | None:
        """Return the part that depends on the movie alone, shape ``items.shape + (D,)``, or None.

        It is computed once for each movie that occurs: a movie's people are many rows, and a batch of long
        histories repeats its movies. A graph that is being exported has no movies yet to look at.
        """
        if not self._tells_of_items:
            return None
        if torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export():
            return self._of_each(items)
        distinct, place = torch.unique(items, return_inverse=True)  # [U], items.shape
        return nn.functional.embedding(place, self._of_each(distinct))

    def _of_each(self, items: Tensor) -> Tensor:
        parts: list[Tensor] = []
        if self.features is not None:
            parts.append(self.features(self.get_buffer("item_features_table")[items]))
        if self.people is not None:
            codes = self.get_buffer("people_table")[items]  # [..., K]
            n_people = (codes > 0).sum(dim=-1, keepdim=True).clamp(min=1)
            parts.append(self.people(codes).sum(dim=-2) / n_people)
        return torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]

    def _of_steps(self, histories: Histories) -> list[Tensor]:
        parts: list[Tensor] = []
        ratings = histories.ratings
        if ratings is not None:
            ratings = self.shapes.rating_scale.to_stars(ratings)
        if self.stars is not None and ratings is not None:
            half_stars = (2 * ratings).round().clamp(1, _N_STAR_BUCKETS - 1)
            parts.append(self.stars(half_stars.nan_to_num(nan=0.0).long()))
        if self.gaps is not None and histories.timestamps is not None:
            parts.append(self.gaps(gap_buckets(histories.timestamps)))
        if self.waits is not None and histories.timestamps is not None and histories.asked is not None:
            parts.append(self.waits(request_buckets(histories.timestamps, histories.asked)))
        if self.sentiment is not None and histories.sentiment is not None:
            known = histories.sentiment.nan_to_num(nan=0.0)
            parts.append(self.sentiment(torch.stack([known, known.abs()], dim=-1)))
        if self.taste is not None:
            table = self.get_buffer("taste_table")
            parts.append(self.taste(running_taste(histories.items, ratings, table)))
        return parts

    def _of_people(self, histories: Histories) -> Tensor | None:
        if self.profile is None or histories.profiles is None:
            return None
        of_person = self.profile(histories.profiles).sum(dim=1, keepdim=True)  # [B, 1, D]
        repeated: Tensor = of_person.expand(-1, histories.items.shape[1], -1)
        return repeated
