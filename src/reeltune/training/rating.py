"""The LightningModule that trains a rating network: ratings as a regression, alone or beside the next movie.

Shapes: B users, T steps, N questions, D width of a query, M questions of a set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor, nn

from reeltune.data.features.config import SideShapes
from reeltune.data.prepared import PAD, TuningData
from reeltune.data.ratings import RatingBatch, Ratings, known_ratings, rating_batches
from reeltune.errors import DataError, StudyError, first_line
from reeltune.metrics.registry import Evidence, measure
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.rating.baselines import RatingBaseline
from reeltune.models.rating.network import RatingHeadConfig, RatingNetwork
from reeltune.models.registry import AnyNetworkConfig, build_network, is_network
from reeltune.training.base import TrainedModule, parameter_groups
from reeltune.training.checkpoint import read_checkpoint, write_array
from reeltune.training.config import RatingTrainingConfig
from reeltune.training.epochs import VALIDATION_PREDICTIONS


class RatingDataModule(pl.LightningDataModule):
    """Rating questions of a prepared data set: whole histories of users and what they were asked.

    Every rated training event is a question after all that precedes it. The order of an epoch's batches
    depends on ``seed`` and the trainer's epoch alone.
    """

    def __init__(self, data: TuningData, *, batch_size: int, seed: int) -> None:
        """Take the data; ``batch_size`` counts users.

        Raises:
            DataError: No training event is rated.
        """
        super().__init__()
        self.data = data
        self.train = known_ratings(data.train)
        if not self.train.n_ratings:
            raise DataError(f"{data.ledger.dataset} has no ratings to learn from; choose other data")
        self._batch_size = batch_size
        self._seed = seed

    def train_dataloader(self) -> _Batches:
        """Return one pass over all training questions, in the order of the current epoch."""
        return _Batches(self._training_batches, self.train, self._batch_size)

    def val_dataloader(self) -> _Batches:
        """Return one pass over the validation questions, those of a user together."""
        asked = Ratings.of(self.data.validation)
        return _Batches(lambda: rating_batches(asked, batch_size=self._batch_size), asked, self._batch_size)

    def _training_batches(self) -> Iterator[RatingBatch]:
        # A generator, for Lightning asks for it before it has restored the epoch of a resumed run.
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        yield from rating_batches(self.train, batch_size=self._batch_size, seed=self._seed, epoch=epoch)


class _Batches:
    """The batches of a pass over ``ratings``, and their number."""

    def __init__(self, make: Callable[[], Iterator[RatingBatch]], ratings: Ratings, batch_size: int) -> None:
        self._make = make
        self._n_batches = -(-len(np.unique(ratings.user)) // batch_size)

    def __iter__(self) -> Iterator[RatingBatch]:
        return self._make()

    def __len__(self) -> int:
        return self._n_batches


class RatingModule(TrainedModule):
    """Minimises the mean squared error of the ratings, penalties and the next movie's weighted loss."""

    network: RatingNetwork
    training_config: RatingTrainingConfig

    predicted: NDArray[np.float32]
    """Ratings that the latest validation predicted, within the bounds, [M]."""

    def __init__(
        self,
        *,
        model: dict[str, Any],
        head: dict[str, Any],
        training: dict[str, Any],
        n_items: int,
        n_users: int,
        mean: float,
        bounds: list[float],
        seed: int = 0,
    ) -> None:
        """Draw the network; ``mean`` and ``bounds`` are those of the training ratings."""
        super().__init__()
        self.save_hyperparameters()
        config = TypeAdapter(AnyNetworkConfig).validate_python(model)
        self.training_config = RatingTrainingConfig.model_validate(training)
        network = build_network(config, n_items, SideShapes())
        self.network = RatingNetwork(network, RatingHeadConfig.model_validate(head), n_users)
        self.network.head.mean.fill_(mean)
        self.seed = seed
        self.bounds = (bounds[0], bounds[1])
        self.predicted = np.zeros(0, dtype=np.float32)
        self._parts: list[tuple[Tensor, Tensor]] = []  # (index into the questions, predictions)

    def groups(self) -> list[dict[str, Any]]:
        """Return AdamW's groups of parameters; the head's tables have penalties in place of decay."""
        tables = self.network.head.tables()
        others = [p for p in self.network.parameters() if p.requires_grad and all(p is not t for t in tables)]
        decayed = parameter_groups(nn.ParameterList(others), self.training_config.weight_decay)
        return [*decayed, {"params": tables, "weight_decay": 0.0}]

    def on_train_batch_start(self, batch: RatingBatch, batch_idx: int) -> None:
        """Start the epoch's stream of dropout masks and its mean loss."""
        super().on_train_batch_start(batch, batch_idx)
        if batch_idx == 0 and self.current_epoch > 0:
            # NOTE: recorded results drew the seed of a DataLoader here, which the masks of an epoch follow.
            torch.empty((), dtype=torch.int64).random_()

    def training_step(self, batch: RatingBatch, batch_idx: int) -> Tensor:
        """Return the loss of ``batch``.

        Raises:
            DivergedError: The loss is not finite.
        """
        config = self.training_config
        predicted, states = self.network(batch.histories, batch.users, batch.row, batch.before, batch.items)
        loss: Tensor = (predicted - batch.stars).square().mean() + self._penalty(batch)
        if config.next_movie_weight > 0:
            loss = loss + config.next_movie_weight * self._next_movie_loss(batch, states)
        return self.counted(loss, len(batch.items))

    def validation_step(self, batch: RatingBatch, batch_idx: int) -> None:
        """Predict the ratings of ``batch``."""
        if batch_idx == 0:
            self._parts = []
        predicted, _ = self.network(batch.histories, batch.users, batch.row, batch.before, batch.items)
        self._parts.append((batch.index, predicted.clamp(*self.bounds)))

    def on_validation_epoch_end(self) -> None:
        """Bring the predictions into the order of the questions."""
        index = torch.cat([index.cpu() for index, _ in self._parts]).numpy()
        self.predicted = np.zeros(len(index), dtype=np.float32)
        self.predicted[index] = torch.cat([part.cpu() for _, part in self._parts]).numpy()

    def validated(self, data: TuningData, known: Mapping[str, float]) -> dict[str, float]:
        """Return the metrics of the latest validation; ``known`` are those of the epoch before."""
        actual = Ratings.of(data.validation).stars
        evidence = Evidence.of_ratings(self.predicted, actual, self.network, data)
        return measure(self.labels, evidence, known)

    def write_validation(self, directory: Path) -> None:
        """Write the predictions of the latest validation."""
        write_array(directory / VALIDATION_PREDICTIONS, self.predicted)

    def _penalty(self, batch: RatingBatch) -> Tensor:
        weights = self.training_config
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


def predict_ratings(
    network: RatingNetwork, ratings: Ratings, bounds: tuple[float, float], batch_size: int = 64
) -> NDArray[np.float32]:
    """Return the predicted rating of each question, cut to ``bounds``, float32 [M].

    The network is in evaluation mode, on its own device.
    """
    predicted = np.zeros(ratings.n_ratings, dtype=np.float32)
    device = next(network.parameters()).device
    with torch.inference_mode():
        for batch in rating_batches(ratings, batch_size=batch_size):
            on = batch.to(device)
            found, _ = network(on.histories, on.users, on.row, on.before, on.items)
            predicted[batch.index.numpy()] = found.clamp(*bounds).cpu().numpy()
    return predicted


def load_rater(path: Path) -> Callable[[Ratings], NDArray[np.float32]]:
    """Return the predictor of the checkpoint at ``path``: from M questions to ratings, float32 [M].

    Raises:
        StudyError: The file is absent, damaged or holds no model of ratings.
    """
    checkpoint = read_checkpoint(path)
    hyper_parameters, state = checkpoint["hyper_parameters"], checkpoint["state_dict"]
    try:
        if not is_network(hyper_parameters["model"]["name"]):
            return RatingBaseline.from_tables({name: table.numpy() for name, table in state.items()}).predict
        with torch.random.fork_rng(devices=[]):
            module = RatingModule(**hyper_parameters)
        module.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StudyError(f"{path} holds no model of ratings: {first_line(error)}") from error
    network = module.network.eval()
    return lambda ratings: predict_ratings(network, ratings, module.bounds)
