"""Raw rows to users' sequences: duplicates out, k-core, stable order in time, codes.

Shapes: N rows, U users, V movies.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids, Interactions
from reeltune.data.prepare.ordering import chronological, repeated_rows
from reeltune.data.prepare.ties import order_keys
from reeltune.data.prepare.vocabulary import encode
from reeltune.data.prepared import Sequences
from reeltune.errors import DataError

__all__ = ["PREPARATION", "Prepared", "prepare_sequences"]

PREPARATION = "2"
"""Version of this code; a change of a number or of the form of an entry raises it."""


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
    interactions: Interactions,
    *,
    k_core: int,
    min_user_events: int,
    fold: NDArray[np.int8] | None = None,
    ties: str = "file",
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
        ties: Another rule for the order of a user's events; see :data:`reeltune.data.prepare.ties.TIE_RULES`.

    Raises:
        DataError: Nothing is left.
    """
    with ThreadPoolExecutor(1) as second:  # NumPy lets go of the interpreter: two cores share the work
        items = second.submit(encode, interactions.item)
        user, user_ids = encode(interactions.user)
        time = _time_of(interactions)
        if ties != "file":
            time = order_keys(ties, interactions, user, items.result()[0])
        order, offsets = chronological(user, time, len(user_ids))
        del user
        item, item_ids = items.result()
    del items
    item = item if order is None else item[order]
    # By movie id no two keys are equal, but the seconds stand in order; by float32 it is the other way round.
    time = _time_of(interactions) if ties == "movie" else time
    time = time if order is None else time[order]
    rating = interactions.rating if order is None else interactions.rating[order]
    repeated = repeated_rows(item, rating, time, offsets)
    del time, rating
    keep = np.ones(len(item), dtype=bool)
    keep[repeated] = False
    item_counts = np.bincount(item, minlength=len(item_ids)) - np.bincount(
        item[repeated], minlength=len(item_ids)
    )
    is_rare = (item_counts < k_core) & (item_counts > 0)
    n_rare_rows = int(item_counts[is_rare].sum())
    keep &= (item_counts >= k_core)[item]
    user_counts = _kept(keep, offsets)
    is_short = user_counts < min_user_events
    n_short_rows = int(user_counts[is_short].sum())
    keep &= np.repeat(~is_short, np.diff(offsets))
    if not keep.any():
        raise DataError(
            f"nothing is left of {interactions.n_rows} rows: no user has {min_user_events} events on movies "
            f"with {k_core} rows or more; lower k_core or bring more data"
        )

    rows = np.flatnonzero(keep) if order is None else order[keep]  # [N kept] rows of the source
    item_codes, item_used = encode(item[keep])
    del item, order, keep
    item_codes += np.int32(1)
    kept_offsets = np.zeros(int((~is_short).sum()) + 1, dtype=np.int64)
    np.cumsum(user_counts[~is_short], out=kept_offsets[1:])
    sequences = Sequences(
        items=item_codes,
        ratings=interactions.rating[rows],
        timestamps=interactions.timestamp[rows],
        offsets=kept_offsets,
        reviews=None if interactions.review is None else interactions.review.select(rows),
        labels=None if interactions.label is None else interactions.label[rows],
    )
    return Prepared(
        sequences=sequences,
        user_ids=user_ids[~is_short],
        item_ids=item_ids[item_used],
        n_rows=interactions.n_rows,
        n_duplicates=len(repeated),
        n_rare_items=int(is_rare.sum()),
        n_rare_rows=n_rare_rows,
        n_short_users=int(is_short.sum()),
        n_short_rows=n_short_rows,
        fold=None if fold is None else fold[rows],
    )


def _time_of(interactions: Interactions) -> NDArray[np.int64]:
    return interactions.timestamp if interactions.rank is None else interactions.rank


def _kept(keep: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of kept rows of each user, [U]; each user has a row."""
    return np.add.reduceat(keep.view(np.int8), offsets[:-1], dtype=np.int64)
