"""What the two LightningModules share: optimizer, schedule, averaged weights, segments, resuming."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from reeltune.errors import DivergedError
from reeltune.seeding import derive
from reeltune.training.config import RatingTrainingConfig, TrainingConfig, learning_rate_factor


@dataclass(frozen=True)
class Segment:
    """The epochs ``start + 1`` to ``end`` of a training.

    The learning rate takes the course that the whole training would give these epochs. Patience is not
    looked at: whoever asks for segments ends the training.
    """

    start: int  # epochs that were done before
    end: int  # epochs that are done when the segment is over
    origin: Path | None = None  # last.ckpt of the training that did the epochs before; None for fresh weights
    is_refit: bool = False
    """Whether it trains on the validation targets too: nothing is validated, the last weights are kept."""

    @property
    def n_epochs(self) -> int:
        """Return the count of its own epochs."""
        return self.end - self.start

    def steps(self, n_own: int, max_epochs: int) -> tuple[int, int]:
        """Return the steps before the segment and of the whole training, at ``n_own`` steps in the segment.

        >>> Segment(start=4, end=6).steps(20, max_epochs=10)
        (40, 100)
        """
        return round(n_own * self.start / self.n_epochs), round(n_own * max_epochs / self.n_epochs)


class TrainedModule(pl.LightningModule, abc.ABC):
    """A network in training; a subclass gives its loss and what a validation finds.

    The hyperparameters that Lightning stores are plain values, so ``load_from_checkpoint`` works
    with ``weights_only=True``. Weights are drawn from torch's generator, dropout of each epoch from
    ``(seed, epoch)``: a resumed run draws the same numbers as one that was never interrupted.
    """

    network: nn.Module
    training_config: TrainingConfig | RatingTrainingConfig
    seed: int

    segment: Segment | None = None
    """The part of a longer training that this one is; None for a whole one."""

    labels: Sequence[str] = ()
    """Metrics that a validation takes; the first is the objective."""

    def __init__(self) -> None:
        super().__init__()
        self.average: WeightAverage | None = None
        self._saved_average: dict[str, Any] | None = None
        self._saved_moments: dict[str, Any] | None = None
        self._loss_sum, self._n_losses = 0.0, 0

    @abc.abstractmethod
    def validated(self, data: Any, known: Mapping[str, float]) -> dict[str, float]:
        """Return the metrics of the latest validation; ``known`` are those of the epoch before."""

    @abc.abstractmethod
    def write_validation(self, directory: Path) -> None:
        """Write what the latest validation found, query by query, into ``directory``."""

    def groups(self) -> list[dict[str, Any]]:
        """Return AdamW's groups of parameters."""
        return parameter_groups(self.network, self.training_config.weight_decay)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW and its learning rate schedule."""
        config = self.training_config
        optimizer = torch.optim.AdamW(self.groups(), lr=config.learning_rate, fused=True)
        if self._saved_moments is not None:
            take_moments(optimizer, self._saved_moments)
            self._saved_moments = None
        n_own = int(self.trainer.estimated_stepping_batches)
        n_before, n_steps = (0, n_own)
        if self.segment is not None:
            n_before, n_steps = self.segment.steps(n_own, config.max_epochs)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(config, n_before + step, n_steps)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Start the epoch's stream of dropout masks and its mean loss."""
        if batch_idx == 0:
            torch.manual_seed(derive(self.seed, "dropout", self.current_epoch))
            self._loss_sum, self._n_losses = 0.0, 0

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of the gradient; Lightning's own way refuses a fused optimizer in mixed precision."""
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def counted(self, loss: Tensor, n: int) -> Tensor:
        """Return ``loss``, the mean over ``n`` predictions, after adding it to the mean of the epoch.

        Raises:
            DivergedError: The loss is not finite.
        """
        value = loss.item()
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss is {value} at epoch {self.epoch_number}, step {self.global_step + 1};"
                f" lower the learning rate ({self.training_config.learning_rate:g})"
            )
        self._loss_sum += value * n
        self._n_losses += n
        return loss

    @property
    def epoch_number(self) -> int:
        """Number of the epoch in training, counted from 1 over all segments."""
        return self.current_epoch + 1 + (self.segment.start if self.segment is not None else 0)

    @property
    def train_loss(self) -> float:
        """Mean loss of a prediction in the latest training epoch."""
        return self._loss_sum / self._n_losses

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Update the averaged weights."""
        if self.average is not None:
            self.average.update(self.network)

    def on_fit_start(self) -> None:
        """Start averaging the weights, or resume with those of the checkpoint."""
        if self.training_config.ema_decay > 0:
            self.average = WeightAverage(self.network, self.training_config.ema_decay)
            if self._saved_average is not None:
                self.average.load_state_dict(self._saved_average)

    def swap_average(self) -> None:
        """Put the averaged weights in, where there are any; a second call takes them out."""
        if self.average is not None:
            self.average.swap(self.network)

    def on_validation_start(self) -> None:
        """Put the averaged weights in."""
        self.swap_average()

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


class WeightAverage:
    """Averages weights step by step: ``average = d * average + (1 - d) * weights``.

    ``d`` is ``min(decay, (1 + step) / (10 + step))``, so that the first, untrained weights are
    soon forgotten (as in TensorFlow's ExponentialMovingAverage with ``num_updates``).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.n_updates = 0
        self.weights = [parameter.detach().clone() for parameter in network.parameters()]

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the network's present weights into the average."""
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        self.n_updates += 1
        torch._foreach_lerp_(self.weights, [p.detach() for p in network.parameters()], 1 - decay)

    @torch.no_grad()
    def swap(self, network: nn.Module) -> None:
        """Exchange the average with the network's weights; a second call takes it back."""
        for mine, parameter in zip(self.weights, network.parameters(), strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(mine)
            mine.copy_(kept)

    def state_dict(self) -> dict[str, int | list[Tensor]]:
        """Return the average as plain values and tensors."""
        return {"n_updates": self.n_updates, "weights": self.weights}

    def load_state_dict(self, state: dict[str, int | list[Tensor]]) -> None:
        """Take the average that :meth:`state_dict` gave."""
        n_updates, weights = state["n_updates"], state["weights"]
        assert isinstance(n_updates, int)
        assert isinstance(weights, list)
        self.n_updates = n_updates
        for mine, saved in zip(self.weights, weights, strict=True):
            mine.copy_(saved)


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return AdamW's groups: matrices decay, biases and norms do not."""
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    vectors = [p for p in network.parameters() if p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def take_moments(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any]) -> None:
    """Put the moments of a saved optimizer of the same network into ``optimizer``, not its settings."""
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
