"""The movies of a bundle: ``vocabulary.json``.

Shapes: V catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reeltune.data.prepare.side import SideInformation
from reeltune.data.prepared import Catalogue, TuningData
from reeltune.errors import BundleError
from reeltune.files import write_json


@dataclass(frozen=True)
class MovieFacts:
    """What is known of the movies beyond the catalogue."""

    counts: NDArray[np.int64] | None = None  # [V+1] training events of each movie
    people: tuple[tuple[str, ...], ...] = ()  # [V] directors and actors; () where nobody is known


NO_FACTS = MovieFacts()


def movie_facts(data: TuningData, side: SideInformation) -> MovieFacts:
    """Return what re-ranking and filters need to know of the movies, from the training events alone."""
    counts = np.bincount(data.train.items, minlength=data.n_items + 1).astype(np.int64)
    directors, actors = (
        column or ((),) * data.n_items for column in (side.details.directors, side.details.actors)
    )
    people = tuple(tuple(dict.fromkeys((*d, *a))) for d, a in zip(directors, actors, strict=True))
    return MovieFacts(counts, people if any(people) else ())


class _Columns(BaseModel):
    """The file, a row a movie."""

    model_config = ConfigDict(extra="forbid", strict=True)

    item_ids: list[str]
    titles: list[str]
    years: list[Annotated[int, Field(ge=0, le=9999)]]
    genres: list[list[str]]
    counts: list[Annotated[int, Field(ge=0, lt=1 << 62)]] | None = None
    people: list[list[str]] | None = None

    @model_validator(mode="after")
    def _is_table(self) -> _Columns:
        columns = (self.item_ids, self.titles, self.years, self.genres, self.counts, self.people)
        if len({len(column) for column in columns if column is not None}) != 1:
            raise ValueError("its columns differ in length")
        return self


def write_vocabulary(path: Path, catalogue: Catalogue, facts: MovieFacts) -> None:
    """Write the movies to ``path``."""
    columns: dict[str, list[Any]] = {
        "item_ids": list(catalogue.item_ids),
        "titles": list(catalogue.titles),
        "years": list(catalogue.years),
        "genres": [list(genres) for genres in catalogue.genres],
    }
    if facts.counts is not None:
        columns["counts"] = facts.counts[1:].tolist()
    if facts.people:
        columns["people"] = [list(people) for people in facts.people]
    write_json(path, columns)


def read_vocabulary(path: Path, columns: Any) -> tuple[Catalogue, MovieFacts]:
    """Return the movies from the ``columns`` of the file ``path``."""
    try:
        found = _Columns.model_validate(columns)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise BundleError(f"{path} is no vocabulary: {place}: {first['msg']}; export again") from error
    facts = MovieFacts(
        counts=None if found.counts is None else np.array([0, *found.counts], dtype=np.int64),
        people=tuple(map(tuple, found.people or ())),
    )
    genres = tuple(map(tuple, found.genres))
    return Catalogue(tuple(found.item_ids), tuple(found.titles), tuple(found.years), genres), facts
