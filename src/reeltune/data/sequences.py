"""Histories to padded batches, a whole batch a gather.

Shapes: B batch, T steps, N events, W windows, M queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltune.data.batch import Histories, Movable, TrainingBatch
from reeltune.data.prepared import PAD, Queries, Sequences
from reeltune.seeding import derive

_BUCKET_BATCHES = 16  # batches whose windows are sorted by length together: little padding, still random
_BATCH_POSITIONS = 1 << 16  # bounds the memory of a batch of very long histories


@dataclass(frozen=True)
class QueryBatch(Movable):
    """Full histories and what came next."""

    histories: Histories
    targets: Tensor  # [B] int64
    index: Tensor  # [B] int64, rows of the queries


def window_batches(
    train: Sequences, *, history_length: int, batch_size: int, seed: int, epoch: int
) -> Iterator[TrainingBatch]:
    """Yield batches that together train every position of every user exactly once.

    Position t of a window predicts event t + 1 of the user. A history longer than
    ``history_length`` is cut from its end, so that the first window is the short one: it
    starts where the history starts and lacks no context. Windows of similar length share a
    batch. The order depends on ``seed`` and ``epoch`` alone.
    """
    users, starts, lengths = _windows(train, history_length)
    rng = np.random.default_rng(derive(seed, "windows", epoch))
    order = rng.permutation(len(starts))
    n_batches = _n_batches(len(order), batch_size)
    is_sorted = np.zeros(_n_batches(n_batches, _BUCKET_BATCHES), dtype=bool)
    for batch in rng.permutation(n_batches):
        bucket = batch // _BUCKET_BATCHES
        if not is_sorted[bucket]:  # when it is needed: the first batch need not wait for all
            size = batch_size * _BUCKET_BATCHES
            part = order[bucket * size : (bucket + 1) * size]
            part[:] = part[np.argsort(lengths[part], kind="stable")]
            is_sorted[bucket] = True
        rows = order[batch * batch_size : (batch + 1) * batch_size]
        histories, index, inside = _gather(train, users[rows], starts[rows], lengths[rows])
        after = np.minimum(index + 1, train.n_events - 1)  # [B, T]
        targets = np.where(inside, train.items[after], PAD)
        asked = np.where(inside, train.timestamps[after], -1)
        histories = replace(histories, asked=torch.from_numpy(asked))
        yield TrainingBatch(histories, torch.from_numpy(targets.astype(np.int64)))


def n_window_batches(train: Sequences, *, history_length: int, batch_size: int) -> int:
    """Return the number of batches that :func:`window_batches` yields, the same in each epoch."""
    n_targets = np.maximum(train.lengths - 1, 0)
    return _n_batches(int((-(-n_targets // history_length)).sum()), batch_size)


def query_batches(
    queries: Queries, *, batch_size: int, history_length: int | None = None
) -> Iterator[QueryBatch]:
    """Yield all queries once, those with histories of similar length together.

    ``history_length`` cuts histories to their last events. Batches are smaller where histories are very long.
    Where users have several queries, those of a user stand in one batch as far as it holds them, and
    ``histories.whole`` has each user once.
    """
    starts = queries.sequences.offsets[queries.user]
    lengths = queries.end - starts
    if history_length is not None:
        lengths = np.minimum(lengths, history_length)
        starts = queries.end - lengths
    is_alone = history_length is not None or len(np.unique(queries.user)) == queries.n_queries
    if is_alone:
        order = np.argsort(lengths, kind="stable")
    else:  # the queries of a user one after another
        longest_of = np.zeros(queries.sequences.n_users, dtype=np.int64)
        np.maximum.at(longest_of, queries.user, lengths)
        order = np.lexsort((lengths, queries.user, longest_of[queries.user]))
    first = 0
    while first < len(order):
        rows = order[first : first + batch_size]
        longest = max(1, int(lengths[rows].max()))
        rows = rows[: max(1, _BATCH_POSITIONS // longest)]
        histories, _, _ = _gather(queries.sequences, queries.user[rows], starts[rows], lengths[rows])
        histories = replace(histories, asked=_asked(histories, queries.target_timestamp[rows]))
        if not is_alone:
            histories = _with_whole(histories, queries, rows)
        targets = torch.from_numpy(queries.target[rows].astype(np.int64))
        yield QueryBatch(histories, targets, torch.from_numpy(rows))
        first += len(rows)


def _with_whole(histories: Histories, queries: Queries, rows: NDArray[np.int64]) -> Histories:
    """Return the batch of the queries ``rows`` [B] with each user's longest history beside it."""
    users, row = np.unique(queries.user[rows], return_inverse=True)
    starts, ends = queries.sequences.offsets[users], np.zeros(len(users), dtype=np.int64)
    np.maximum.at(ends, row, queries.end[rows])
    whole, _, _ = _gather(queries.sequences, users, starts, ends - starts)
    requested = queries.target_timestamp[rows].astype(np.int64)
    asked = _asked(whole, np.zeros(len(users), dtype=np.int64))
    asked[torch.from_numpy(row), histories.lengths - 1] = torch.from_numpy(requested)
    return replace(histories, whole=replace(whole, asked=asked), rows=torch.from_numpy(row))


def _asked(histories: Histories, requested: NDArray[np.int64]) -> Tensor:
    """Return when what follows each event was asked for, [B, T]: the last one at ``requested`` [B]."""
    assert histories.timestamps is not None
    asked = histories.timestamps.roll(-1, dims=1)
    last = torch.arange(asked.shape[1]) == histories.lengths[:, None] - 1  # [B, T]
    asked = torch.where(last, torch.from_numpy(requested.astype(np.int64))[:, None], asked)
    return asked.where(histories.items != PAD, -1)


def to_histories(
    items: Sequence[Sequence[int]],
    ratings: Sequence[Sequence[float]] | None = None,
    timestamps: Sequence[Sequence[int]] | None = None,
) -> Histories:
    """Return lists of item codes, one a user, as a batch.

    Item codes count from 1, oldest first; ratings are in stars, timestamps in seconds.
    """
    return Histories(
        items=_padded(items, PAD, torch.int64),
        lengths=torch.tensor([len(row) for row in items], dtype=torch.int64),
        ratings=None if ratings is None else _padded(ratings, float("nan"), torch.float32),
        timestamps=None if timestamps is None else _padded(timestamps, -1, torch.int64),
    )


def user_histories(sequences: Sequences, users: NDArray[np.int64]) -> Histories:
    """Return the whole histories of ``users`` [B], rows of ``sequences``."""
    histories, _, _ = _gather(sequences, users, sequences.offsets[users], sequences.lengths[users])
    return histories


def _windows(
    train: Sequences, history_length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return user, first event and number of positions of each window, all [W]."""
    n_targets = np.maximum(train.lengths - 1, 0)  # [U]
    n_windows = -(-n_targets // history_length)
    user = np.repeat(np.arange(train.n_users), n_windows)  # [W]
    before = np.cumsum(n_windows) - n_windows
    back = n_windows[user] - (np.arange(len(user)) - before[user])  # [W] windows from here to the end
    stops = n_targets[user] - (back - 1) * history_length  # [W] position after the window
    starts = np.maximum(stops - history_length, 0)
    return user, train.offsets[user] + starts, stops - starts


def _gather(
    sequences: Sequences, users: NDArray[Any], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[Histories, NDArray[np.int64], NDArray[np.bool_]]:
    """Return the batch of rows ``starts:starts+lengths`` of ``users`` [B], its flat index and mask [B, T]."""
    columns = np.arange(max(1, int(lengths.max())))
    index = np.minimum(starts[:, None] + columns, sequences.n_events - 1)  # [B, T]
    inside = columns < lengths[:, None]  # [B, T]
    items = np.where(inside, sequences.items[index], PAD).astype(np.int64)
    ratings = np.where(inside, sequences.ratings[index], np.float32(np.nan))
    timestamps = np.where(inside, sequences.timestamps[index], -1)
    sentiment, profiles = None, None
    if sequences.sentiment is not None:
        sentiment = torch.from_numpy(np.where(inside, sequences.sentiment[index], np.float32(np.nan)))
    if sequences.profiles is not None:
        profiles = torch.from_numpy(sequences.profiles[users])
    histories = Histories(
        items=torch.from_numpy(items),
        lengths=torch.from_numpy(lengths.astype(np.int64)),
        ratings=torch.from_numpy(ratings),
        timestamps=torch.from_numpy(timestamps),
        sentiment=sentiment,
        profiles=profiles,
    )
    return histories, index, inside


def _padded(rows: Sequence[Sequence[float]], padding: float, dtype: torch.dtype) -> Tensor:
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    inside = np.arange(max(1, lengths.max(initial=0))) < lengths[:, None]
    batch = torch.full(inside.shape, padding, dtype=dtype)
    batch[torch.from_numpy(inside)] = torch.tensor(list(chain.from_iterable(rows)), dtype=dtype)
    return batch


def _n_batches(n_rows: int, batch_size: int) -> int:
    return -(-n_rows // batch_size)
