"""What the source knows of users and movies beyond title and genre, aligned to the codes.

Tags that would reveal a held-out event are left out: see :func:`align_tags`.

Shapes: U users, V movies, K tags, N events, M queries.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids, Movies, TagTable, Users
from reeltune.data.prepare.preparation import id_texts
from reeltune.data.prepared import Catalogue, Queries
from reeltune.data.texts import Texts

_ABSENT = {"ages": -1, "years": 0, "genres": (), "directors": (), "actors": ()}  # "" for other columns


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


def _picked(ids: tuple[str, ...], known: Movies | Users, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the columns ``names`` of ``known`` in the order of ``ids``, without those unknown for all."""
    row = {name: i for i, name in enumerate(known.ids)}
    rows = [row.get(name) for name in ids]
    return {
        name: tuple(_ABSENT.get(name, "") if row is None else column[row] for row in rows)
        for name in names
        if (column := getattr(known, name))
    }


def align_users(user_ids: Ids, known: Users | None) -> Users:
    """Return the users of the sequences with what is ``known`` of them."""
    ids = id_texts(user_ids)
    return Users(ids, **_picked(ids, known or Users(()), ("ages", "genders", "occupations")))


def align_movies(item_ids: tuple[str, ...], movies: Movies | None) -> tuple[Catalogue, Details]:
    """Return catalogue and details of the prepared movies; one without title goes by its id."""
    known = movies or Movies((), (), (), ())
    found = _picked(item_ids, known, ("titles", "years", "genres"))
    titles = found.get("titles", item_ids)
    catalogue = Catalogue(
        item_ids=item_ids,
        titles=tuple(title or item for title, item in zip(titles, item_ids, strict=True)),
        years=found.get("years", (0,) * len(item_ids)),
        genres=found.get("genres", ((),) * len(item_ids)),
    )
    return catalogue, Details(**_picked(item_ids, known, tuple(f.name for f in fields(Details))))


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
