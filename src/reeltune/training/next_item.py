"""The LightningModule that trains any network to predict the next movie.

Shapes: B batch, T steps, D embedding, M validation queries, V catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor

from reeltune.data.batch import Histories, TrainingBatch
from reeltune.data.features.config import SideShapes
from reeltune.data.prepared import PAD, TuningData
from reeltune.data.sequences import QueryBatch
from reeltune.errors import DivergedError
from reeltune.metrics.evaluate import target_ranks, top_items
from reeltune.metrics.registry import Evidence, list_length, measure
from reeltune.models.base import SequenceNetwork
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.losses import bpr_max, gbce, sampled_scores, sampled_softmax, top1_max
from reeltune.models.negatives import NegativeSampler
from reeltune.models.registry import AnyNetworkConfig, build_network
from reeltune.training.base import TrainedModule
from reeltune.training.checkpoint import write_array
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import VALIDATION_RANKS


class NextItemModule(TrainedModule):
    """Trains a network to predict the next movie at every position and ranks the whole catalogue."""

    ranks: NDArray[np.int32]
    """Ranks of the latest validation, [M]."""

    lists: NDArray[np.int64]
    """The first movies of each query that the metrics ask for in the latest validation, [M, K]."""

    training_config: TrainingConfig
    network: SequenceNetwork

    def __init__(
        self,
        model: dict[str, Any],
        training: dict[str, Any],
        n_items: int,
        seed: int = 0,
        side: dict[str, Any] | None = None,
    ) -> None:
        """Draw the network; ``side`` gives the plain sizes of its tables of side information."""
        super().__init__()
        self.save_hyperparameters()
        config = TypeAdapter(AnyNetworkConfig).validate_python(model)
        self.training_config = TrainingConfig.model_validate(training)
        self.network = build_network(config, n_items, SideShapes.model_validate(side or {}))
        self.seed = seed
        self.sampler: NegativeSampler | None = None
        self.ranks = np.zeros(0, dtype=np.int32)
        self.lists = np.zeros((0, 0), dtype=np.int64)
        self._rank_parts: list[tuple[Tensor, Tensor]] = []  # (index into the queries, ranks)
        self._list_parts: list[Tensor] = []

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """Return the mean loss over the positions of ``batch`` that have a next movie.

        Raises:
            DivergedError: The loss is not finite.
        """
        is_position = batch.targets != PAD  # [B, T]
        queries = self.network.encode(self._masked(batch.histories))[is_position]  # [N, D]
        loss = self._loss(queries, batch.targets[is_position])
        return self.counted(loss, len(queries))

    def _masked(self, histories: Histories) -> Histories:
        """Return the histories with some of the movies hidden."""
        share = self.training_config.item_masking
        if share == 0:
            return histories
        is_hidden = torch.rand(histories.items.shape, device=histories.items.device) < share  # [B, T]
        return replace(histories, items=histories.items.masked_fill(is_hidden, PAD))

    def _loss(self, queries: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of the config over the rows of ``queries`` [N, D] and ``targets`` [N]."""
        config, network = self.training_config, self.network
        vectors, bias = network.item_vectors(), network.item_bias()
        if config.loss == "softmax":
            smoothing = config.label_smoothing
            return full_softmax_loss(queries, vectors, bias, targets, label_smoothing=smoothing)
        assert self.sampler is not None, "call sample_from first"
        drawn = self.sampler.to(queries.device).draw(config.n_negatives)
        scores = sampled_scores(queries, vectors, bias, targets, drawn)
        if config.loss == "sampled-softmax":
            return sampled_softmax(scores)
        if config.loss == "bpr-max":
            return bpr_max(scores, config.bpr_penalty)
        if config.loss == "top1-max":
            return top1_max(scores)
        return gbce(scores, network.n_items, config.gbce_calibration)

    def sample_from(self, counts: Tensor) -> None:
        """Draw the negatives of a sampled loss by how often each movie was seen, ``counts`` [V+1]."""
        config = self.training_config
        exponent = 0.0 if config.loss == "gbce" else config.negative_exponent
        self.sampler = NegativeSampler(counts, exponent)

    def on_validation_start(self) -> None:
        """Put the averaged weights in."""
        self._rank_parts, self._list_parts = [], []
        super().on_validation_start()

    def validation_step(self, batch: QueryBatch, batch_idx: int) -> None:
        """Rank the targets of ``batch`` in the whole catalogue.

        Raises:
            DivergedError: A score is not finite.
        """
        with torch.autocast(self.device.type, enabled=False):  # rounded scores would tie
            scores = self.network.scores(batch.histories)  # [B, V+1]
        try:
            ranks = target_ranks(scores, batch.targets, batch.histories.items)
        except DivergedError as error:
            raise DivergedError(f"epoch {self.epoch_number}, step {self.global_step}: {error}") from error
        self._rank_parts.append((batch.index, ranks))
        if (n_listed := list_length(self.labels)) > 0:
            self._list_parts.append(top_items(scores, batch.histories.items, n_listed))

    def on_validation_epoch_end(self) -> None:
        """Bring the ranks into the order of the queries."""
        index = torch.cat([index.cpu() for index, _ in self._rank_parts]).numpy()
        ranks = torch.cat([ranks.cpu() for _, ranks in self._rank_parts]).numpy()
        self.ranks = np.zeros(len(ranks), dtype=np.int32)
        self.ranks[index] = ranks
        if self._list_parts:
            lists = torch.cat([part.cpu() for part in self._list_parts]).numpy()
            self.lists = np.zeros_like(lists)
            self.lists[index] = lists

    def validated(self, data: TuningData, known: Mapping[str, float]) -> dict[str, float]:
        """Return the metrics of the latest validation; ``known`` are those of the epoch before."""
        return measure(self.labels, Evidence(self.ranks, self.lists, self.network, data), known)

    def write_validation(self, directory: Path) -> None:
        """Write the ranks of the latest validation."""
        write_array(directory / VALIDATION_RANKS, self.ranks)
