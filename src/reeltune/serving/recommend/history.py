"""What a user saw: movies by title or id, with ratings, as item codes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from reeltune.data.readers.exports import read_ratings
from reeltune.errors import UserError
from reeltune.serving.recommend.titles import TitleIndex

__all__ = ["MAX_RATING", "MIN_RATING", "Watched", "read_history", "resolve"]

MIN_RATING = 0.5
MAX_RATING = 5.0
"""The MovieLens scale of ratings."""

Watched = str | tuple[str, float]
"""A movie by title, or by ``id:...``; with its rating where there is one."""


def resolve(titles: TitleIndex, watched: Iterable[Watched]) -> tuple[list[int], list[float]]:
    """Return item codes and ratings (NaN where not given) of ``watched``, repetitions left out.

    Raises:
        UserError: One line for each title or rating that cannot be used.
    """
    found: dict[int, float] = {}
    problems = []
    for entry in watched:
        title, rating = (entry, math.nan) if isinstance(entry, str) else entry
        try:
            if not isinstance(entry, str) and not MIN_RATING <= rating <= MAX_RATING:
                raise UserError(
                    f"{title!r} is rated {rating:g}; ratings go from {MIN_RATING:g} to {MAX_RATING:g}"
                )
            found.setdefault(titles.find(title), rating)
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))
    return list(found), list(found.values())


def read_history(titles: TitleIndex, path: Path) -> tuple[list[Watched], list[str]]:
    """Return the history in a file (see :func:`read_ratings`), and the titles that the catalogue lacks.

    Raises:
        DataError: The file cannot be read, or a rating or date in it cannot be used.
    """
    found: list[Watched] = []
    missed = []
    for entry in read_ratings(path):
        title = entry if isinstance(entry, str) else entry[0]
        try:
            titles.find(title)
            found.append(entry)
        except UserError:
            missed.append(title)
    return found, missed
