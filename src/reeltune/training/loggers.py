"""TensorBoard event files and Weights & Biases runs of a trial, switched in the experiment file."""

from __future__ import annotations

import netrc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reeltune.config import Config

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

__all__ = ["LoggingConfig", "trial_loggers", "wandb_mode"]


class LoggingConfig(Config):
    """Where the figures of each epoch go besides the study folder."""

    tensorboard: bool = False
    """Whether event files are written to ``tensorboard/`` in the study folder."""
    wandb: Literal["off", "offline", "online", "auto"] = "off"
    """Weights & Biases: ``offline`` writes to ``wandb/`` in the study folder for a later ``wandb sync``;
    ``auto`` is online where a login is configured and offline elsewhere."""
    wandb_project: str = "reeltune"
    """Project that the runs belong to; they are grouped by study."""


def wandb_mode(choice: str) -> Literal["offline", "online"]:
    """Return the mode that ``choice`` (offline, online or auto) means in this environment.

    >>> wandb_mode("offline")
    'offline'
    """
    if choice == "auto":
        choice = "online" if _has_wandb_login() and os.environ.get("WANDB_MODE") != "offline" else "offline"
    return "online" if choice == "online" else "offline"


def _has_wandb_login() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        hosts = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return any("wandb" in host for host in hosts)


@contextmanager
def trial_loggers(
    config: LoggingConfig, *, study: str, study_directory: Path, number: int, params: Mapping[str, Any]
) -> Iterator[list[Logger]]:
    """Yield the Lightning loggers of trial ``number`` and close them at the end, also after an error.

    A trial that starts again goes on in the same TensorBoard folder and the same W&B run.
    """
    loggers: list[Logger] = []
    label = f"{number:05d}"
    if config.tensorboard:
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(study_directory / "tensorboard", name="", version=label))
    run = None
    if config.wandb != "off":
        import wandb
        from lightning.pytorch.loggers import WandbLogger

        folder = study_directory / "wandb"
        folder.mkdir(exist_ok=True)
        run = wandb.init(
            project=config.wandb_project,
            group=study,
            name=f"{study}-{label}",
            id=f"{study}-{label}",
            dir=study_directory,
            mode=wandb_mode(config.wandb),
            resume="allow" if wandb_mode(config.wandb) == "online" else None,
            reinit="finish_previous",
            config=dict(params),
            settings=wandb.Settings(silent=True, console="off"),
        )
        loggers.append(WandbLogger(experiment=run))
    try:
        for logger in loggers:
            logger.log_hyperparams(dict(params))
        yield loggers
    finally:
        for logger in loggers:
            logger.finalize("success")
        if run is not None:
            run.finish(quiet=True)
