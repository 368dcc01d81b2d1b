"""What a reader hands over: validated columns of interactions, and what is known of the movies.

Shapes: N rows, V movies of the source (also those without a rating).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.texts import Texts
from reeltune.errors import DataError

SOURCE_SCHEME = 2
"""How rows are hashed; see :meth:`Interactions.sha256`."""

_BLOCK_ROWS = 1 << 20
_HASHED = {
    **{"user": "<i8", "item": "<i8", "rating": "<f4", "timestamp": "<i8", "rank": "<i8"},
    **{"review": "<u1", "label": "<i1"},
}
_ONCE_SHORT = {"user", "item", "rank"}  # 32 bits by scheme 1

Ids = NDArray[Any]
"""Ids of users or movies: whole numbers, or text in an object array."""


@dataclass(frozen=True)
class Interactions:
    """Rows of a source in file order."""

    user: Ids  # [N]
    item: Ids  # [N]
    rating: NDArray[np.float32]  # [N] NaN where absent
    timestamp: NDArray[np.int64]  # [N] seconds; -1 where absent
    rank: NDArray[np.int64] | None = None  # [N] chronological rank in the user, where timestamps are absent
    review: Texts | None = None  # [N] what the user wrote; empty where absent
    label: NDArray[np.int8] | None = None  # [N] the source's own verdict: 1 praise, 0 blame, -1 unknown

    def __post_init__(self) -> None:
        lengths = {len(self.user), len(self.item), len(self.rating), len(self.timestamp)}
        lengths |= {len(column) for column in (self.rank, self.review, self.label) if column is not None}
        if len(lengths) != 1:
            raise DataError(f"columns of {sorted(lengths)} rows; all columns must be equally long")
        if lengths == {0}:
            raise DataError("there is no interaction; at least one row is needed")

    @property
    def n_rows(self) -> int:
        """Number of rows N."""
        return len(self.user)

    def sha256(self, scheme: int = SOURCE_SCHEME) -> str:
        """Return the SHA-256 of all columns in file order.

        It depends on the values only, so two forms of the same data (the publisher's
        archive and a copy in a package) give the same digits. By scheme 2 each column is hashed with its
        name and size, and ids with all 64 bits. Scheme 1, whose digits stand in older records, had columns
        without borders and ids modulo 2^32.
        """
        digest = hashlib.sha256(f"interactions-{scheme}".encode())

        def add(name: str, column: NDArray[Any], form: str) -> None:
            if scheme > 1:
                digest.update(f"\n{name} {form} {len(column)}\n".encode())
            for start in range(0, len(column), _BLOCK_ROWS):  # the wide copy stays small
                digest.update(np.ascontiguousarray(column[start : start + _BLOCK_ROWS], dtype=form).data)

        for name, form in _HASHED.items():
            column = getattr(self, name)
            if column is None:
                continue
            if not isinstance(column, Texts) and column.dtype == object:  # ids of text
                if scheme == 1:
                    digest.update("\n".join(column.tolist()).encode())
                    continue
                column = Texts.of(column)
            if isinstance(column, Texts):
                add(f"{name} ends", column.offsets, "<i8")
                add(name, column.data, "<u1")
            else:
                add(name, column, "<i4" if scheme == 1 and name in _ONCE_SHORT else form)
        return digest.hexdigest()


@dataclass(frozen=True)
class Movies:
    """What the source knows of its movies."""

    ids: tuple[str, ...]  # [V]
    titles: tuple[str, ...]  # [V] with the year in brackets where known
    years: tuple[int, ...]  # [V] 0 where unknown
    genres: tuple[tuple[str, ...], ...]  # [V]
    imdb_ids: tuple[str, ...] = ()  # [V] "" unknown; () where the source has none, as all below
    tmdb_ids: tuple[str, ...] = ()  # [V]
    directors: tuple[tuple[str, ...], ...] = ()  # [V]
    actors: tuple[tuple[str, ...], ...] = ()  # [V]
    plots: tuple[str, ...] = ()  # [V]


@dataclass(frozen=True)
class Users:
    """What is known of users. Shape of all columns: U users; a column that is () is unknown for all."""

    ids: tuple[str, ...]  # the data set's own
    ages: tuple[int, ...] = ()  # years, or the lowest year of a bracket; -1 unknown
    genders: tuple[str, ...] = ()  # as the source spells them; "" unknown
    occupations: tuple[str, ...] = ()  # "" unknown


@dataclass(frozen=True)
class TagTable:
    """Free words that users put on movies. Shape of all columns: tags of the source."""

    users: tuple[str, ...]
    items: tuple[str, ...]
    texts: Texts
    timestamp: NDArray[np.int64]  # seconds


@dataclass(frozen=True)
class BadRows:
    """Rows that a reader left out because a value is wrong."""

    n_rows: int
    kinds: str
    """How many for which field."""
    first: str
    """File, line and fault of the first."""


@dataclass(frozen=True)
class RawDataset:
    """A data set as read, before preparation."""

    interactions: Interactions
    movies: Movies | None = None
    users: Users | None = None
    tags: TagTable | None = None
    fold: NDArray[np.int8] | None = None  # [N] the publisher's fold of each row, from 1
    credits_sha256: str = ""
    """SHA-256 of the file that directors and actors were added from; empty where none was."""
    notes: tuple[str, ...] = ()
    """What the reader left out or could not read, with counts."""
    bad_rows: BadRows | None = None
    """Rows left out because a value is wrong; see :meth:`without_bad_rows`."""

    def without_bad_rows(self, on_bad_rows: str) -> RawDataset:
        """Return the data set with a note of its bad rows."""
        bad = self.bad_rows
        if bad is None:
            return self
        if on_bad_rows == "refuse":
            raise DataError(
                f"{bad.first}; {bad.n_rows:,} such rows ({bad.kinds}): data.on_bad_rows: drop leaves them out"
            )
        note = f"{bad.n_rows:,} bad rows left out ({bad.kinds}), the first: {bad.first}"
        return replace(self, notes=(*self.notes, note), bad_rows=None)
