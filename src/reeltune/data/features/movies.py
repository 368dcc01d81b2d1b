"""What is known of the movies as tables: genres, year of release, directors and actors.

Shapes: V catalogue, G genres, K most credits of a movie. Row 0 of each table is padding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Catalogue, Sequences

KNOTS = np.arange(1920, 2041, 10)
"""Years at which one column is 1 and its neighbours are 0."""

_MAX_CREDITS = 16
"""Most credits of one movie; published casts begin with the leading roles, some list a hundred."""


@dataclass(frozen=True)
class Codes:
    """A vocabulary and the codes of each row."""

    names: tuple[str, ...]  # the name of code c is names[c - 1]
    codes: NDArray[np.int64]  # [rows, columns], 0 where there is none


def genre_names(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the genres of the catalogue in alphabetic order."""
    return tuple(sorted({genre for genres in catalogue.genres for genre in genres}))


def genre_table(catalogue: Catalogue) -> NDArray[np.float32]:
    """Return 1 where a movie has a genre of :func:`genre_names`, shape [V+1, G]; row 0 is padding."""
    column = {genre: i for i, genre in enumerate(genre_names(catalogue))}
    table = np.zeros((catalogue.n_items + 1, len(column)), dtype=np.float32)
    for code, genres in enumerate(catalogue.genres, start=1):
        table[code, [column[genre] for genre in genres]] = 1.0
    return table


def year_table(catalogue: Catalogue) -> NDArray[np.float32]:
    """Return hat functions of the year at :data:`KNOTS`, shape [V+1, 13].

    A year between two knots is shared by both in proportion, so that a linear layer on top draws any
    line with corners at the decades. Years outside are clipped; an unknown year is a row of zeros.
    """
    years = np.array((0, *catalogue.years), dtype=np.float64)  # [V+1]
    clipped = np.clip(years, KNOTS[0], KNOTS[-1])
    distance = np.abs(clipped[:, None] - KNOTS) / 10  # [V+1, 13]
    table = np.maximum(0.0, 1.0 - distance)
    table[years == 0] = 0.0
    return table.astype(np.float32)


def credit_codes(
    train: Sequences,
    directors: Sequence[Sequence[str]],
    actors: Sequence[Sequence[str]],
    *,
    min_movies: int,
) -> Codes:
    """Return the cast and crew with at least ``min_movies`` movies among those of the training events.

    Codes have the shape [V+1, K], names are "director: ..." or "actor: ...": the same person as director and
    as actor counts as two. Of a long cast, the 16 with most movies are kept.

    ``directors`` and ``actors`` are rows of the catalogue, [V]; empty where unknown for all.
    """
    roles = [
        [*(f"director: {name}" for name in of_directors), *(f"actor: {name}" for name in of_actors)]
        for of_directors, of_actors in zip(
            directors or [()] * len(actors), actors or [()] * len(directors), strict=True
        )
    ]
    seen = np.unique(train.items) - 1
    counts = Counter(role for row in seen.tolist() for role in set(roles[row])) if roles else Counter()
    names = tuple(sorted(role for role, count in counts.items() if count >= min_movies))
    code = {role: i for i, role in enumerate(names, start=1)}
    rows: list[list[int]] = []
    for movie in roles:
        known = [role for role in dict.fromkeys(movie) if role in code]
        best = sorted(known, key=counts.__getitem__, reverse=True)[:_MAX_CREDITS]  # ties stay in order
        rows.append([code[role] for role in known if role in set(best)])
    codes = np.zeros((len(roles) + 1, max(map(len, rows), default=0)), dtype=np.int64)
    for i, row in enumerate(rows, start=1):
        codes[i, : len(row)] = row
    return Codes(names, codes)
