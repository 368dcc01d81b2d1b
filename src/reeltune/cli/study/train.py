"""``reeltune train``: one configuration, without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reeltune.cli.options import CHANGES, DATA_DIR, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from reeltune.training.epochs import EpochReport


def train(
    experiment: Path = typer.Argument(
        metavar="EXPERIMENT", help="A YAML file, or a shipped experiment such as ml100k_gru."
    ),
    out: Path | None = typer.Option(
        None, "--out", help="Folder of the training. [default: runs/ and the file's name]"
    ),
    data_dir: Path | None = DATA_DIR,
    threads: int = typer.Option(1, "--threads", min=1, max=256, help="Threads that torch may use."),
    changes: list[str] = CHANGES,
) -> None:
    """Train the default configuration of an experiment, without Ray.

    The same command resumes a training that was interrupted.
    """
    from reeltune import experiment as composition
    from reeltune.tuning.records.rows import TrialState
    from reeltune.tuning.study.experiment_file import load_experiment

    loaded = load_experiment(experiment, changes)
    directory = (out or Path("runs") / experiment.stem).resolve()
    row = composition.train(
        loaded,
        directory,
        data_dir=data_dir,
        n_threads=threads,
        report=_line(loaded.trial.training.max_epochs, loaded.trial.objective),
        notify=note,
    )
    figures = "  ".join(f"{name} {value:.4f}" for name, value in row.metrics.items())
    print(
        f"{row.state}: {row.reason}; {row.n_epochs} epochs in {row.seconds:.1f} s, "
        f"{row.n_parameters:,} weights"
    )
    if figures:
        print(f"best epoch {row.best_epoch} on validation: {figures}")
    print(f"folder: {directory}")
    if row.state is not TrialState.COMPLETE:
        raise typer.Exit(1)


def _line(max_epochs: int, objective: str) -> Callable[[EpochReport], None]:
    """Return a printer of one line an epoch."""

    def show(epoch: EpochReport) -> None:
        print(
            f"epoch {epoch.epoch}/{max_epochs}  loss {epoch.train_loss:.4f}  {objective} "
            f"{epoch.metrics[objective]:.4f}  best {epoch.best:.4f}  {epoch.seconds:.1f} s",
            flush=True,
        )

    return show
