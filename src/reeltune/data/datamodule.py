"""Thin LightningDataModules over prepared data: batches are whole when they leave the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import lightning.pytorch as pl

from reeltune.data.batch import TrainingBatch
from reeltune.data.prepared import Queries, TuningData
from reeltune.data.sequences import QueryBatch, n_window_batches, query_batches, window_batches

__all__ = ["MovieLensDataModule", "SequenceDataModule"]

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

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def __iter__(self) -> Iterator[QueryBatch]:
        return query_batches(self._queries, batch_size=_VALIDATION_BATCH_SIZE)


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
        return _ValidationBatches(self.data.validation)

    def _train_batches(self) -> Iterator[TrainingBatch]:
        # A generator: the epoch is read at the first batch, for Lightning asks for the iterator before
        # it has restored the epoch of a resumed run.
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        yield from window_batches(
            self.data.train,
            history_length=self._history_length,
            batch_size=self._batch_size,
            seed=self._seed,
            epoch=epoch,
        )


class MovieLensDataModule(SequenceDataModule):
    """The sequences of a MovieLens edition."""
