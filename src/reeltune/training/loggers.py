"""TensorBoard event files and Weights & Biases runs of a trial, switched in the experiment file."""

from __future__ import annotations

import functools
import netrc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reeltune.config import Config

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


class LoggingConfig(Config):
    """Where the figures of each epoch go besides the study folder."""

    tensorboard: bool = False
    """Whether event files are written to ``tensorboard/`` in the study folder."""
    wandb: Literal["off", "offline", "online", "auto"] = "off"
    """Weights & Biases: ``offline`` writes to ``wandb/`` in the study folder for a later ``wandb sync``;
    ``auto`` is online where a login is configured and offline elsewhere."""
    wandb_project: str = "reeltune"
    """Project that the runs belong to; they are grouped by study."""
    ray_dashboard: bool = False
    """Whether a study on this machine serves Ray's own dashboard; needs ``reeltune[ray-dashboard]``."""


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
    config: LoggingConfig,
    *,
    study: str,
    study_id: str,
    study_directory: Path,
    number: int,
    params: Mapping[str, Any],
) -> Iterator[list[Logger]]:
    """Yield the Lightning loggers of trial ``number`` and close them at the end, also after an error.

    A trial that starts again goes on in the same TensorBoard folder and the same W&B run.

    Args:
        config: What is switched on.
        study: Name of the study; W&B groups its runs by it.
        study_id: Distinguishes the study from others of its name, in W&B's ids.
        study_directory: Receives ``tensorboard/`` and ``wandb/``.
        number: Number of the trial.
        params: The searched values.
    """
    loggers: list[Logger] = []
    label = f"{number:05d}"
    if config.tensorboard:
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(study_directory / "tensorboard", name="", version=label))
    run = None
    if config.wandb != "off":
        from lightning.pytorch.loggers import WandbLogger

        run = _start_run(
            config,
            group=study,
            name=f"{study}-{label}",
            id=f"{study}-{study_id}-{label}",
            dir=study_directory,
            config=dict(params),
        )
        loggers.append(WandbLogger(experiment=run))
    is_failed = True
    try:
        for logger in loggers:
            logger.log_hyperparams(dict(params))
        yield loggers
        is_failed = False
    except SystemExit:
        is_failed = False  # the scheduler stopped the trial
        raise
    finally:
        for logger in loggers:
            logger.finalize("failed" if is_failed else "success")
        if run is not None:
            run.finish(exit_code=int(is_failed))


def _start_run(logging: LoggingConfig, *, dir: Path, **options: Any) -> Any:
    import wandb

    (dir / "wandb").mkdir(exist_ok=True)  # where W&B finds none it writes into the system's temporary folder
    mode = wandb_mode(logging.wandb)
    start = functools.partial(
        wandb.init,
        project=logging.wandb_project,
        dir=dir,
        reinit="finish_previous",
        settings=wandb.Settings(silent=True, console="off"),
        **options,
    )
    try:
        return start(mode=mode, resume="allow" if mode == "online" else None)
    except wandb.errors.Error:
        if logging.wandb != "auto":
            raise
        return start(mode="offline")  # a login without a network
