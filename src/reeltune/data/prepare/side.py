"""What the source tells about users and movies beyond title and genre, aligned to the codes.

Readers fill :class:`UserTable` and :class:`TagTable` with the source's own ids; an entry
holds :class:`SideInformation`, aligned to the prepared users and movies. Tags that would
betray a held-out event are left out: see :func:`align_tags`.

Shapes: U users, V movies, K tags, N events, M queries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids, Movies, TagTable, UserTable
from reeltune.data.prepare.vocabulary import id_texts
from reeltune.data.prepared import Queries
from reeltune.data.texts import Texts

__all__ = ["Details", "SideInformation", "Tags", "Users", "align_details", "align_tags", "align_users"]


@dataclass(frozen=True)
class Users:
    """The users by row of the sequences."""

    ids: tuple[str, ...]  # [U] the data set's own ids
    ages: tuple[
        int, ...
    ] = ()  # [U] years, or the lowest year of a bracket; -1 unknown; () where none is known
    genders: tuple[str, ...] = ()  # [U] as the source spells them; "" unknown; () where none is known
    occupations: tuple[str, ...] = ()  # [U] "" unknown; () where none is known


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
    """All that an entry holds beside events and catalogue."""

    users: Users
    details: Details
    tags: Tags | None


def align_users(user_ids: Ids, table: UserTable | None) -> Users:
    """Return the users of the sequences with what ``table`` tells about them."""
    ids = id_texts(user_ids)
    if table is None:
        return Users(ids)
    row = {user: i for i, user in enumerate(table.ids)}
    rows = [row.get(user) for user in ids]
    return Users(
        ids=ids,
        ages=tuple(-1 if r is None else table.ages[r] for r in rows),
        genders=tuple("" if r is None else table.genders[r] for r in rows),
        occupations=tuple("" if r is None else table.occupations[r] for r in rows),
    )


def align_details(item_ids: tuple[str, ...], movies: Movies | None) -> Details:
    """Return what is known of the prepared movies."""
    if movies is None:
        return Details()
    row = {item: i for i, item in enumerate(movies.ids)}
    rows = [row.get(item) for item in item_ids]

    def words(column: tuple[str, ...]) -> tuple[str, ...]:
        return tuple("" if r is None else column[r] for r in rows) if column else ()

    def lists(column: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        return tuple(() if r is None else column[r] for r in rows) if column else ()

    return Details(
        imdb_ids=words(movies.imdb_ids),
        tmdb_ids=words(movies.tmdb_ids),
        directors=lists(movies.directors),
        actors=lists(movies.actors),
        plots=words(movies.plots),
    )


def align_tags(
    user_ids: Ids,
    item_ids: tuple[str, ...],
    table: TagTable,
    *,
    held_out: tuple[Queries, ...],
    before: int | None = None,
) -> Tags:
    """Return the tags of prepared movies that tell nothing of what is held out.

    A tag is left out when its user and movie are the target of a held-out query, or when it
    was written at or after ``before``.

    Args:
        user_ids: Ids of the prepared users, [U].
        item_ids: Ids of the prepared movies, [V].
        table: The tags of the source.
        held_out: Validation and test queries.
        before: Second at which the held-out time begins; None where the split is not by time.
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
