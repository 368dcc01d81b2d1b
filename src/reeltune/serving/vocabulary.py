"""The movies of a bundle: ``vocabulary.json``.

Shapes: V catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Catalogue
from reeltune.errors import BundleError
from reeltune.files import write_json

__all__ = ["NO_FACTS", "MovieFacts", "read_vocabulary", "write_vocabulary"]


@dataclass(frozen=True)
class MovieFacts:
    """What is known of the movies beyond the catalogue."""

    counts: NDArray[np.int64] | None = None  # [V+1] training events of each movie
    people: tuple[tuple[str, ...], ...] = ()  # [V] directors and actors; () where nobody is known


NO_FACTS = MovieFacts()


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
    """Return the movies from the ``columns`` of the file ``path``.

    Raises:
        BundleError: A column is missing, malformed or too short.
    """
    try:
        names = ("item_ids", "titles", "years", "genres", *({"counts", "people"} & set(columns)))
        if len({len(columns[name]) for name in names}) != 1:
            raise ValueError("its columns differ in length")
        counts = columns.get("counts")
        return (
            Catalogue(
                item_ids=tuple(map(str, columns["item_ids"])),
                titles=tuple(map(str, columns["titles"])),
                years=tuple(map(int, columns["years"])),
                genres=tuple(map(tuple, columns["genres"])),
            ),
            MovieFacts(
                counts=None if counts is None else np.array([0, *counts], dtype=np.int64),
                people=tuple(map(tuple, columns.get("people", ()))),
            ),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BundleError(f"{path} is no vocabulary: {error}; export again") from error
