"""Which movies of a catalogue may be listed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Catalogue
from reeltune.errors import UserError, unknown_name

__all__ = ["Filters"]


@dataclass(frozen=True)
class Filters:
    """Conditions that a movie must meet, all of them; the empty ones let everything pass."""

    genres: tuple[str, ...] = ()  # at least one of these
    without_genres: tuple[str, ...] = ()  # none of these
    first_year: int | None = None
    last_year: int | None = None

    def allowed(self, catalogue: Catalogue) -> NDArray[np.bool_]:
        """Return which item codes may be listed, shape [V+1]; a movie without a year fails a bound on it.

        Raises:
            UserError: A genre is unknown, or the years are the wrong way round.
        """
        if None not in (self.first_year, self.last_year) and (self.first_year or 0) > (self.last_year or 0):
            raise UserError(f"no year is from {self.first_year} to {self.last_year}; swap them")
        known = {genre.casefold(): genre for genres in catalogue.genres for genre in genres}
        wanted, unwanted = (
            {_known_genre(name, known) for name in names} for names in (self.genres, self.without_genres)
        )
        allowed = np.zeros(catalogue.n_items + 1, dtype=np.bool_)
        for code, (year, genres) in enumerate(zip(catalogue.years, catalogue.genres, strict=True), start=1):
            allowed[code] = (
                (not wanted or bool(wanted & set(genres)))
                and not unwanted & set(genres)
                and (self.first_year is None or year >= self.first_year)
                and (self.last_year is None or 0 < year <= self.last_year)
            )
        return allowed


def _known_genre(name: str, known: dict[str, str]) -> str:
    if name.casefold() not in known:
        raise UserError(unknown_name("genre", name, known.values()))
    return known[name.casefold()]
