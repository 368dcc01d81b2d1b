"""Training of rating networks with Lightning: stars as a regression, alone or beside the next movie.

Shapes: B people, T steps, N questions, D width of a query, M questions of a set.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from reeltune.data.features.config import SideShapes
from reeltune.data.prepared import PAD
from reeltune.data.ratings import RatingBatch, Ratings, rating_batches
from reeltune.errors import DivergedError
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.rating.network import RatingNetwork
from reeltune.models.registry import build_network
from reeltune.seeding import derive
from reeltune.training.averaging import WeightAverage
from reeltune.training.fit import quiet_lightning
from reeltune.training.isolation import isolated
from reeltune.training.module import parameter_groups
from reeltune.training.rating_config import RatingTrainingConfig
from reeltune.training.schedules import learning_rate_factor

__all__ = ["RatingFit", "RatingModule", "fit_ratings", "predict_ratings"]


class RatingModule(pl.LightningModule):
    """Minimises the mean squared error of the stars, plus penalties and the next movie's weighted loss."""

    def __init__(
        self,
        config: RatingTrainingConfig,
        *,
        n_items: int,
        train: Ratings,
        validation: Ratings | None,
        n_epochs: int,
        seed: int,
        report: Callable[[int, float], None],
    ) -> None:
        super().__init__()
        self.config = config
        self.seed = seed
        self.report = report
        self.train_set, self.validation_set = train, validation
        self.n_epochs = n_epochs
        network = build_network(config.model, n_items, SideShapes())
        self.network = RatingNetwork(network, config.head, train.sequences.n_users)
        self.network.head.mean.fill_(float(train.stars.mean()))
        self.average: WeightAverage | None = None
        self.rmse: list[float] = []
        """Validation error after each epoch."""
        self.best: dict[str, Any] | None = None
        """Weights of the epoch with the smallest validation error."""

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW and its learning rate schedule; the head's tables have penalties in place of decay."""
        config = self.config.training
        tables = self.network.head.tables()
        others = [p for p in self.network.parameters() if p.requires_grad and all(p is not t for t in tables)]
        groups = [
            *parameter_groups(nn.ParameterList(others), config.weight_decay),
            {"params": tables, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
        n_steps, shared = int(self.trainer.estimated_stepping_batches), config.shared()
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(shared, step, n_steps)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def train_dataloader(self) -> Any:
        """Return the batches of the present epoch."""
        n_batches = -(-len(np.unique(self.train_set.user)) // self.config.training.batch_size)
        return DataLoader(_Epoch(self, n_batches), batch_size=None)

    def on_fit_start(self) -> None:
        """Start averaging the weights."""
        if self.config.training.ema_decay > 0:
            self.average = WeightAverage(self.network, self.config.training.ema_decay)

    def on_train_batch_end(self, outputs: Any, batch: RatingBatch, batch_idx: int) -> None:
        """Update the averaged weights."""
        if self.average is not None:
            self.average.update(self.network)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's stream of dropout masks."""
        torch.manual_seed(derive(self.seed, "dropout", self.current_epoch))

    def training_step(self, batch: RatingBatch, batch_idx: int) -> Tensor:
        """Return the loss of ``batch``.

        Raises:
            DivergedError: The loss is not finite.
        """
        stars, states = self.network(batch.histories, batch.users, batch.row, batch.before, batch.items)
        loss: Tensor = (stars - batch.stars).square().mean() + self._penalty(batch)
        if self.config.next_movie_weight > 0:
            loss = loss + self.config.next_movie_weight * self._next_movie_loss(batch, states)
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss.item()} at epoch {self.current_epoch + 1}; lower the learning rate "
                f"({self.config.training.learning_rate:g})"
            )
        return loss

    def on_train_epoch_end(self) -> None:
        """Keep the weights when the validation error is smaller than before; end when patience is out.

        Without validation the weights of the last epoch are kept.
        """
        is_last = self.current_epoch + 1 == self.n_epochs
        if self.average is not None:
            self.average.swap(self.network)
        if self.validation_set is not None:
            is_last = self._validate(self.validation_set) or is_last
        elif is_last:
            self.best = copy.deepcopy(self.network.state_dict())
        if self.average is not None:
            self.average.swap(self.network)
        self.trainer.should_stop = is_last

    def _validate(self, validation: Ratings) -> bool:
        """Report the error on ``validation``, keep weights that are better, tell whether patience is out."""
        predicted = predict_ratings(self.network, validation, self.config.training.batch_size)
        error = float(np.sqrt(np.mean((predicted - validation.stars) ** 2)))
        if not self.rmse or error < min(self.rmse):
            self.best = copy.deepcopy(self.network.state_dict())
        self.rmse.append(error)
        self.report(len(self.rmse), error)
        return len(self.rmse) - int(np.argmin(self.rmse)) > self.config.training.patience

    def _penalty(self, batch: RatingBatch) -> Tensor:
        weights = self.config.training
        factors, biases = self.network.head.squares(
            batch.users[batch.row] + 1, batch.items, batch.histories.items
        )
        return weights.factor_penalty * factors + weights.bias_penalty * biases

    def _next_movie_loss(self, batch: RatingBatch, states: Tensor) -> Tensor:
        items = batch.histories.items  # [B, T]; the state before each event predicts it
        is_event = items != PAD
        is_event[:, 0] = False  # of the first movie nothing is known
        network = self.network.network
        return full_softmax_loss(
            states[:, :-1][is_event], network.item_vectors(), network.item_bias(), items[is_event]
        )


class _Epoch(IterableDataset[RatingBatch]):
    def __init__(self, module: RatingModule, n_batches: int) -> None:
        self.module = module
        self.n_batches = n_batches

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[RatingBatch]:
        module = self.module
        return rating_batches(
            module.train_set,
            batch_size=module.config.training.batch_size,
            seed=derive(module.seed, "batches"),
            epoch=module.current_epoch,
        )


@dataclass(frozen=True)
class RatingFit:
    """A trained rating network and its course."""

    network: RatingNetwork  # with the weights of the best epoch, in evaluation mode
    validation_rmse: list[float]  # after each epoch; empty without validation
    seconds: float


def fit_ratings(
    config: RatingTrainingConfig,
    train: Ratings,
    validation: Ratings | None,
    n_items: int,
    *,
    seed: int,
    n_epochs: int | None = None,
    n_threads: int = 1,
    report: Callable[[int, float], None] = lambda epoch, rmse: None,
) -> RatingFit:
    """Return the network with the smallest validation error; without validation, that of the last epoch.

    Args:
        config: What to train.
        train: Questions whose answers are known, each after what precedes it.
        validation: Questions that choose the epoch, or None.
        n_items: Movies V of the catalogue.
        seed: Origin of the weights, the order of batches and the dropout masks.
        n_epochs: Epochs after which to stop, None for all; the schedule stays that of all.
        n_threads: Threads that torch may use.
        report: Receives epoch and validation RMSE after each epoch.

    Raises:
        DivergedError: The loss is not finite.
    """
    start = time.perf_counter()
    with isolated(n_threads):
        torch.manual_seed(derive(seed, "weights"))
        module = RatingModule(
            config,
            n_items=n_items,
            train=train,
            validation=validation,
            n_epochs=n_epochs or config.training.max_epochs,
            seed=seed,
            report=report,
        )
        with quiet_lightning():
            trainer = pl.Trainer(
                max_epochs=config.training.max_epochs,
                accelerator="auto",
                devices=1,
                gradient_clip_val=config.training.gradient_clip or None,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
            )
            trainer.fit(module)
    assert module.best is not None
    module.network.load_state_dict(module.best)
    return RatingFit(module.network.cpu().eval(), module.rmse, time.perf_counter() - start)


def predict_ratings(
    network: RatingNetwork, ratings: Ratings, batch_size: int = 64, bounds: tuple[float, float] = (1.0, 5.0)
) -> NDArray[np.float32]:
    """Return the predicted stars of each question, cut to ``bounds``, float32 [M]."""
    predicted = np.zeros(ratings.n_ratings, dtype=np.float32)
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    try:
        with torch.inference_mode():
            for batch in rating_batches(ratings, batch_size=batch_size):
                on = batch.to(device)
                stars, _ = network(on.histories, on.users, on.row, on.before, on.items)
                predicted[batch.index.numpy()] = stars.clamp(*bounds).cpu().numpy()
    finally:
        network.train(was_training)
    return predicted
