"""The precision of the matrix products inside the kernels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

ProductPrecision = Literal["same", "bfloat16"]


def product_type(values: Tensor, precision: ProductPrecision) -> torch.dtype:
    """Return the type in which factors are multiplied: bfloat16 if asked for or under autocast."""
    is_rounded = precision == "bfloat16" or torch.is_autocast_enabled(values.device.type)
    return torch.bfloat16 if is_rounded else values.dtype


def product(left: Tensor, right: Tensor, kind: torch.dtype) -> Tensor:
    """Return ``left @ right`` with the factors rounded to ``kind``, in the type of ``left``."""
    return torch.mm(left.to(kind), right.to(kind)).to(left.dtype)
