"""One training run with Lightning: quiet, resumable, validated every epoch."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.loggers import Logger

from reeltune.data.datamodule import SequenceDataModule
from reeltune.errors import StudyError
from reeltune.metrics.registry import ChosenMetric, list_length
from reeltune.training.callbacks import EpochRecorder
from reeltune.training.checkpoint import read_checkpoint
from reeltune.training.epochs import LAST_CHECKPOINT, EpochReport, Report, is_patience_out
from reeltune.training.leg import Leg
from reeltune.training.module import NextItemModule

__all__ = ["FitResult", "fit", "quiet_lightning"]


@dataclass(frozen=True)
class FitResult:
    """The epochs of a training run and why it ended."""

    epochs: list[EpochReport]
    reason: str


def fit(
    module: NextItemModule,
    data: SequenceDataModule,
    *,
    directory: Path,
    objective: ChosenMetric,
    report: Report,
    loggers: Sequence[Logger] = (),
    measures: Sequence[str] = (),
    accelerator: str = "auto",
    leg: Leg | None = None,
) -> FitResult:
    """Train ``module`` on ``data`` until its epochs or its patience are over, or for one ``leg``.

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
        leg: The epochs to train, from where another training ended; None for all, with patience.

    Raises:
        DivergedError: A loss or score is not finite.
        StudyError: A checkpoint is damaged, or that in ``directory`` is of another configuration.
        EngineError: The disk is full or not writable.
    """
    config = module.training_config
    epochs = _resumed_epochs(directory / LAST_CHECKPOINT, module)
    for epoch in epochs:
        report(epoch)
    n_epochs = config.max_epochs if leg is None else leg.n_epochs
    patience = config.patience if leg is None else n_epochs
    is_over = len(epochs) >= n_epochs or (bool(epochs) and is_patience_out(epochs, objective, patience))
    if not is_over:
        labels = (objective.label, *measures)
        recorder = EpochRecorder(directory, labels, patience, report, epochs, data=data.data, leg=leg)
        module.list_length = list_length(labels)
        module.leg = leg
        if leg is not None and leg.origin is not None and not epochs:
            module.begin_from(read_checkpoint(leg.origin))
        with quiet_lightning():
            trainer = _trainer(module, recorder, loggers, accelerator, n_epochs)
            _fit(trainer, module, data, directory / LAST_CHECKPOINT if epochs else None)
    if leg is not None:
        return FitResult(epochs, f"ran epochs {leg.start + 1} to {leg.end} of {config.max_epochs}")
    if len(epochs) >= config.max_epochs:
        return FitResult(epochs, f"ran all {config.max_epochs} epochs")
    return FitResult(epochs, f"no better {objective.label} in {config.patience} epochs")


def _resumed_epochs(path: Path, module: NextItemModule) -> list[EpochReport]:
    if not path.exists():
        return []
    checkpoint = read_checkpoint(path)
    if checkpoint["hyper_parameters"] != dict(module.hparams):
        raise StudyError(f"{path} belongs to another configuration or seed; choose an empty folder")
    return [EpochReport(**epoch) for epoch in checkpoint["epochs"]]


def _trainer(
    module: NextItemModule,
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
        precision="bf16-mixed" if config.precision == "mixed" else "32-true",
        logger=list(loggers) or False,
        callbacks=[recorder],
        num_sanity_val_steps=0,  # a sanity epoch would rank with untrained weights
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def _fit(
    trainer: pl.Trainer, module: NextItemModule, data: pl.LightningDataModule, resume: Path | None
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
