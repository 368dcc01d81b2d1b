"""A stretch of a training: it begins where another one ended, perhaps with other settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

__all__ = ["Leg", "take_moments"]


@dataclass(frozen=True)
class Leg:
    """The epochs ``start + 1`` to ``end`` of a training.

    The learning rate takes the course that the whole training would give these epochs. Patience is not
    looked at: who ends a training of several legs is whoever gives them out.
    """

    start: int  # epochs that were done before
    end: int  # epochs that are done when the leg is over
    origin: Path | None = None  # last.ckpt of the training that did the epochs before; None for fresh weights
    is_refit: bool = False
    """Whether it trains on the validation targets too: nothing is validated, the last weights are kept."""

    @property
    def n_epochs(self) -> int:
        """Return the count of its own epochs."""
        return self.end - self.start

    def steps(self, n_own: int, max_epochs: int) -> tuple[int, int]:
        """Return the steps before the leg and of the whole training, at ``n_own`` steps in the leg.

        >>> Leg(start=4, end=6).steps(20, max_epochs=10)
        (40, 100)
        """
        return round(n_own * self.start / self.n_epochs), round(n_own * max_epochs / self.n_epochs)


def take_moments(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any]) -> None:
    """Put the moments of a saved optimizer of the same network into ``optimizer``, not its settings."""
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
