"""Which movies of a catalogue may be listed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import PAD, Catalogue
from reeltune.errors import UserError, unknown_name


@dataclass(frozen=True)
class Filters:
    """Conditions that a movie must meet, all of them; the empty ones let everything pass."""

    genres: tuple[str, ...] = ()  # at least one of these
    without_genres: tuple[str, ...] = ()  # none of these
    first_year: int | None = None
    last_year: int | None = None
    people: tuple[str, ...] = ()  # at least one of these directors or actors

    def allowed(self, catalogue: Catalogue, people: Sequence[Sequence[str]] = ()) -> NDArray[np.bool_]:
        """Return which item codes may be listed, shape [V+1]; a movie without a year fails a bound on it."""
        if None not in (self.first_year, self.last_year) and (self.first_year or 0) > (self.last_year or 0):
            raise UserError(f"no year is from {self.first_year} to {self.last_year}; swap them")
        if self == Filters():
            return np.arange(catalogue.n_items + 1) > PAD
        if (self.first_year, self.last_year) != (None, None) and not any(catalogue.years):
            raise UserError("the movies of this bundle have no years; leave the bound on the year out")
        known = {genre.casefold(): genre for genres in catalogue.genres for genre in genres}
        wanted, unwanted = (
            {_known_genre(name, known) for name in names} for names in (self.genres, self.without_genres)
        )
        makers = self._wanted_people(people)
        allowed = np.zeros(catalogue.n_items + 1, dtype=np.bool_)
        for code, (year, genres) in enumerate(zip(catalogue.years, catalogue.genres, strict=True), start=1):
            allowed[code] = (
                (not wanted or bool(wanted & set(genres)))
                and not unwanted & set(genres)
                and (not makers or any(name.casefold() in makers for name in people[code - 1]))
                and (self.first_year is None or year >= self.first_year)
                and (self.last_year is None or 0 < year <= self.last_year)
            )
        return allowed

    def _wanted_people(self, people: Sequence[Sequence[str]]) -> set[str]:
        """Return ``self.people`` in lower case, after checking that each made a movie."""
        if self.people and not people:
            raise UserError("this bundle does not know who made its movies; leave the filter by person out")
        names = {name.casefold(): name for made in people for name in made} if self.people else {}
        for person in self.people:
            if person.casefold() not in names:
                near = difflib.get_close_matches(person.casefold(), names, n=3)
                hint = f"did you mean {' or '.join(repr(names[n]) for n in near)}?" if near else ""
                raise UserError(f"nobody called {person!r} made a movie of this bundle; {hint}".rstrip("; "))
        return {person.casefold() for person in self.people}


NO_FILTERS = Filters()


def _known_genre(name: str, known: dict[str, str]) -> str:
    if name.casefold() not in known:
        raise UserError(unknown_name("genre", name, known.values()))
    return known[name.casefold()]
