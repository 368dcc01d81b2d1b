"""Less of the training data, the queries unchanged: what learning curves are made of.

Shapes: U users, N events.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import TuningData
from reeltune.errors import ConfigError
from reeltune.seeding import derive


def reduced(
    data: TuningData,
    *,
    user_share: float = 1.0,
    last_events: int | None = None,
    thirds: tuple[int, ...] | list[int] = (),
    seed: int = 0,
) -> TuningData:
    """Return ``data`` with fewer training events and the same validation queries with whole histories.

    Every user keeps the row; one who is left out has no events. The shares are nested: the users of
    a smaller share are among those of a larger one.

    ``user_share`` lies above 0, up to 1. ``last_events`` are kept of each user; None for all. ``thirds`` says
    which of three random thirds of the users (0, 1, 2) are trained on; empty for all.
    """
    if not 0.0 < user_share <= 1.0:
        raise ConfigError(f"user_share is {user_share:g}; it lies above 0, up to 1")
    if last_events is not None and last_events < 2:
        raise ConfigError(f"last_events is {last_events}; a training sequence needs at least 2")
    if user_share == 1.0 and last_events is None and not thirds:
        return data
    train = data.train
    order = np.random.default_rng(derive(seed, "people")).permutation(train.n_users)
    is_kept = np.zeros(train.n_users, dtype=bool)
    is_kept[order[: max(1, round(user_share * train.n_users))]] = True
    if thirds:
        place = np.empty(train.n_users, dtype=np.int64)
        place[order] = np.arange(train.n_users)
        is_kept &= np.isin(place * 3 // train.n_users, list(thirds))
    keep = np.repeat(is_kept, train.lengths)
    if last_events is not None:
        keep &= np.arange(train.n_events) >= np.repeat(train.offsets[1:] - last_events, train.lengths)
    if not keep.any():
        raise ConfigError("no training event is left; keep more users")
    return replace(data, train=train.select(keep))


def with_validation(data: TuningData) -> TuningData:
    """Return ``data`` with each validation target at its place in time among the training events.

    Nothing is left to be validated. For models of ratings, whose rows are questions of their own; one of
    the next movie trains on :meth:`reeltune.data.prepared.Queries.answered`.
    """
    train, asked = data.train, data.validation
    by_place = np.lexsort((np.arange(asked.n_queries), asked.end, asked.user))
    hidden = asked.select(by_place)
    if not np.array_equal(asked.sequences.offsets, train.offsets):
        raise ConfigError("the histories of the validation are not the training events; choose another split")

    def joined(own: NDArray[Any], targets: NDArray[Any]) -> NDArray[Any]:
        return np.insert(own, hidden.end, targets.astype(own.dtype))

    n_before = np.searchsorted(hidden.user, np.arange(train.n_users + 1))
    sequences = replace(
        train,
        items=joined(train.items, hidden.target),
        ratings=joined(train.ratings, hidden.target_rating),
        timestamps=joined(train.timestamps, hidden.target_timestamp),
        offsets=train.offsets + n_before,
        reviews=None,
        labels=None,
        sentiment=None,
    )
    return replace(data, train=sequences, validation=asked.select(np.zeros(0, dtype=np.int64)))
