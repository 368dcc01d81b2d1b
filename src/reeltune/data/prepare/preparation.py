"""Raw rows to users' sequences: duplicates out, k-core, stable order in time, codes.

Shapes: N rows, U users, V movies.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids, Interactions
from reeltune.data.prepare.ordering import chronological, order_keys, repeated_rows
from reeltune.data.prepared import Sequences
from reeltune.errors import DataError

_DENSE_FACTOR = 8  # a table of this many entries a row costs less than sorting the rows

PREPARATION = "2"
"""Version of this code; a change of a number or of the files of a dataset raises it."""


@dataclass(frozen=True)
class RowCounts:
    """How many rows were read, and what was left out on the way."""

    n_rows: int  # rows read
    n_duplicates: int  # exact duplicate rows dropped
    n_rare_items: int  # movies below the k-core
    n_rare_rows: int  # rows of these movies
    n_short_users: int  # users with too few events left
    n_short_rows: int  # rows of these users


@dataclass(frozen=True)
class Prepared:
    """Users' events in order of time."""

    sequences: Sequences
    user_ids: Ids  # [U] in the order of the sequences
    item_ids: Ids  # [V] in the order of the codes: the id of code c is item_ids[c - 1]
    counts: RowCounts
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
        counts=RowCounts(
            n_rows=interactions.n_rows,
            n_duplicates=len(repeated),
            n_rare_items=int(is_rare.sum()),
            n_rare_rows=n_rare_rows,
            n_short_users=int(is_short.sum()),
            n_short_rows=n_short_rows,
        ),
        fold=None if fold is None else fold[rows],
    )


def _time_of(interactions: Interactions) -> NDArray[np.int64]:
    return interactions.timestamp if interactions.rank is None else interactions.rank


def _kept(keep: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of kept rows of each user, [U]; each user has a row."""
    return np.add.reduceat(keep.view(np.int8), offsets[:-1], dtype=np.int64)


def encode(ids: Ids) -> tuple[NDArray[np.int32], Ids]:
    """Return the code of each row, counted from 0, and the distinct ids in rising order.

    Numbers are ordered by value and text by code points, so the codes do not depend on
    the order of the rows.

    Codes are [N] and ids [V], with ``distinct[codes] == ids``.

    >>> codes, distinct = encode(np.array([30, 10, 30]))
    >>> codes.tolist(), distinct.tolist()
    ([1, 0, 1], [10, 30])
    """
    if ids.dtype == object:
        return _encode_text(ids)
    low, high = int(ids.min()), int(ids.max())
    if high - low > _DENSE_FACTOR * len(ids) + 1024:
        distinct, codes = np.unique(ids, return_inverse=True)
        return codes.astype(np.int32), distinct
    present = np.zeros(high - low + 1, dtype=bool)
    present[ids - low] = True
    lookup = np.cumsum(present, dtype=np.int32) - 1
    distinct = np.flatnonzero(present).astype(ids.dtype) + low
    return lookup[ids - low], distinct


def id_texts(ids: Ids) -> tuple[str, ...]:
    """Return ids as text."""
    return tuple(map(str, ids.tolist()))


def _encode_text(ids: Ids) -> tuple[NDArray[np.int32], Ids]:
    import pyarrow as pa

    found = pa.array(ids, type=pa.large_string()).dictionary_encode()
    names = np.array(found.dictionary.to_pylist(), dtype=object)
    order = np.argsort(names, kind="stable")
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[found.indices.to_numpy()], names[order]
