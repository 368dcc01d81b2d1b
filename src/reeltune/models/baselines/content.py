"""What is known of the movies: TF-IDF of titles, genres, people and plots.

Shapes: B batch, V catalogue, F terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.data.features.text import movie_texts, stems_of, term_vectors
from reeltune.data.prepare.side import SideInformation
from reeltune.data.prepared import Catalogue
from reeltune.data.prepared import Sequences as Events
from reeltune.errors import DataError
from reeltune.models.baselines.base import Baseline, Known, RecentConfig, as_scores, history_matrix
from reeltune.models.baselines.linear import LinearForm

_MAX_COSINES = 10_000
"""Movies of which all pairs' cosines may be written down, 400 MB; scoring needs the vectors only."""


class ContentConfig(RecentConfig):
    """Configuration of :class:`Content`."""

    name: Literal["tf-idf"] = "tf-idf"
    """Chooses this baseline."""
    decay: float = Field(default=0.6, gt=0.0, le=1.0)
    """Weight of a movie a step further back when a history is asked for, above 0 to 1; 1 for all alike."""
    min_movies: int = Field(default=2, ge=1, le=1000)
    """Movies that must share a word, genre or person before it counts, 1 to 1000."""


class Content(Baseline):
    """Scores a movie by the cosine of its TF-IDF vector with the sum of those of the history.

    A movie's terms are the stems of its title, plot, tags and training reviews, its genres, directors
    and actors; a vector has length 1. The sum weighs movies by ``decay ** (steps back)``. Pazzani and
    Billsus, 2007, https://doi.org/10.1007/978-3-540-72079-9_10.
    """

    config: ContentConfig

    def __init__(self, config: ContentConfig, vectors: sparse.csr_array) -> None:
        """Take the movies' ``vectors`` [V+1, F]; the row of padding is empty."""
        self.config = config
        self.n_items = vectors.shape[0] - 1
        self._vectors = vectors
        self._by_term = vectors.T.tocsr()  # [F, V+1]

    @classmethod
    def fit(cls, config: ContentConfig, known: Known) -> Content:
        """Return the baseline made of the movies' terms.

        Raises:
            DataError: Nothing is known of the movies, or no two share a term.
        """
        terms = None if known.terms is None else known.terms()
        vectors = None if terms is None else term_vectors(terms, config.min_movies)  # [V, F]
        if vectors is None:
            raise DataError(
                "the movies have no words, genres or people that two of them share; leave tf-idf out"
            )
        padding = sparse.csr_array((1, vectors.shape[1]), dtype=np.float32)
        return cls(config, sparse.vstack([padding, vectors]).tocsr())

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return the movies' vectors."""
        table = self._vectors
        return {
            "vectors": table.data,
            "columns": table.indices.astype(np.int32),
            "row_starts": table.indptr.astype(np.int64),
            "n_terms": np.array([table.shape[1]], dtype=np.int64),
        }

    def linear(self) -> LinearForm | None:
        """Return the scores as a weighted sum over the history: the movies' cosines, if they are few."""
        if self.n_items > _MAX_COSINES:
            return None
        cosines = (self._vectors @ self._by_term).tocsr().astype(np.float32)
        return LinearForm(np.zeros(self.n_items + 1, np.float32), cosines, None, self.config.decay)

    @classmethod
    def from_tables(cls, config: ContentConfig, tables: Mapping[str, NDArray[Any]]) -> Content:
        """Return the baseline that was made before.

        Raises:
            KeyError: A table is missing.
            ValueError: The tables do not fit each other.
        """
        arrays = (tables["vectors"], tables["columns"], tables["row_starts"])
        shape = (len(tables["row_starts"]) - 1, int(tables["n_terms"][0]))
        vectors = sparse.csr_array(arrays, shape=shape)
        vectors.check_format(full_check=True)
        return cls(config, vectors)

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores of the catalogue after each row's last movie, [B, V+1]."""
        query = history_matrix(histories, self.n_items, self.config.decay)
        return as_scores((query @ self._vectors) @ self._by_term)


def content_terms(catalogue: Catalogue, train: Events, side: SideInformation) -> Sequence[Sequence[str]]:
    """Return the terms of each movie, [V] lists: stems, and genres and people as whole names."""
    details = side.details
    terms = stems_of(movie_texts(catalogue, train, details, side.tags))
    names = (("genre", catalogue.genres), ("director", details.directors), ("actor", details.actors))
    for kind, column in names:
        for own, found in zip(terms, column, strict=False):  # none known at all is an empty tuple
            own.extend(f"{kind}:{name}" for name in found)
    return terms
