"""What a user saw: movies by title or id, with ratings, as item codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from reeltune.data.readers.exports import Export
from reeltune.data.scale import RatingScale
from reeltune.errors import UserError
from reeltune.serving.recommend.titles import TitleIndex

__all__ = ["Watched", "known_titles", "resolve"]

Watched = str | tuple[str, float]
"""A movie by title, or by ``id:...``; with its rating where there is one."""


def resolve(
    titles: TitleIndex, scale: RatingScale, watched: Iterable[Watched]
) -> tuple[list[int], list[float]]:
    """Return item codes and ratings (NaN where not given) of ``watched``, repetitions left out.

    Raises:
        UserError: One line for each title or rating that cannot be used.
    """
    found: dict[int, float] = {}
    problems = []
    for entry in watched:
        title, rating = (entry, math.nan) if isinstance(entry, str) else entry
        try:
            if not isinstance(entry, str) and not scale.holds(rating):
                raise UserError(f"{title!r} is rated {rating:g}; ratings go from {scale.in_words()}")
            found.setdefault(titles.find(title), rating)
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))
    return list(found), list(found.values())


def known_titles(
    titles: TitleIndex, export: Export, notify: Callable[[str], None]
) -> tuple[list[Watched], list[str]]:
    """Return the history in an export, and the titles that the catalogue lacks; ``notify`` gets its notes."""
    for line in export.notes:
        notify(line)
    found: list[Watched] = []
    missed = []
    for entry in export.watched:
        title = entry if isinstance(entry, str) else entry[0]
        try:
            titles.find(title)
            found.append(entry)
        except UserError:
            missed.append(title)
    return found, missed
