"""Batches for rating prediction: whole histories of users, and the movies that they rated when.

A user's history is read once, however many of its positions are asked for.

Shapes: B users, T steps, M questions of a set, N questions of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltune.data.batch import Histories, Movable
from reeltune.data.prepared import Queries, Sequences
from reeltune.data.sequences import user_histories
from reeltune.seeding import derive

_BUCKET_BATCHES = 8  # batches whose users are sorted by length together: little padding, still random


@dataclass(frozen=True)
class Ratings:
    """Questions for the rating of a movie by a user after a part of that user's history."""

    sequences: Sequences
    user: NDArray[np.int64]  # [M] row of ``sequences``
    before: NDArray[np.int64]  # [M] events of the history that precede the question
    item: NDArray[np.int64]  # [M] 1..V
    stars: NDArray[np.float32]  # [M] the truth

    @property
    def n_ratings(self) -> int:
        """Number of questions M."""
        return len(self.item)

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most stars among the truths."""
        return float(self.stars.min()), float(self.stars.max())

    @classmethod
    def of(cls, queries: Queries) -> Ratings:
        """Return the ``queries`` as questions for their targets' ratings; unrated targets are left out."""
        rated = np.isfinite(queries.target_rating)
        return cls(
            sequences=queries.sequences,
            user=queries.user[rated].astype(np.int64),
            before=(queries.end - queries.sequences.offsets[queries.user])[rated],
            item=queries.target[rated].astype(np.int64),
            stars=np.asarray(queries.target_rating[rated], dtype=np.float32),
        )


def known_ratings(train: Sequences) -> Ratings:
    """Return a question for each event of ``train`` that was rated, after all that precede it."""
    user = np.repeat(np.arange(train.n_users), train.lengths)
    before = np.arange(train.n_events) - train.offsets[user]
    rated = np.isfinite(train.ratings)
    return Ratings(
        sequences=train,
        user=user[rated],
        before=before[rated],
        item=np.asarray(train.items)[rated].astype(np.int64),
        stars=np.asarray(train.ratings)[rated],
    )


@dataclass(frozen=True)
class RatingBatch(Movable):
    """Histories of some users and the questions about them."""

    histories: Histories
    users: Tensor  # [B] int64, rows of the sequences
    row: Tensor  # [N] int64, the row of the batch that is asked
    before: Tensor  # [N] int64, events of that row that precede the question
    items: Tensor  # [N] int64
    stars: Tensor  # [N] float32
    index: Tensor  # [N] int64, the question's place in the set


def rating_batches(
    ratings: Ratings, *, batch_size: int, seed: int | None = None, epoch: int = 0
) -> Iterator[RatingBatch]:
    """Yield all questions once, those of a user together.

    ``seed`` is the origin of the order of batches; None for users in order of their length.
    """
    questions = np.argsort(ratings.user, kind="stable")  # grouped by user
    starts = np.searchsorted(ratings.user[questions], np.arange(ratings.sequences.n_users + 1))
    asked = np.flatnonzero(np.diff(starts))  # users with questions
    lengths = ratings.sequences.lengths[asked]
    order = np.arange(len(asked))
    rng = np.random.default_rng(0 if seed is None else derive(seed, "people", epoch))
    bucket = len(order)
    if seed is not None:
        rng.shuffle(order)
        bucket = batch_size * _BUCKET_BATCHES
    chunks = [order[first : first + bucket] for first in range(0, len(order), bucket)]
    by_length = np.concatenate([chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in chunks])
    firsts = np.arange(0, len(order), batch_size)
    if seed is not None:
        rng.shuffle(firsts)
    for first in firsts:
        users = asked[by_length[first : first + batch_size]]
        parts = [questions[starts[user] : starts[user + 1]] for user in users]
        index = np.concatenate(parts)
        row = np.repeat(np.arange(len(users)), [len(part) for part in parts])
        yield RatingBatch(
            histories=user_histories(ratings.sequences, users),
            users=torch.from_numpy(users),
            row=torch.from_numpy(row),
            before=torch.from_numpy(ratings.before[index]),
            items=torch.from_numpy(ratings.item[index]),
            stars=torch.from_numpy(ratings.stars[index]),
            index=torch.from_numpy(index),
        )
