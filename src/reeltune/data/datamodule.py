"""Thin LightningDataModules over prepared data: batches are whole when they leave the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import lightning.pytorch as pl

from reeltune.data.batch import TrainingBatch
from reeltune.data.prepared import Queries, TuningData
from reeltune.data.sequences import QueryBatch, n_window_batches, query_batches, window_batches
from reeltune.errors import DataError

__all__ = ["MovieLensDataModule", "ReviewsDataModule", "SequenceDataModule"]

_VALIDATION_BATCH_SIZE = 256


class _TrainingBatches:
    """The training batches of an epoch, and their number.

    A plain iterable and no ``DataLoader``: the batches leave the store whole, so workers would
    only copy them.
    """

    def __init__(self, make: Callable[[], Iterator[TrainingBatch]], n_batches: int) -> None:
        self._make = make
        self._n_batches = n_batches

    def __iter__(self) -> Iterator[TrainingBatch]:
        return self._make()

    def __len__(self) -> int:
        return self._n_batches


class _ValidationBatches:
    """The validation batches, made anew for each pass."""

    def __init__(self, queries: Queries, is_pinned: bool) -> None:
        self._queries = queries
        self._is_pinned = is_pinned

    def __iter__(self) -> Iterator[QueryBatch]:
        batches = query_batches(self._queries, batch_size=_VALIDATION_BATCH_SIZE)
        return (batch.pin_memory() for batch in batches) if self._is_pinned else batches


class SequenceDataModule(pl.LightningDataModule):
    """Training windows and validation queries of a prepared data set.

    The order of an epoch's batches depends on ``seed`` and the trainer's epoch alone, so a
    resumed run sees what the uninterrupted one would have seen.
    """

    def __init__(self, data: TuningData, *, history_length: int, batch_size: int, seed: int) -> None:
        super().__init__()
        self.data = data
        self._history_length = history_length
        self._batch_size = batch_size
        self._seed = seed

    def train_dataloader(self) -> _TrainingBatches:
        """Return one pass over all training positions, in the order of the current epoch."""
        n_batches = n_window_batches(
            self.data.train, history_length=self._history_length, batch_size=self._batch_size
        )
        return _TrainingBatches(self._train_batches, n_batches)

    def val_dataloader(self) -> _ValidationBatches:
        """Return one pass over the validation queries."""
        return _ValidationBatches(self.data.validation, self._is_on_gpu())

    def _train_batches(self) -> Iterator[TrainingBatch]:
        # A generator: the epoch is read at the first batch, for Lightning asks for the iterator before
        # it has restored the epoch of a resumed run.
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        batches = window_batches(
            self.data.train,
            history_length=self._history_length,
            batch_size=self._batch_size,
            seed=self._seed,
            epoch=epoch,
        )
        is_pinned = self._is_on_gpu()
        for batch in batches:
            yield batch.pin_memory() if is_pinned else batch

    def _is_on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"


class MovieLensDataModule(SequenceDataModule):
    """The sequences of a MovieLens edition."""


class ReviewsDataModule(SequenceDataModule):
    """The sequences of a data set with review texts.

    ``data.train.reviews`` holds the texts, position by position.

    Raises:
        DataError: The data hold no reviews.
    """

    def __init__(self, data: TuningData, *, history_length: int, batch_size: int, seed: int) -> None:
        if data.train.reviews is None:
            raise DataError(
                f"{data.ledger.dataset} holds no review texts; take rotten-tomatoes, amazon-reviews, or a "
                "table of your own with a column for them"
            )
        super().__init__(data, history_length=history_length, batch_size=batch_size, seed=seed)
