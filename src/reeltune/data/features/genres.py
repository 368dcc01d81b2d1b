"""Genres of the movies, multi-hot.

Shapes: V catalogue, G genres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Catalogue

__all__ = ["genre_names", "genre_table"]


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
