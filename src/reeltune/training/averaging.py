"""An exponential moving average of a network's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """Averages weights step by step: ``average = d * average + (1 - d) * weights``.

    ``d`` is ``min(decay, (1 + step) / (10 + step))``, so that the first, untrained weights are
    soon forgotten (as in TensorFlow's ExponentialMovingAverage with ``num_updates``).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.n_updates = 0
        self.weights = [parameter.detach().clone() for parameter in network.parameters()]

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the network's present weights into the average."""
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        self.n_updates += 1
        torch._foreach_lerp_(self.weights, [p.detach() for p in network.parameters()], 1 - decay)

    @torch.no_grad()
    def swap(self, network: nn.Module) -> None:
        """Exchange the average with the network's weights; a second call takes it back."""
        for mine, parameter in zip(self.weights, network.parameters(), strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(mine)
            mine.copy_(kept)

    def state_dict(self) -> dict[str, int | list[Tensor]]:
        """Return the average as plain values and tensors."""
        return {"n_updates": self.n_updates, "weights": self.weights}

    def load_state_dict(self, state: dict[str, int | list[Tensor]]) -> None:
        """Take the average that :meth:`state_dict` gave."""
        n_updates, weights = state["n_updates"], state["weights"]
        assert isinstance(n_updates, int)
        assert isinstance(weights, list)
        self.n_updates = n_updates
        for mine, saved in zip(self.weights, weights, strict=True):
            mine.copy_(saved)
