"""How a rating network is built and trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from reeltune.config import Config
from reeltune.data.features.config import FeatureConfig
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.rating.network import RatingHeadConfig
from reeltune.models.registry import AnyNetworkConfig
from reeltune.training.config import TrainingConfig

__all__ = ["RatingOptimizer", "RatingTrainingConfig"]

_INPUTS = {"rating", "time_gap"}
"""Switches of ``model.inputs`` that need no table beside the events."""


class RatingOptimizer(Config):
    """Optimiser, schedule and stopping of a rating network."""

    learning_rate: float = Field(default=1.2e-2, gt=0.0, le=1.0)
    """Peak learning rate of AdamW, above 0 up to 1."""
    weight_decay: float = Field(default=5.0, ge=0.0, le=10.0)
    """Decoupled weight decay a step, times the learning rate, 0 to 10."""
    factor_penalty: float = Field(default=0.2, ge=0.0, le=10.0)
    """Weight of the squared length of the head's factors in the loss, 0 to 10."""
    bias_penalty: float = Field(default=0.005, ge=0.0, le=10.0)
    """Weight of the head's squared biases in the loss, 0 to 10."""
    batch_size: int = Field(default=16, ge=1, le=65536)
    """People in a batch, with their whole histories, 1 to 65536."""
    max_epochs: int = Field(default=12, ge=1, le=10000)
    """Passes over the training ratings, 1 to 10000; the schedule ends there."""
    patience: int = Field(default=5, ge=1, le=10000)
    """Epochs without a smaller validation error after which training stops, 1 to 10000."""
    schedule: Literal["one-cycle", "linear", "inverse-sqrt", "constant"] = "one-cycle"
    """Course of the learning rate after the warm-up, as in ``TrainingConfig``."""
    warmup_fraction: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of all steps in which the learning rate rises, 0 to 1."""
    gradient_clip: float = Field(default=1.0, ge=0.0, le=1000.0)
    """Largest norm of the gradient, 0 to 1000; 0 switches clipping off."""
    ema_decay: float = Field(default=0.99, ge=0.0, lt=1.0)
    """Decay a step of the averaged weights that are validated and kept, 0 (no averaging) to below 1."""

    def shared(self) -> TrainingConfig:
        """Return the fields as the ranking task names them."""
        own = {"factor_penalty", "bias_penalty"}
        return TrainingConfig.model_validate({k: v for k, v in self.plain().items() if k not in own})


class RatingTrainingConfig(Config):
    """A rating network and how it is trained."""

    model: AnyNetworkConfig = Field(
        default_factory=lambda: GRUConfig(inputs=FeatureConfig(rating=True, time_gap=True))
    )
    """The network whose states the head reads."""
    head: RatingHeadConfig = RatingHeadConfig()
    """The head that rates a candidate."""
    training: RatingOptimizer = RatingOptimizer()
    """Optimiser, schedule and stopping."""
    next_movie_weight: float = Field(default=0.0, ge=0.0, le=100.0)
    """Weight of the next-movie cross-entropy beside the squared error, 0 (stars alone) to 100."""

    @model_validator(mode="after")
    def _inputs_can_be_read(self) -> RatingTrainingConfig:
        default = FeatureConfig()
        for name, value in self.model.inputs:
            if name not in _INPUTS and value != getattr(default, name):
                raise ValueError(
                    f"model.inputs.{name}: a rating network reads {' and '.join(sorted(_INPUTS))} only; "
                    "leave it out"
                )
        return self
