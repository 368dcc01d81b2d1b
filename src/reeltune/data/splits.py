"""Sequences to training, validation and test parts.

Shapes: N events, U users, M queries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids
from reeltune.data.prepared import Queries, Sequences
from reeltune.data.vocabulary import id_texts

__all__ = ["SPLITS", "Parts", "fingerprint", "leave_one_out"]


@dataclass(frozen=True)
class Parts:
    """What a split yields."""

    train: Sequences
    validation: Queries
    test: Queries


def leave_one_out(sequences: Sequences) -> Parts:
    """Return the split with each user's last event as test and the second last as validation.

    The history of a test query includes the validation event. Users need at least 3 events.
    """
    ends = sequences.offsets[1:]
    train = _without(sequences, ends - 1, ends - 2)
    before_test = _without(sequences, ends - 1)
    return Parts(
        train=train,
        validation=_last_queries(train, sequences, ends - 2),
        test=_last_queries(before_test, sequences, ends - 1),
    )


SPLITS: dict[str, Callable[[Sequences], Parts]] = {
    "leave-one-out": leave_one_out,
}
"""Splits by name."""


def fingerprint(test: Queries, user_ids: Ids, item_ids: Ids) -> str:
    """Return the SHA-256 of the test users and targets, by the data set's own ids.

    Two preparations with the same digits ask the same questions, whatever their codes.
    """
    users = id_texts(user_ids[test.user])
    targets = id_texts(item_ids[test.target - 1])
    text = "\n".join(f"{user}\t{item}" for user, item in zip(users, targets, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()


def _without(sequences: Sequences, *rows: NDArray[np.int64]) -> Sequences:
    """Return the sequences without one event of each user for each array of ``rows`` [U]."""
    keep = np.ones(sequences.n_events, dtype=bool)
    for row in rows:
        keep[row] = False
    return sequences.select(keep)


def _last_queries(histories: Sequences, full: Sequences, rows: NDArray[np.int64]) -> Queries:
    """Return one query a user: all of ``histories``, then the event of ``full`` at ``rows`` [U]."""
    return Queries(
        sequences=histories,
        user=np.arange(histories.n_users, dtype=np.int32),
        end=histories.offsets[1:],
        target=full.items[rows],
        target_rating=full.ratings[rows],
        target_timestamp=full.timestamps[rows],
    )
