"""How a network is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reeltune.config import Config

__all__ = ["TrainingConfig"]


class TrainingConfig(Config):
    """Optimiser, schedule, batches and stopping of one training run.

    The defaults were chosen one factor at a time on the validation movies of MovieLens-100K; larger
    data want larger batches and less decay.
    """

    learning_rate: float = Field(default=4e-3, gt=0.0, le=1.0)
    """Peak learning rate of AdamW, above 0 up to 1."""
    weight_decay: float = Field(default=1.0, ge=0.0, le=10.0)
    """Decoupled weight decay a step, times the learning rate, 0 to 10."""
    batch_size: int = Field(default=16, ge=1, le=65536)
    """Windows of history in a batch, 1 to 65536."""
    max_epochs: int = Field(default=20, ge=1, le=10000)
    """Passes over the training histories, 1 to 10000; the schedule ends there."""
    patience: int = Field(default=10, ge=1, le=10000)
    """Epochs without a better objective after which training stops, 1 to 10000."""
    history_length: int = Field(default=128, ge=2, le=65536)
    """Movies in a training window, 2 to 65536; windows cover the whole history."""
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    """Course of the learning rate: up to the peak and down to zero, or up and constant."""
    warmup_fraction: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of all steps in which the learning rate rises, 0 to 1."""
    gradient_clip: float = Field(default=1.0, ge=0.0, le=1000.0)
    """Largest norm of the gradient, 0 to 1000; 0 switches clipping off."""
    ema_decay: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Decay a step of the averaged weights that are validated and kept, 0 (no averaging) to below 1."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the target's mass that is spread over the catalogue, 0 to below 1."""
