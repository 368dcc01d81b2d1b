"""The LightningDataModule of prepared data: batches are whole when they leave the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import lightning.pytorch as pl

from reeltune.data.batch import TrainingBatch
from reeltune.data.config import DataConfig
from reeltune.data.prepared import TuningData
from reeltune.data.sequences import QueryBatch, n_window_batches, query_batches, window_batches
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import DataError

_VALIDATION_BATCH_SIZE = 256
Batch = TypeVar("Batch", TrainingBatch, QueryBatch)


class _Batches(Generic[Batch]):
    """Batches that are made again for each pass.

    A plain iterable and no ``DataLoader``: the batches leave the store whole, so workers would
    only copy them.
    """

    def __init__(self, make: Callable[[], Iterator[Batch]], of: SequenceDataModule) -> None:
        self._make: Callable[[], Iterator[Batch]] = make
        self._of = of

    def __iter__(self) -> Iterator[Batch]:
        # A generator: the epoch is read at the first batch, for Lightning asks for the iterator before
        # it has restored the epoch of a resumed run.
        is_pinned = self._of.is_on_gpu
        for batch in self._make():
            yield batch.pin_memory() if is_pinned else batch


class _CountedBatches(_Batches[TrainingBatch]):
    """Training batches, of which the number is known beforehand."""

    def __len__(self) -> int:
        return self._of.n_training_batches


class SequenceDataModule(pl.LightningDataModule):
    """Training windows and validation queries of a prepared data set, as training itself reads them.

    The order of an epoch's batches depends on ``seed`` and the trainer's epoch alone, so a
    resumed run sees what the uninterrupted one would have seen.
    """

    def __init__(self, data: TuningData, *, history_length: int, batch_size: int, seed: int) -> None:
        super().__init__()
        self.data = data
        self._history_length = history_length
        self._batch_size = batch_size
        self._seed = seed

    @classmethod
    def movielens(cls, edition: str = "100k", **settings: Any) -> SequenceDataModule:
        """Return the module of a MovieLens edition (``100k``, ``1m``, ``latest-small``); see :meth:`of`."""
        return cls.of(f"movielens-{edition}", **settings)

    @classmethod
    def reviews(cls, dataset: str = "rotten-tomatoes", **settings: Any) -> SequenceDataModule:
        """Return the module of a data set with review texts, ``module.data.train.reviews``; see :meth:`of`.

        Raises:
            DataError: The data hold no reviews.
        """
        module = cls.of(dataset, **settings)
        if module.data.train.reviews is None:
            raise DataError(
                f"{dataset} holds no review texts; take rotten-tomatoes, amazon-reviews, or a table of your "
                "own with a column for them"
            )
        return module

    @classmethod
    def of(
        cls,
        dataset: str,
        *,
        data_dir: Path | str | None = None,
        history_length: int = 50,
        batch_size: int = 64,
        seed: int = 17,
        **protocol: Any,
    ) -> SequenceDataModule:
        """Return the module of a data set by its name; it is prepared where it was not before.

        Args:
            dataset: Name in the list of ``reeltune data list``.
            data_dir: Folder or archive to look into first.
            history_length: Most positions of a training window.
            batch_size: Most windows of a batch.
            seed: Origin of the order of batches.
            protocol: Further fields of ``data`` in an experiment file, such as ``split="leave-last"``.

        Raises:
            DataError: The data cannot be found.
            ValueError: A field of ``protocol`` is unknown or out of range.
        """
        config = DataConfig.model_validate({"dataset": dataset, **protocol})
        folder = prepare(config, data_dir=None if data_dir is None else Path(data_dir))
        return cls(open_tuning(folder), history_length=history_length, batch_size=batch_size, seed=seed)

    def train_dataloader(self) -> _CountedBatches:
        """Return one pass over all training positions, in the order of the current epoch."""
        return _CountedBatches(self._training_batches, self)

    def val_dataloader(self) -> _Batches[QueryBatch]:
        """Return one pass over the validation queries."""
        return _Batches(lambda: query_batches(self.data.validation, batch_size=_VALIDATION_BATCH_SIZE), self)

    @property
    def n_training_batches(self) -> int:
        """Number of batches of an epoch."""
        return n_window_batches(
            self.data.train, history_length=self._history_length, batch_size=self._batch_size
        )

    @property
    def is_on_gpu(self) -> bool:
        """Whether the trainer computes on a GPU; batches are pinned for it."""
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"

    def _training_batches(self) -> Iterator[TrainingBatch]:
        return window_batches(
            self.data.train,
            history_length=self._history_length,
            batch_size=self._batch_size,
            seed=self._seed,
            epoch=0 if self.trainer is None else self.trainer.current_epoch,
        )
