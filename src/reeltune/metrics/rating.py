"""Errors of predicted stars.

Shapes: M predictions.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Stars", "check_stars", "rating_errors"]

Stars = NDArray[np.floating]


def rating_errors(predicted: Stars, actual: Stars) -> dict[str, float]:
    """Return ``rmse``, the root of the mean squared error, and ``mae``, the mean absolute error, in stars.

    Computed by torchmetrics in double precision.

    >>> rating_errors(np.array([3.0, 5.0]), np.array([4.0, 4.0]))
    {'rmse': 1.0, 'mae': 1.0}

    Raises:
        ValueError: There are no predictions, the lengths differ, or a value is not finite.
    """
    from torchmetrics.functional.regression import mean_absolute_error, mean_squared_error

    check_stars(predicted, actual)
    mine, true = (torch.from_numpy(np.asarray(values, dtype=np.float64)) for values in (predicted, actual))
    return {
        "rmse": float(mean_squared_error(mine, true, squared=False)),
        "mae": float(mean_absolute_error(mine, true)),
    }


def check_stars(predicted: Stars, actual: Stars) -> None:
    """Check that two arrays of stars can be compared.

    Raises:
        ValueError: There are no predictions, the lengths differ, or a value is not finite.
    """
    if len(predicted) != len(actual):
        raise ValueError(f"{len(predicted)} predictions for {len(actual)} ratings; give one for each")
    if not len(actual):
        raise ValueError("no predictions: the error of none is undefined")
    for name, values in (("prediction", predicted), ("rating", actual)):
        if not np.isfinite(values).all():
            bad = values[~np.isfinite(values)][0]
            raise ValueError(f"a {name} is {bad}, not a finite number of stars; leave such rows out")
