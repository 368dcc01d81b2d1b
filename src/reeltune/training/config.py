"""How a network is trained, and the learning rate as a function of the step."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from reeltune.config import Config
from reeltune.models.losses import LossName


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
    schedule: Literal["one-cycle", "linear", "inverse-sqrt", "constant"] = "one-cycle"
    """Course of the learning rate after the warm-up: down to zero as a half cosine or a line, down with the
    inverse square root of the step, or constant."""
    warmup_fraction: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of all steps in which the learning rate rises, 0 to 1."""
    gradient_clip: float = Field(default=1.0, ge=0.0, le=1000.0)
    """Largest norm of the gradient, 0 to 1000; 0 switches clipping off."""
    ema_decay: float = Field(default=0.99, ge=0.0, lt=1.0)
    """Decay a step of the averaged weights that are validated and kept, 0 (no averaging) to below 1."""
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the target's mass that is spread over the catalogue by the full softmax, 0 to below 1."""
    item_masking: float = Field(default=0.0, ge=0.0, le=0.95)
    """Share of the movies of a training history that are hidden from the network, 0 to .95; targets stay."""
    loss: LossName = "softmax"
    """Loss of the next movie: the softmax over the whole catalogue, or one against some drawn movies."""
    n_negatives: int = Field(default=256, ge=1, le=1_048_576)
    """Movies that are drawn a batch for a sampled loss, 1 to 1048576."""
    negative_exponent: float = Field(default=0.5, ge=0.0, le=1.0)
    """Power of a movie's count in its chance to be drawn, 0 (all alike) to 1 (by popularity); ``gbce`` draws
    all alike."""
    bpr_penalty: float = Field(default=1.0, ge=0.0, le=1000.0)
    """Weight of the negatives' squared scores in ``bpr-max``, 0 to 1000."""
    gbce_calibration: float = Field(default=0.75, ge=0.0, le=1.0)
    """Calibration t of ``gbce``, 0 (plain cross-entropy) to 1 (no overconfidence)."""
    precision: Literal["float32", "mixed"] = "float32"
    """Type of the matrix products in training: float32, or bfloat16 with sums and weights in float32, for
    GPUs and for CPUs with avx512_bf16. Scores are always float32."""


class RatingTrainingConfig(Config):
    """Optimiser, losses, schedule and stopping of a rating network."""

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
    next_movie_weight: float = Field(default=0.0, ge=0.0, le=100.0)
    """Weight of the next-movie cross-entropy beside the squared error, 0 (ratings alone) to 100."""


START = 1 / 25
"""Factor of the first step, as in the one-cycle policy (Smith and Topin, 2018, arXiv:1708.07120)."""


def learning_rate_factor(config: TrainingConfig | RatingTrainingConfig, step: int, n_steps: int) -> float:
    """Return the learning rate of ``step`` (from 0) as a share of the peak, 0 to 1.

    Warm-up is a half cosine from 1/25 to 1 over ``warmup_fraction * n_steps``. After it the
    one-cycle schedule falls to zero at ``n_steps`` as a half cosine, the linear one as a line; the inverse
    square root is that of the step over the warm-up's steps (Vaswani et al., 2017,
    https://arxiv.org/abs/1706.03762); the constant one stays at 1.

    >>> learning_rate_factor(TrainingConfig(warmup_fraction=0.5), 5, 10)
    1.0
    """
    n_warmup = config.warmup_fraction * n_steps
    if step < n_warmup:
        return START + (1 - START) * _half_cosine(step / n_warmup)
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "inverse-sqrt":
        return math.sqrt(max(1.0, n_warmup) / max(1.0, n_warmup, step))
    share = min(1.0, (step - n_warmup) / max(1e-9, n_steps - n_warmup))
    return 1 - (share if config.schedule == "linear" else _half_cosine(share))


def _half_cosine(share: float) -> float:
    """Return a smooth rise from 0 at ``share`` 0 to 1 at ``share`` 1."""
    return (1 - math.cos(math.pi * share)) / 2
