"""Keeps the best epoch, writes checkpoints and reports, in an order that survives a kill."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning
import lightning.pytorch as pl

from reeltune.data.prepared import TuningData
from reeltune.metrics.registry import ChosenMetric
from reeltune.training.base import Segment, TrainedModule
from reeltune.training.checkpoint import write_checkpoint
from reeltune.training.epochs import (
    BEST_CHECKPOINT,
    LAST_CHECKPOINT,
    EpochReport,
    Report,
    is_patience_out,
)


class EpochRecorder(pl.Callback):
    """Records each epoch in ``directory`` and reports it.

    The order within an epoch makes a kill at any moment harmless: the best weights and what they found,
    then ``last.ckpt``, which names the epoch as done, then the report. A kill before ``last.ckpt``
    repeats the epoch, and the same numbers are written again.
    """

    def __init__(
        self,
        directory: Path,
        objective: ChosenMetric,
        patience: int,
        report: Report,
        epochs: list[EpochReport],
        *,
        data: TuningData,
        segment: Segment | None = None,
    ) -> None:
        """Resume after ``epochs``, those of the run that is resumed.

        The objective on the validation queries of ``data`` chooses the best epoch; epochs are counted on
        from the start of ``segment``.
        """
        self.directory = directory
        self.objective = objective
        self.patience = patience
        self.report = report
        self.epochs = epochs
        self.data = data
        self.start = segment.start if segment is not None else 0
        self.is_refit = segment is not None and segment.is_refit
        self._started = 0.0
        self._validated: tuple[dict[str, float], float] = {}, 0.0  # metrics of the epoch, best so far

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the first epoch; Lightning skips the epoch's own hook when it resumes."""
        self._started = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the weights and what they found when the objective is better than before."""
        assert isinstance(pl_module, TrainedModule)
        metrics = pl_module.validated(self.data, self.epochs[-1].metrics if self.epochs else {})
        value = metrics[self.objective.label]
        is_best = not self.epochs or self._is_better(value, self.epochs[-1].best)
        if is_best:
            write_checkpoint(self.directory / BEST_CHECKPOINT, _weights(trainer, pl_module))
            pl_module.write_validation(self.directory)
        self._validated = metrics, value if is_best else self.epochs[-1].best

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the resumable checkpoint, then report; ask for an end when patience is out."""
        assert isinstance(pl_module, TrainedModule)
        metrics, best = self._validated
        if self.is_refit:
            pl_module.swap_average()
            write_checkpoint(self.directory / BEST_CHECKPOINT, _weights(trainer, pl_module))
            pl_module.swap_average()
        seconds = time.perf_counter() - self._started
        epoch = EpochReport(
            self.start + len(self.epochs) + 1,
            metrics,
            best,
            pl_module.train_loss,
            seconds,
            n_parameters=sum(parameter.numel() for parameter in pl_module.parameters()),
        )
        self.epochs.append(epoch)
        trainer.save_checkpoint(self.directory / LAST_CHECKPOINT)
        for logger in trainer.loggers:
            logger.log_metrics(
                {**metrics, **({"best": best} if metrics else {}), "train_loss": epoch.train_loss},
                step=epoch.epoch,
            )
        self.report(epoch)
        if is_patience_out(self.epochs, self.objective, self.patience):
            trainer.should_stop = True
        self._started = time.perf_counter()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the reports so far."""
        checkpoint["epochs"] = [epoch.plain() for epoch in self.epochs]

    def _is_better(self, value: float, best: float) -> bool:
        return value > best if self.objective.higher_is_better else value < best


def _weights(trainer: pl.Trainer, module: TrainedModule) -> dict[str, Any]:
    """Return what a checkpoint needs for scoring and for ``load_from_checkpoint``."""
    return {
        "epoch": trainer.current_epoch,
        "global_step": trainer.global_step,
        "pytorch-lightning_version": lightning.__version__,
        "state_dict": module.state_dict(),
        "hyper_parameters": dict(module.hparams),
    }
