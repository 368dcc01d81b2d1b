"""Directors and actors of the movies as lists of codes, those of too few movies cut.

Shapes: V catalogue, K most people of a movie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Sequences

__all__ = ["PeopleCodes", "people_codes"]

_MAX_PEOPLE = 16
"""Most people of one movie; published casts begin with the leading roles, some list a hundred."""


@dataclass(frozen=True)
class PeopleCodes:
    """The people that are known, and who made which movie."""

    names: tuple[str, ...]  # the name of code c is names[c - 1]; "director: ..." or "actor: ..."
    codes: NDArray[np.int64]  # [V+1, K] people of each movie, 0 after the last; row 0 is padding


def people_codes(
    train: Sequences,
    directors: Sequence[Sequence[str]],
    actors: Sequence[Sequence[str]],
    *,
    min_movies: int,
) -> PeopleCodes:
    """Return the people with at least ``min_movies`` movies among those of the training events.

    The same person as director and as actor counts as two. Of a long cast, the 16 people with most
    movies are kept. Movies without a known person have a row of zeros.

    Args:
        train: Training events.
        directors: Directors by row of the catalogue, shape [V]; empty where unknown for all.
        actors: Actors likewise.
        min_movies: Least movies of a person.
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
        best = sorted(known, key=counts.__getitem__, reverse=True)[:_MAX_PEOPLE]  # ties stay in order
        rows.append([code[role] for role in known if role in set(best)])
    codes = np.zeros((len(roles) + 1, max(map(len, rows), default=0)), dtype=np.int64)
    for i, row in enumerate(rows, start=1):
        codes[i, : len(row)] = row
    return PeopleCodes(names, codes)
