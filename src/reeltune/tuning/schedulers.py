"""Which trials are stopped early: rules by name; ``ray_schedulers`` makes them.

Rules see the best objective so far after each epoch.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reeltune.config import Config

__all__ = [
    "SCHEDULERS",
    "AshaConfig",
    "HyperBandConfig",
    "MedianConfig",
    "NoSchedulerConfig",
    "SchedulerConfig",
]


class AshaConfig(Config):
    """Asynchronous successive halving (Li et al., 2020, https://arxiv.org/abs/1810.05934)."""

    name: Literal["asha"] = "asha"
    """Chooses this rule."""
    grace_epochs: int = Field(default=3, ge=1, le=10000)
    """Epochs that every trial gets, 1 to 10000."""
    reduction_factor: float = Field(default=3.0, gt=1.0, le=100.0)
    """Of this many trials one goes on at each rung, above 1 up to 100."""


class HyperBandConfig(Config):
    """Brackets of ASHA that give every trial from few epochs to all (Li et al., 2018, JMLR 18:185)."""

    name: Literal["hyperband"] = "hyperband"
    """Chooses this rule."""
    min_epochs: int = Field(default=1, ge=1, le=10000)
    """Epochs that every trial of the shortest bracket gets, 1 to 10000."""
    reduction_factor: float = Field(default=3.0, gt=1.0, le=100.0)
    """Of this many trials one goes on at each rung, above 1 up to 100."""


class MedianConfig(Config):
    """Stops a trial whose best is below the median of the others' running means (Golovin et al., 2017)."""

    name: Literal["median"] = "median"
    """Chooses this rule."""
    grace_epochs: int = Field(default=3, ge=1, le=10000)
    """Epochs that every trial gets, 1 to 10000."""
    min_trials: int = Field(default=3, ge=1, le=10000)
    """Trials needed for a median, 1 to 10000."""


class NoSchedulerConfig(Config):
    """Lets every trial run to its end."""

    name: Literal["none"] = "none"
    """Chooses this rule."""


SchedulerConfig = Annotated[
    AshaConfig | HyperBandConfig | MedianConfig | NoSchedulerConfig, Field(discriminator="name")
]
"""The configuration of any rule; the field ``name`` tells which."""

SCHEDULERS: dict[str, type[Config]] = {
    "asha": AshaConfig,
    "hyperband": HyperBandConfig,
    "median": MedianConfig,
    "none": NoSchedulerConfig,
}
