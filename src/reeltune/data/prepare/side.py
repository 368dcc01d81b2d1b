"""What the source knows of users and movies beyond title and genre, aligned to the codes.

Tags that would reveal a held-out event are left out: see :func:`align_tags`.

Shapes: U users, V movies, K tags, N events, M queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids, Movies, TagTable, Users
from reeltune.data.prepare.preparation import id_texts
from reeltune.data.prepared import Catalogue, Queries
from reeltune.data.texts import Texts

__all__ = ["Details", "SideInformation", "Tags", "align_movies", "align_tags", "align_users"]

T = TypeVar("T")


@dataclass(frozen=True)
class Details:
    """The movies by item code, as in the catalogue; a field that is () is unknown for all."""

    imdb_ids: tuple[str, ...] = ()  # [V] digits of the IMDb number; "" unknown
    tmdb_ids: tuple[str, ...] = ()  # [V] "" unknown
    directors: tuple[tuple[str, ...], ...] = ()  # [V]
    actors: tuple[tuple[str, ...], ...] = ()  # [V]
    plots: tuple[str, ...] = ()  # [V] "" unknown


@dataclass(frozen=True)
class Tags:
    """Free words that users put on movies, none of them on a held-out event."""

    user: NDArray[np.int32]  # [K] row of the sequences; -1 for someone who is not in the vocabulary
    item: NDArray[np.int32]  # [K] 1..V
    timestamp: NDArray[np.int64]  # [K] seconds
    texts: Texts  # [K]


@dataclass(frozen=True)
class SideInformation:
    """All that a prepared data set holds beside events and catalogue."""

    users: Users  # [U] by row of the sequences
    details: Details
    tags: Tags | None


class _Rows:
    """Picks what a source knows of ``ids``, in their order."""

    def __init__(self, ids: tuple[str, ...], known: tuple[str, ...]) -> None:
        row = {name: i for i, name in enumerate(known)}
        self._rows = [row.get(name) for name in ids]

    def pick(self, column: tuple[T, ...], absent: T) -> tuple[T, ...]:
        """Return the column of the ids, ``absent`` where unknown; () where it is unknown for all."""
        return tuple(absent if row is None else column[row] for row in self._rows) if column else ()


def align_users(user_ids: Ids, known: Users | None) -> Users:
    """Return the users of the sequences with what is ``known`` of them."""
    ids = id_texts(user_ids)
    if known is None:
        return Users(ids)
    rows = _Rows(ids, known.ids)
    return Users(
        ids=ids,
        ages=rows.pick(known.ages, -1),
        genders=rows.pick(known.genders, ""),
        occupations=rows.pick(known.occupations, ""),
    )


def align_movies(item_ids: tuple[str, ...], movies: Movies | None) -> tuple[Catalogue, Details]:
    """Return catalogue and details of the prepared movies; one without title goes by its id."""
    n_items = len(item_ids)
    if movies is None:
        return Catalogue(item_ids, item_ids, (0,) * n_items, ((),) * n_items), Details()
    rows = _Rows(item_ids, movies.ids)
    titles = rows.pick(movies.titles, "") or ("",) * n_items
    nobody: tuple[str, ...] = ()
    return (
        Catalogue(
            item_ids=item_ids,
            titles=tuple(title or item for title, item in zip(titles, item_ids, strict=True)),
            years=rows.pick(movies.years, 0) or (0,) * n_items,
            genres=rows.pick(movies.genres, nobody) or (nobody,) * n_items,
        ),
        Details(
            imdb_ids=rows.pick(movies.imdb_ids, ""),
            tmdb_ids=rows.pick(movies.tmdb_ids, ""),
            directors=rows.pick(movies.directors, nobody),
            actors=rows.pick(movies.actors, nobody),
            plots=rows.pick(movies.plots, ""),
        ),
    )


def align_tags(
    user_ids: Ids,
    item_ids: tuple[str, ...],
    table: TagTable,
    *,
    held_out: tuple[Queries, ...],
    before: int | None = None,
) -> Tags:
    """Return the tags of prepared movies that reveal nothing of what is held out.

    A tag is left out when its user and movie are the target of a held-out query, or when it
    was written at or after ``before``.
    """
    users = {user: i for i, user in enumerate(id_texts(user_ids))}
    codes = {item: i + 1 for i, item in enumerate(item_ids)}
    user = np.array([users.get(u, -1) for u in table.users], dtype=np.int64)
    item = np.array([codes.get(i, 0) for i in table.items], dtype=np.int64)
    stride = len(item_ids) + 1
    targets = [q.user.astype(np.int64) * stride + q.target for q in held_out]
    keep = (item > 0) & ~np.isin(np.where(user < 0, -1, user * stride + item), np.concatenate(targets))
    if before is not None:
        keep &= table.timestamp < before
    return Tags(
        user=user[keep].astype(np.int32),
        item=item[keep].astype(np.int32),
        timestamp=table.timestamp[keep],
        texts=table.texts.select(keep),
    )
