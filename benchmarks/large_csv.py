"""Ratings of any size in the publisher's CSV form, for measuring: like MovieLens 25M in shape.

Popularity falls like a power of the rank, users' lengths are log-normal from 20 up, a quarter
of the ratings shares its second with another of the same user, and the rows stand by user and
movie as in the published file. What follows what is random: nothing can be learned from it.

Shapes: N rows, U users of a block, V movies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.seeding import derive

__all__ = ["write_large_csv"]

_FEWEST_EVENTS, _MEDIAN_EVENTS, _SPREAD = 20, 71, 1.4  # ML-25M: at least 20, median 71, mean 154
_MOVIES_AT_25M = 59_047
_POPULARITY_POWER, _POPULARITY_SHIFT = 1.6, 40.0  # the top tenth of the movies then has about nine tenths
_FIRST_SECOND, _LAST_SECOND = 789_652_009, 1_574_327_703  # ML-25M: January 1995 to November 2019
_TIE_SHARE = 0.2
_BLOCK_USERS = 16_384
_STARS = ("0.5", "1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0", "4.5", "5.0")
_STAR_SHARES = (0.016, 0.031, 0.016, 0.066, 0.05, 0.196, 0.127, 0.266, 0.088, 0.144)  # ML-25M


def write_large_csv(folder: Path, *, n_rows: int, seed: int = 17) -> Path:
    """Write ``ratings.csv`` and ``movies.csv`` into ``folder`` and return the folder.

    Memory does not grow with ``n_rows``: users are made in blocks.

    Args:
        folder: Made where needed.
        n_rows: Number of ratings N.
        seed: Everything follows from it.
    """
    import pyarrow as pa
    from pyarrow import csv

    rng = np.random.default_rng(derive(seed, "large", n_rows))
    n_items = max(100, round(_MOVIES_AT_25M * (n_rows / 25e6) ** 0.5))
    weights = (np.arange(n_items) + _POPULARITY_SHIFT) ** -_POPULARITY_POWER
    bounds = np.cumsum(weights / weights.sum())  # [V] by rank of popularity
    ids = rng.permutation(n_items).astype(np.int32) + 1  # [V]
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        [("userId", pa.int32()), ("movieId", pa.int32()), ("rating", pa.string()), ("timestamp", pa.int64())]
    )
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    stars = pa.array(_STARS)
    first_user, n_left = 1, n_rows
    with (folder / "ratings.csv").open("wb") as file:
        file.write(b"userId,movieId,rating,timestamp\n")
        with csv.CSVWriter(file, schema, write_options=options) as writer:
            while n_left:
                user, item, time = (column[:n_left] for column in _block(rng, first_user, bounds, ids))
                star = rng.choice(len(_STARS), len(user), p=np.array(_STAR_SHARES) / sum(_STAR_SHARES))
                columns: list[Any] = [pa.array(c) for c in (user, item, star, time)]
                columns[2] = stars.take(columns[2])
                writer.write_table(pa.table(columns, schema=schema))
                first_user += _BLOCK_USERS
                n_left -= len(user)
    movies = [f"{item},Film {item} ({1950 + item % 70}),Drama|War\n" for item in range(1, n_items + 1)]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(movies), encoding="utf-8")
    return folder


def _block(
    rng: np.random.Generator, first_user: int, bounds: NDArray[np.float64], ids: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return users, movies and seconds of a block of users, each [N], by user and movie."""
    drawn = rng.lognormal(np.log(_MEDIAN_EVENTS - _FEWEST_EVENTS), _SPREAD, _BLOCK_USERS)
    wanted = (drawn + _FEWEST_EVENTS).clip(max=len(ids) // 3).astype(np.int64)  # [U]
    user = np.repeat(np.arange(_BLOCK_USERS), (wanted * 1.25).astype(np.int64) + 8)
    item = ids[np.searchsorted(bounds, rng.random(len(user)) * bounds[-1]).clip(max=len(ids) - 1)]
    key = np.unique(user * (len(ids) + 1) + item)  # movies drawn twice by a user fall out
    user, item = key // (len(ids) + 1), (key % (len(ids) + 1)).astype(np.int32)
    starts = np.searchsorted(user, np.arange(_BLOCK_USERS))
    order = np.argsort(user + rng.random(len(user)))  # a random order within each user
    gap = np.where(rng.random(len(user)) < _TIE_SHARE, 0, rng.integers(1, 90, len(user)))
    walked = np.cumsum(gap)
    time = np.empty(len(user), dtype=np.int64)
    joined = rng.integers(_FIRST_SECOND, _LAST_SECOND - 10**7, _BLOCK_USERS)
    time[order] = joined[user] + walked - walked[starts][user]
    return (user + first_user).astype(np.int32), item, time
