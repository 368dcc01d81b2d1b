"""What preparation hands on: memory-mapped sequences, queries, a catalogue and a ledger.

A trial receives :class:`TuningData`, which holds training and validation only.
:class:`HeldOut` lies in a folder of its own and is opened by ``evaluation.final`` alone.

Shapes: N events, U users, M queries, V catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reeltune.config import Config
from reeltune.data.scale import RatingScale
from reeltune.data.texts import Texts

PAD = 0
"""The item code of padding; items are counted from 1."""


@dataclass(frozen=True)
class Sequences:
    """Users' events in order of time, flat, one user after another."""

    items: NDArray[np.int32]  # [N] 1..V
    ratings: NDArray[np.float32]  # [N] NaN where absent
    timestamps: NDArray[np.int64]  # [N] seconds; -1 where absent
    offsets: NDArray[np.int64]  # [U+1] user u's events are offsets[u]:offsets[u+1]
    reviews: Texts | None = None  # [N] text of each event, empty where absent; None where the data have none
    labels: NDArray[np.int8] | None = None  # [N] 1 praise, 0 blame, -1 unknown; None where there are none
    sentiment: NDArray[np.float32] | None = None  # [N] -1 to 1, NaN without review; None unless asked for
    profiles: NDArray[np.int64] | None = None  # [U, C] codes, 0 unknown; None unless asked for

    def select(self, keep: NDArray[np.bool_]) -> Sequences:
        """Return the same users with the events of the mask ``keep`` [N] only, all columns alike."""
        before = np.zeros(len(keep) + 1, dtype=np.int64)
        np.cumsum(keep, out=before[1:])
        columns: dict[str, Any] = {
            name: column.select(keep) if isinstance(column, Texts) else column[keep]
            for name in ("items", "ratings", "timestamps", "reviews", "labels", "sentiment")
            if (column := getattr(self, name)) is not None
        }
        return replace(self, offsets=before[self.offsets], **columns)

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.offsets) - 1

    @property
    def n_events(self) -> int:
        """Number of events over all users."""
        return int(self.offsets[-1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of events of each user, shape [U]."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Queries:
    """Histories and what came next: one target a query, one or several queries a user.

    The history of query m is ``sequences.items[sequences.offsets[user[m]]:end[m]]``.
    """

    sequences: Sequences
    user: NDArray[np.int32]  # [M] row of ``sequences``
    end: NDArray[np.int64]  # [M] absolute end of the history in the flat arrays
    target: NDArray[np.int32]  # [M] 1..V
    target_rating: NDArray[np.float32]  # [M] NaN where absent
    target_timestamp: NDArray[np.int64]  # [M] seconds; -1 where absent
    is_by_time: bool = False
    """Whether the targets of all users lie after one moment, so that nothing later may be counted."""

    @property
    def n_queries(self) -> int:
        """Number of queries M."""
        return len(self.target)

    @property
    def n_users(self) -> int:
        """Number of users who are asked, at most M."""
        return len(np.unique(self.user))

    def select(self, which: NDArray[Any]) -> Queries:
        """Return the queries at ``which``: rows, or a mask of shape [M]."""
        columns = ("user", "end", "target", "target_rating", "target_timestamp")
        return replace(self, **{name: getattr(self, name)[which] for name in columns})

    def one_a_user(self, which: Literal["first", "last"]) -> Queries:
        """Return the first or last query of each user in time, in the order of the queries."""
        order = np.lexsort((self.end, self.user))
        opens = np.diff(self.user[order], prepend=-1) != 0  # a user's first query in this order
        return self.select(np.sort(order[opens if which == "first" else np.append(opens[1:], True)]))

    def known(self) -> Sequences:
        """Return what count-based models may use: the events that precede every query of their user.

        Where the queries were chosen by time, they are also earlier than the earliest target of any user.
        """
        ends = self.sequences.offsets[1:].copy()
        np.minimum.at(ends, self.user, self.end)
        lengths = self.sequences.lengths
        position = np.arange(self.sequences.n_events) - np.repeat(self.sequences.offsets[:-1], lengths)
        is_known = position < np.repeat(ends - self.sequences.offsets[:-1], lengths)
        if self.is_by_time:
            is_known &= self.sequences.timestamps < self.target_timestamp.min()
        return self.sequences.select(is_known)

    def answered(self) -> Sequences:
        """Return each user's longest history with its target: all that precedes what is asked after these.

        A user without a query keeps the events of ``sequences``. The target's review is unknown here and
        left empty.
        """
        whole, last = self.sequences, np.full(self.sequences.n_users, -1)
        order = np.argsort(self.end, kind="stable")
        last[self.user[order]] = order
        users = np.flatnonzero(last >= 0)
        asked = last[users]  # the latest query of each user that has any
        ends = whole.offsets[1:].copy()
        ends[users] = self.end[asked]
        history = whole.select(np.arange(whole.n_events) < np.repeat(ends, whole.lengths))
        places = history.offsets[1:][users]

        def put(events: NDArray[Any] | None, values: Any) -> Any:
            return None if events is None else np.insert(events, places, values)

        return Sequences(
            items=put(history.items, self.target[asked]),
            ratings=put(history.ratings, self.target_rating[asked]),
            timestamps=put(history.timestamps, self.target_timestamp[asked]),
            offsets=history.offsets + np.concatenate(([0], np.cumsum(last >= 0))),
            reviews=None
            if history.reviews is None
            else Texts.of(np.insert(list(history.reviews), places, "")),
            labels=put(history.labels, -1),
            sentiment=put(history.sentiment, np.nan),
            profiles=history.profiles,
        )

    def history(self, query: int) -> NDArray[np.int32]:
        """Return the items seen before the target of ``query``, oldest first, shape [T]."""
        start = self.sequences.offsets[self.user[query]]
        return self.sequences.items[start : self.end[query]]


@dataclass(frozen=True)
class Catalogue:
    """The movies by item code: ``titles[code - 1]`` and so on."""

    item_ids: tuple[str, ...]  # [V] the data set's own ids
    titles: tuple[str, ...]  # [V] with the year in brackets; the id where unknown
    years: tuple[int, ...]  # [V] 0 where unknown
    genres: tuple[tuple[str, ...], ...]  # [V]

    @property
    def n_items(self) -> int:
        """Number of movies V."""
        return len(self.item_ids)


class Ledger(Config):
    """Everything about the data and protocol that changes a number."""

    dataset: str
    """Name in the registry of data sets."""
    source_sha256: str
    """SHA-256 of the rows as read, in file order; the same for each form of the same data."""
    source_scheme: int = 1
    """How ``source_sha256`` was computed; see :meth:`reeltune.data.interactions.Interactions.sha256`."""
    source_sha256_1: str = ""
    """The digest by scheme 1, by which data are known to studies from before scheme 2; empty in these."""
    split: str
    """Name of the split."""
    tie_rule: str
    """Order of events that share a user and a second."""
    k_core: int
    """Movies with fewer interactions were dropped."""
    min_user_events: int = 3
    """Users with fewer events were dropped."""
    n_users: int
    """Users after preparation."""
    n_items: int
    """Movies after preparation."""
    n_interactions: int
    """Interactions after preparation, all parts."""
    n_train_only_users: int = 0
    """Users with too few events for the split, who are trained on and never asked."""
    n_duplicates: int
    """Exact duplicate rows that were dropped."""
    rating_scale: RatingScale | None = None
    """Scale of the ratings; None where it was not written down: half stars up to five."""
    fingerprint: str
    """SHA-256 of the test users and targets."""
    people_sha256: str = ""
    """SHA-256 of the file that directors and actors came from; empty where none was named."""
    preparation: str
    """Version of the preparation code."""

    @property
    def scale(self) -> RatingScale:
        """Scale of the ratings."""
        return self.rating_scale or RatingScale()

    def differences(self, other: Ledger) -> tuple[str, ...]:
        """Return the names of the fields in which the two differ; results then are not comparable.

        The sources are compared by the older of the two ledgers' schemes, the scales where both are known.
        """
        scheme = min(self.source_scheme, other.source_scheme)
        left_out = {"source_scheme", "source_sha256_1"}
        if self.rating_scale is None or other.rating_scale is None:
            left_out.add("rating_scale")
        mine, theirs = (
            ledger.plain() | {"source_sha256": ledger._source(scheme)} for ledger in (self, other)
        )
        return tuple(name for name in mine if name not in left_out and mine[name] != theirs[name])

    def _source(self, scheme: int) -> str:
        return self.source_sha256 if scheme == self.source_scheme else self.source_sha256_1


@dataclass(frozen=True)
class TuningData:
    """What a trial may see: training sequences and validation queries."""

    train: Sequences
    validation: Queries
    ledger: Ledger
    directory: Path
    """Folder of the memory-mapped arrays; ``data.store.open_tuning`` opens it again in another process."""
    open_catalogue: Callable[[], Catalogue]
    """Reads the catalogue; who asks for no titles is spared the tens of milliseconds that it takes."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """The movies by item code, read when they are first asked for."""
        return self.open_catalogue()

    @property
    def n_items(self) -> int:
        """Number of movies V."""
        return self.ledger.n_items


@dataclass(frozen=True)
class HeldOut:
    """The test queries; opened by ``evaluation.final`` only."""

    test: Queries
    ledger: Ledger
