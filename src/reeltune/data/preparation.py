"""Raw rows to users' sequences: duplicates out, k-core, stable order in time, codes.

Shapes: N rows, U users, V movies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids, Interactions
from reeltune.data.prepared import Sequences
from reeltune.data.vocabulary import encode
from reeltune.errors import DataError

__all__ = ["PREPARATION", "TIE_RULE", "Prepared", "prepare_sequences"]

PREPARATION = "2"
"""Version of this code; a change of any number it yields raises it."""
TIE_RULE = "stable sort by (user, timestamp); ties stay in file order"


@dataclass(frozen=True)
class Prepared:
    """Users' events in order of time, and what was left out on the way."""

    sequences: Sequences
    user_ids: Ids  # [U] in the order of the sequences
    item_ids: Ids  # [V] in the order of the codes: the id of code c is item_ids[c - 1]
    n_rows: int  # rows read
    n_duplicates: int  # exact duplicate rows dropped
    n_rare_items: int  # movies below the k-core
    n_rare_rows: int  # rows of these movies
    n_short_users: int  # users with too few events left
    n_short_rows: int  # rows of these users
    fold: NDArray[np.int8] | None = None  # [N] the publisher's fold of each event, from 1


def prepare_sequences(
    interactions: Interactions, *, k_core: int, min_user_events: int, fold: NDArray[np.int8] | None = None
) -> Prepared:
    """Return the rows as sequences.

    In this order: exact duplicates (same user, movie, rating and time) are dropped, then
    movies with fewer than ``k_core`` rows, then users with fewer than ``min_user_events``.
    The order is a stable sort by user and time (or rank, where given): ties stay in file order.

    Args:
        interactions: Rows in file order.
        k_core: Least number of rows a movie; 1 keeps all.
        min_user_events: Least number of rows a user, counted after the movies were dropped.
        fold: The publisher's fold of each row; None where there is none.

    Raises:
        DataError: Nothing is left.
    """
    user, user_ids = encode(interactions.user)
    item, item_ids = encode(interactions.item)
    time = interactions.timestamp if interactions.rank is None else interactions.rank
    order = _chronological(user, time)
    if order is not None:
        user, item, time = user[order], item[order], time[order]
    rating = interactions.rating if order is None else interactions.rating[order]

    keep = ~_is_duplicate(user, item, rating, time)
    n_duplicates = int((~keep).sum())
    item_counts = np.bincount(item[keep], minlength=len(item_ids))
    is_rare = (item_counts < k_core) & (item_counts > 0)
    n_rare_rows = int(item_counts[is_rare].sum())
    keep &= item_counts[item] >= k_core
    user_counts = np.bincount(user[keep], minlength=len(user_ids))
    is_short = user_counts < min_user_events
    n_short_rows = int(user_counts[is_short].sum())
    keep &= ~is_short[user]
    if not keep.any():
        raise DataError(
            f"nothing is left of {interactions.n_rows} rows: no user has {min_user_events} events on movies "
            f"with {k_core} rows or more; lower k_core or bring more data"
        )

    item_codes, item_used = encode(item[keep])
    offsets = np.zeros(int((~is_short).sum()) + 1, dtype=np.int64)
    np.cumsum(user_counts[~is_short], out=offsets[1:])
    timestamp = interactions.timestamp if order is None else interactions.timestamp[order]
    rows = np.flatnonzero(keep) if order is None else order[keep]  # [N kept] rows of the source
    sequences = Sequences(
        items=item_codes + np.int32(1),
        ratings=rating[keep],
        timestamps=timestamp[keep],
        offsets=offsets,
        reviews=None if interactions.review is None else interactions.review.select(rows),
        labels=None if interactions.label is None else interactions.label[rows],
    )
    return Prepared(
        sequences=sequences,
        user_ids=user_ids[~is_short],
        item_ids=item_ids[item_used],
        n_rows=interactions.n_rows,
        n_duplicates=n_duplicates,
        n_rare_items=int(is_rare.sum()),
        n_rare_rows=n_rare_rows,
        n_short_users=int(is_short.sum()),
        n_short_rows=n_short_rows,
        fold=None if fold is None else fold[rows],
    )


def _chronological(user: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """Return the stable order by user and time, or None when the rows stand in it already."""
    low, high = int(time.min()), int(time.max())
    span = high - low + 1
    if span > np.iinfo(np.int64).max // (int(user.max()) + 1):
        return np.lexsort((time, user))
    key = user.astype(np.int64)
    key *= span
    key += time
    key -= low
    if (key[1:] >= key[:-1]).all():
        return None
    return np.argsort(key, kind="stable")


def _is_duplicate(
    user: NDArray[np.int32], item: NDArray[np.int32], rating: NDArray[np.float32], time: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which rows repeat an earlier row in all columns; rows are ordered by user and time."""
    duplicate = np.zeros(len(user), dtype=bool)
    is_tied = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
    in_group = np.zeros(len(user), dtype=bool)
    in_group[1:] |= is_tied
    in_group[:-1] |= is_tied
    rows = np.flatnonzero(in_group)
    if not len(rows):
        return duplicate
    group = np.cumsum(~np.concatenate(([False], is_tied)))[rows]
    stars = np.nan_to_num(rating[rows], nan=-1.0)
    order = np.lexsort((stars, item[rows], group))  # stable: the earliest of equal rows stays first
    rows, group, stars = rows[order], group[order], stars[order]
    same = (group[1:] == group[:-1]) & (item[rows[1:]] == item[rows[:-1]]) & (stars[1:] == stars[:-1])
    duplicate[rows[1:][same]] = True
    return duplicate
