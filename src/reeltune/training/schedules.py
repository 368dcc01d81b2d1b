"""The learning rate as a function of the step."""

from __future__ import annotations

import math

from reeltune.training.config import TrainingConfig

__all__ = ["learning_rate_factor"]

START = 1 / 25
"""Factor of the first step, as in the one-cycle policy (Smith and Topin, 2018, arXiv:1708.07120)."""


def learning_rate_factor(config: TrainingConfig, step: int, n_steps: int) -> float:
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
