"""A person's taste so far: what ratings, activity, genres and popularity tell at each step.

It is computed from the steps up to the present one, never from a whole training part: a profile
that had seen the rest of the part would know the targets it is to predict.

Shapes: B batch, T steps, V catalogue, G genres, F = G + 4 taste features.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltune.data.features.genres import genre_table
from reeltune.data.prepared import Catalogue, Sequences

__all__ = ["N_RATING_COLUMNS", "running_taste", "taste_table"]

N_RATING_COLUMNS = 3
"""Columns of the taste that do not come from the table: mean and spread of ratings, activity."""

_MIDDLE_STARS = 3.0
_ACTIVE_STEPS = 128
"""Steps after which a person is as active as can be told: windows of training are about so long."""


def taste_table(train: Sequences, catalogue: Catalogue) -> NDArray[np.float32]:
    """Return popularity and genres of the movies, shape [V+1, 1+G]; row 0 is padding.

    Popularity is the logarithm of one plus the training events, with mean 0 and deviation 1.
    Genres of a movie share a weight of 1.
    """
    counts = np.bincount(train.items, minlength=catalogue.n_items + 1)[1:]
    logs = np.log1p(counts)
    popularity = (logs - logs.mean()) / max(float(logs.std()), 1e-6)
    genres = genre_table(catalogue)
    shares = genres / np.maximum(genres.sum(axis=1, keepdims=True), 1.0)
    table = np.concatenate([np.concatenate(([0.0], popularity))[:, None], shares], axis=1)
    return table.astype(np.float32)


def running_taste(items: Tensor, ratings: Tensor | None, table: Tensor) -> Tensor:
    """Return the taste after each step, shape [B, T, F].

    Columns: mean rating above 3 stars, spread of ratings, activity 0 to 1, mean popularity, and the
    share of each genre. Ratings that are absent are left out of mean and spread.

    Args:
        items: Item codes, shape [B, T].
        ratings: On the scale from half a star to five, NaN where absent, shape [B, T], or None.
        table: Of :func:`taste_table`, shape [V+1, 1+G].
    """
    n_steps = torch.arange(1, items.shape[1] + 1, device=items.device, dtype=table.dtype)  # [T]
    means = table[items].cumsum(dim=1) / n_steps[:, None]  # [B, T, 1+G]
    activity = (n_steps.clamp(max=_ACTIVE_STEPS).log1p() / np.log1p(_ACTIVE_STEPS)).expand(items.shape)
    if ratings is None:
        mean = spread = torch.zeros_like(activity)
    else:
        is_rated = ~ratings.isnan()
        stars = (ratings - _MIDDLE_STARS).where(is_rated, 0.0)
        n_rated = is_rated.long().cumsum(dim=1).clamp(min=1)  # ONNX cannot sum truths
        mean = stars.cumsum(dim=1) / n_rated
        variance = stars.square().cumsum(dim=1) / n_rated - mean.square()
        spread = variance.clamp(min=0).sqrt()
    return torch.cat([torch.stack([mean, spread, activity], dim=-1), means], dim=-1)
