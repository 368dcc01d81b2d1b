"""Dropout whose masks come out of cheap random numbers on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# A random word of 64 bits decides four cells; torch draws a number a cell (benchmarks/kernels.py).
CELLS_IN_WORD = 4
LEVELS = 1 << 16


class Dropout(nn.Dropout):
    """``torch.nn.Dropout``; on a CPU the rate is kept to the nearest 1/65536.

    What is kept is divided by the share that is kept at that rate, so the expectation is exact.
    Masks are drawn from torch's generator: the same seed gives the same masks.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return ``input``, any shape; in training with cells set to 0 and the others scaled up."""
        level = round(self.p * LEVELS)
        if not self.training or input.device.type != "cpu" or not 0 < level < LEVELS:
            return super().forward(input)
        words = torch.empty(-(-input.numel() // CELLS_IN_WORD), dtype=torch.int64)
        words.random_(-(1 << 63), None)  # every bit; without bounds the sign is left out
        cells = words.view(torch.int16)[: input.numel()].view(input.shape)
        mask = (cells >= level - LEVELS // 2).to(input.dtype)
        return input * mask.mul_(LEVELS / (LEVELS - level))
