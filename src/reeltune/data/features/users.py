"""What is known of a user: profile, taste so far, time between movies.

The taste is computed from the steps up to the present one, never from a whole training part: one that had
seen the rest of the part would know the targets it is to predict.

Shapes: U users, B batch, T steps, V catalogue, G genres, F = G + 4 taste features.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltune.data.features.movies import Codes, genre_table
from reeltune.data.interactions import Users
from reeltune.data.prepared import Catalogue, Sequences

AGE_STARTS = (1, 18, 25, 35, 45, 50, 56)
"""Lowest years of the age groups, those of MovieLens 1M."""

N_GAP_BUCKETS = 33
"""0 for an unknown gap, then one for each doubling: bucket 32 starts at 68 years."""

N_RATING_COLUMNS = 3
"""Columns of the taste that do not come from the table: mean and spread of ratings, activity."""

_MIDDLE_STARS = 3.0
_ACTIVE_STEPS = 128
"""Steps after which a user counts as fully active: windows of training are about so long."""


def profile_codes(users: Users) -> Codes:
    """Return age group, gender and occupation of each user as codes [U, 3] of names such as "age: 25"."""
    n_users = len(users.ids)
    ages = [_age_group(age) for age in users.ages] or [""] * n_users
    columns = {
        "age": ages,
        "gender": list(users.genders) or [""] * n_users,
        "occupation": list(users.occupations) or [""] * n_users,
    }
    labelled = {
        key: [f"{key}: {value}" if value else "" for value in values] for key, values in columns.items()
    }
    names = tuple(sorted({text for values in labelled.values() for text in values if text}))
    code = {name: i for i, name in enumerate(names, start=1)} | {"": 0}
    rows = [[code[text] for text in values] for values in labelled.values()]
    return Codes(names, np.array(rows, dtype=np.int64).T.copy())


def _age_group(age: int) -> str:
    starts = [start for start in AGE_STARTS if start <= age]
    return str(starts[-1]) if starts else ""


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

    ``items`` [B, T]; ``ratings`` [B, T] from half a star to five, NaN where absent; ``table`` [V+1, 1+G] of
    :func:`taste_table`.
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


def gap_buckets(timestamps: Tensor) -> Tensor:
    """Return the octave of each step's gap to the step before, int64 of shape [B, T].

    The bucket of a gap of g seconds is ``1 + floor(log2(g + 1))``. It is 0 at the first step and
    where one of the two times is unknown.

    >>> gap_buckets(torch.tensor([[100, 100, 103, -1, 200]])).tolist()
    [[0, 1, 3, 0, 0]]
    """
    buckets = torch.zeros_like(timestamps)
    buckets[:, 1:] = request_buckets(timestamps[:, :-1], timestamps[:, 1:])
    return buckets


def request_buckets(before: Tensor, after: Tensor) -> Tensor:
    """Return the octave of each gap from ``before`` to ``after``, int64 of their shape, 0 where unknown."""
    octave = torch.log2((after - before).clamp(min=0).double() + 1).floor().long() + 1
    is_known = (before >= 0) & (after >= 0)
    return octave.clamp(max=N_GAP_BUCKETS - 1).where(is_known, 0)
