"""Which trials are stopped early, or take over another's weights: rules by name.

Stopping rules, which ``tuning/ray`` makes, see the best objective so far after each epoch. A population
stops none: its trials are segments of a few epochs, see ``population``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reeltune.config import Config


class AshaConfig(Config):
    """Asynchronous successive halving (Li et al., 2020, https://arxiv.org/abs/1810.05934)."""

    name: Literal["asha"] = "asha"
    """Chooses this rule."""
    grace_epochs: int = Field(default=3, ge=1, le=10000)
    """Epochs that every trial gets, 1 to 10000."""
    reduction_factor: float = Field(default=3.0, gt=1.0, le=100.0)
    """Of this many trials one continues at each rung, above 1 up to 100."""


class HyperBandConfig(Config):
    """Brackets of ASHA that give every trial from few epochs to all (Li et al., 2018, JMLR 18:185)."""

    name: Literal["hyperband"] = "hyperband"
    """Chooses this rule."""
    min_epochs: int = Field(default=1, ge=1, le=10000)
    """Epochs that every trial of the shortest bracket gets, 1 to 10000."""
    reduction_factor: float = Field(default=3.0, gt=1.0, le=100.0)
    """Of this many trials one continues at each rung, above 1 up to 100."""


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


class PopulationConfig(Config):
    """Population based training (Jaderberg et al., 2017, https://arxiv.org/abs/1711.09846).

    A population is trained together, segment by segment; the weak resume from the weights of the strong.
    """

    name: Literal["pbt"] = "pbt"
    """Chooses this rule."""
    population: int = Field(default=8, ge=2, le=1000)
    """Networks that are trained side by side, 2 to 1000."""
    interval_epochs: int = Field(default=2, ge=1, le=10000)
    """Epochs of a segment, after which the population is compared, 1 to 10000."""
    share: float = Field(default=0.25, gt=0.0, le=0.5)
    """Share of the population that is replaced after a segment, and that replaces it, above 0 up to .5; at
    least one."""
    perturbed: list[str] = Field(default=[])
    """Searched fields that change while a network trains; empty for all that can: those of the training
    and the network's dropouts. The others are taken over with the weights."""
    resample_probability: float = Field(default=0.25, ge=0.0, le=1.0)
    """Probability that a field is drawn afresh from its range instead of moved a little, 0 to 1."""


SCHEDULERS: dict[str, type[Config]] = {
    "asha": AshaConfig,
    "hyperband": HyperBandConfig,
    "median": MedianConfig,
    "none": NoSchedulerConfig,
    "pbt": PopulationConfig,
}

SchedulerConfig = Annotated[
    AshaConfig | HyperBandConfig | MedianConfig | NoSchedulerConfig | PopulationConfig,
    Field(discriminator="name"),
]
"""The configuration of any rule; the field ``name`` says which."""
