"""One training run with Lightning: quiet, resumable, validated every epoch."""

from __future__ import annotations

import ctypes
import gc
import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import Logger

from reeltune.data.datamodule import SequenceDataModule
from reeltune.errors import StudyError
from reeltune.metrics.registry import ChosenMetric
from reeltune.training.base import Segment, TrainedModule
from reeltune.training.callbacks import EpochRecorder
from reeltune.training.checkpoint import SealedCheckpoints, read_checkpoint
from reeltune.training.epochs import LAST_CHECKPOINT, EpochReport, Report, is_patience_out
from reeltune.training.rating import RatingDataModule


@dataclass(frozen=True)
class FitResult:
    """The epochs of a training run and why it ended."""

    epochs: list[EpochReport]
    reason: str


def fit(
    module: TrainedModule,
    data: SequenceDataModule | RatingDataModule,
    *,
    directory: Path,
    objective: ChosenMetric,
    report: Report,
    loggers: Sequence[Logger] = (),
    measures: Sequence[str] = (),
    accelerator: str = "auto",
    segment: Segment | None = None,
) -> FitResult:
    """Train ``module`` on ``data`` until its epochs or its patience are over, or for one ``segment``.

    ``directory`` receives ``last.ckpt``, ``best.ckpt`` and ``validation_ranks.npy``. When it already
    holds a ``last.ckpt``, ``report`` is first called again for each epoch in it, then training goes
    on from there as if it had never stopped.

    Args:
        module: A module that has not been trained.
        data: Gives training batches and validation queries.
        directory: Folder of this run alone.
        objective: The validation metric that chooses the best epoch.
        report: Called after each epoch; what it raises ends the training and passes through.
        accelerator: As Lightning names it: ``cpu``, ``gpu``, or ``auto`` for whatever is there.
        loggers: Lightning loggers that receive the figures of each epoch.
        measures: Labels of metrics to take each epoch besides the objective.
        segment: The epochs to train, from where another training ended; None for all, with patience.

    Raises:
        DivergedError: A loss or score is not finite.
        StudyError: A checkpoint is damaged, or that in ``directory`` is of another configuration.
        EngineError: The disk is full or not writable.
    """
    config = module.training_config
    epochs = _resumed_epochs(directory / LAST_CHECKPOINT, module)
    for epoch in epochs:
        report(epoch)
    n_epochs = config.max_epochs if segment is None else segment.n_epochs
    patience = config.patience if segment is None else n_epochs
    is_over = len(epochs) >= n_epochs or (bool(epochs) and is_patience_out(epochs, objective, patience))
    if not is_over:
        recorder = EpochRecorder(
            directory, objective, patience, report, epochs, data=data.data, segment=segment
        )
        module.labels = (objective.label, *measures)
        module.segment = segment
        if segment is not None and segment.origin is not None and not epochs:
            module.begin_from(read_checkpoint(segment.origin))
        with quiet_lightning():
            trainer = _trainer(module, recorder, loggers, accelerator, n_epochs)
            _fit(trainer, module, data, directory / LAST_CHECKPOINT if epochs else None)
    if segment is not None:
        return FitResult(epochs, f"ran epochs {segment.start + 1} to {segment.end} of {config.max_epochs}")
    if len(epochs) >= config.max_epochs:
        return FitResult(epochs, f"ran all {config.max_epochs} epochs")
    return FitResult(epochs, f"no better {objective.label} in {config.patience} epochs")


def _resumed_epochs(path: Path, module: TrainedModule) -> list[EpochReport]:
    if not path.exists():
        return []
    checkpoint = read_checkpoint(path)
    if checkpoint["hyper_parameters"] != dict(module.hparams):
        raise StudyError(f"{path} belongs to another configuration or seed; choose an empty folder")
    return [EpochReport(**epoch) for epoch in checkpoint["epochs"]]


def _trainer(
    module: TrainedModule,
    recorder: EpochRecorder,
    loggers: Sequence[Logger],
    accelerator: str,
    n_epochs: int,
) -> pl.Trainer:
    config = module.training_config
    return pl.Trainer(
        max_epochs=n_epochs,
        limit_val_batches=0 if recorder.is_refit else None,
        accelerator=accelerator,
        devices=1,
        gradient_clip_val=config.gradient_clip or None,
        precision="bf16-mixed" if getattr(config, "precision", "float32") == "mixed" else "32-true",
        logger=list(loggers) or False,
        callbacks=[recorder],
        plugins=[SealedCheckpoints()],
        num_sanity_val_steps=0,  # a sanity epoch would rank with untrained weights
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def _fit(
    trainer: pl.Trainer, module: TrainedModule, data: pl.LightningDataModule, resume: Path | None
) -> None:
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=resume)
    except SystemExit as error:
        # Lightning turns Ctrl-C into an exit and is deaf to the next one; the caller shall see what it was.
        if isinstance(error.__context__, KeyboardInterrupt):
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, on_interrupt)
            raise KeyboardInterrupt from error
        raise


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hold back Lightning's notices about devices and data loaders; errors still show."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def isolated(n_threads: int) -> Iterator[None]:
    """Give a training its own threads and random stream, and the process its memory back."""
    threads_before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads_before)
        # A worker that runs trial after trial grows without both: Lightning leaves cycles, and
        # glibc keeps the freed arenas.
        gc.collect()
        _trim_heap()


def _trim_heap() -> None:
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return  # not glibc
