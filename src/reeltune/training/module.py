"""The LightningModule that trains any network to predict the next movie.

Shapes: B batch, T steps, D embedding, M validation queries, V catalogue.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor, nn

from reeltune.data.batch import Histories, TrainingBatch
from reeltune.data.features.config import SideShapes
from reeltune.data.prepared import PAD
from reeltune.data.sequences import QueryBatch
from reeltune.errors import DivergedError
from reeltune.metrics.evaluate import target_ranks, top_items
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.losses import bpr_max, gbce, sampled_scores, sampled_softmax, top1_max
from reeltune.models.negatives import NegativeSampler
from reeltune.models.registry import AnyNetworkConfig, build_network
from reeltune.seeding import derive
from reeltune.training.averaging import WeightAverage
from reeltune.training.config import TrainingConfig
from reeltune.training.leg import Leg, take_moments
from reeltune.training.schedules import learning_rate_factor

__all__ = ["NextItemModule", "parameter_groups"]


class NextItemModule(pl.LightningModule):
    """Trains a network to predict the next movie at every position and ranks the whole catalogue.

    The hyperparameters that Lightning stores are plain values, so ``load_from_checkpoint`` works
    with ``weights_only=True``. Weights are drawn from torch's generator, dropout of each epoch from
    ``(seed, epoch)``: a resumed run draws the same numbers as one that was never interrupted.
    """

    ranks: NDArray[np.int32]
    """Ranks of the latest validation, [M]."""

    lists: NDArray[np.int64]
    """The first ``list_length`` movies of each query in the latest validation, [M, K]."""

    list_length: int = 0
    """Movies of each query's list that a validation keeps; 0 for none."""

    leg: Leg | None = None
    """The stretch of a longer training that this one is; None for a whole one."""

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
        self.average: WeightAverage | None = None
        self._saved_average: dict[str, Any] | None = None
        self._saved_moments: dict[str, Any] | None = None
        self.sampler: NegativeSampler | None = None
        self.ranks = np.zeros(0, dtype=np.int32)
        self.lists = np.zeros((0, 0), dtype=np.int64)
        self._loss_sum, self._n_positions = 0.0, 0
        self._rank_parts: list[tuple[Tensor, Tensor]] = []  # (index into the queries, ranks)
        self._list_parts: list[Tensor] = []

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW and its learning rate schedule."""
        config = self.training_config
        optimizer = torch.optim.AdamW(
            parameter_groups(self.network, config.weight_decay), lr=config.learning_rate, fused=True
        )
        if self._saved_moments is not None:
            take_moments(optimizer, self._saved_moments)
            self._saved_moments = None
        n_own = int(self.trainer.estimated_stepping_batches)
        n_before, n_steps = (0, n_own) if self.leg is None else self.leg.steps(n_own, config.max_epochs)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(config, n_before + step, n_steps)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_batch_start(self, batch: TrainingBatch, batch_idx: int) -> None:
        """Start the epoch's stream of dropout masks and its mean loss."""
        if batch_idx == 0:
            torch.manual_seed(derive(self.seed, "dropout", self.current_epoch))
            self._loss_sum, self._n_positions = 0.0, 0

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of the gradient; Lightning's own way refuses a fused optimizer in mixed precision."""
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """Return the mean loss over the positions of ``batch`` that have a next movie.

        Raises:
            DivergedError: The loss is not finite.
        """
        is_position = batch.targets != PAD  # [B, T]
        queries = self.network.encode(self._masked(batch.histories))[is_position]  # [N, D]
        loss = self._loss(queries, batch.targets[is_position])
        value = loss.item()
        if not np.isfinite(value):
            raise DivergedError(
                f"the loss is {value} at epoch {self._epoch_number}, step {self.global_step + 1};"
                f" lower the learning rate ({self.training_config.learning_rate:g})"
            )
        self._loss_sum += value * len(queries)
        self._n_positions += len(queries)
        return loss

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

    def on_train_batch_end(self, outputs: Any, batch: TrainingBatch, batch_idx: int) -> None:
        """Update the averaged weights."""
        if self.average is not None:
            self.average.update(self.network)

    @property
    def _epoch_number(self) -> int:
        return self.current_epoch + 1 + (self.leg.start if self.leg is not None else 0)

    @property
    def train_loss(self) -> float:
        """Mean loss of a position in the latest training epoch."""
        return self._loss_sum / self._n_positions

    def on_fit_start(self) -> None:
        """Start averaging the weights, or go on from those of the checkpoint."""
        if self.training_config.ema_decay > 0:
            self.average = WeightAverage(self.network, self.training_config.ema_decay)
            if self._saved_average is not None:
                self.average.load_state_dict(self._saved_average)

    def on_validation_start(self) -> None:
        """Put the averaged weights in."""
        self._rank_parts, self._list_parts = [], []
        self.swap_average()

    def swap_average(self) -> None:
        """Put the averaged weights in, where there are any; a second call takes them out."""
        if self.average is not None:
            self.average.swap(self.network)

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
            raise DivergedError(f"epoch {self._epoch_number}, step {self.global_step}: {error}") from error
        self._rank_parts.append((batch.index, ranks))
        if self.list_length:
            self._list_parts.append(top_items(scores, batch.histories.items, self.list_length))

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

    def on_validation_end(self) -> None:
        """Put the weights in training back; callbacks have seen the averaged ones by now."""
        self.swap_average()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the averaged weights."""
        if self.average is not None:
            checkpoint["average"] = self.average.state_dict()

    def begin_from(self, checkpoint: dict[str, Any]) -> None:
        """Take weights, their average and the optimizer's moments over from another training's checkpoint."""
        self.load_state_dict(checkpoint["state_dict"])
        self._saved_average = checkpoint.get("average")
        self._saved_moments = checkpoint["optimizer_states"][0]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the averaged weights until the network is on its device."""
        self._saved_average = checkpoint.get("average")


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return AdamW's groups: matrices decay, biases and norms do not."""
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    vectors = [p for p in network.parameters() if p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
