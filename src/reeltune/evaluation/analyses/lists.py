"""The lists of a model as a reader judges them: novel, popular, varied, close to taste, surprising.

Shapes: M queries, K length of a list, V catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.features.movies import genre_table
from reeltune.data.prepared import Catalogue, Queries
from reeltune.evaluation.compare import Interval, mean_interval
from reeltune.metrics.lists import (
    Values,
    calibration,
    coverage,
    gini,
    intra_list_diversity,
    list_means,
    popularity_lift,
    profile_means,
    serendipity,
    surprise,
)

LIST_MEASURES = {
    "novelty": "bits of surprise a movie, -log2 of the share of users who know it",
    "popularity lift": "how much more popular the list is than what the user saw; 0 is equally popular",
    "diversity": "1 minus the mean likeness of genres within a list",
    "miscalibration": "divergence of the list's genres from the user's, in nats; lower is closer",
    "serendipity": "share of queries with a hit that a list of popular movies would have missed",
    "coverage": "share of the catalogue that is listed for anybody",
    "gini": "inequality of the movies' places in lists, 0 equal to 1",
}
"""Measures and what they say."""


@dataclass(frozen=True)
class ListMeasures:
    """The measures of one model's lists."""

    per_query: dict[str, Values]  # [M] each, NaN where unknown
    whole: dict[str, float]

    def figures(self, users: NDArray[np.int32], seed: int = 0) -> dict[str, Interval | None]:
        """Return each measure with its interval over ``users`` [M]; None where nothing is known.

        Those of all lists together have no interval: a user drawn twice lists nothing new.
        """
        found: dict[str, Interval | None] = {}
        for name, values in self.per_query.items():
            is_known = np.isfinite(values)
            found[name] = (
                mean_interval(values[is_known], users=users[is_known], seed=seed) if is_known.any() else None
            )
        return found | {name: Interval(value, value, value) for name, value in self.whole.items()}


def measure_lists(
    lists: NDArray[np.int32],
    obvious: NDArray[np.int32],
    queries: Queries,
    catalogue: Catalogue,
    counts: NDArray[np.int64],
) -> ListMeasures:
    """Return the measures of ``lists`` [M, K].

    Args:
        lists: What the model lists for each query.
        obvious: What popularity lists for them, [M, K].
        queries: Histories and targets.
        catalogue: The movies with their genres.
        counts: People who know each movie, [V+1]; see :func:`users_of_items`.
    """
    genres = genre_table(catalogue)
    n_genres = np.maximum(genres.sum(axis=1, keepdims=True), 1)
    popularity = profile_means(queries, counts)
    taste = profile_means(queries, genres / n_genres)
    return ListMeasures(
        per_query={
            "novelty": list_means(lists, surprise(counts, queries.sequences.n_users)),
            "popularity lift": popularity_lift(lists, counts, popularity),
            "diversity": intra_list_diversity(lists, genres),
            "miscalibration": calibration(lists, genres, taste),
            "serendipity": serendipity(lists, obvious, queries.target),
        },
        whole={
            "coverage": coverage(lists, catalogue.n_items),
            "gini": gini(lists, catalogue.n_items),
        },
    )


def users_of_items(queries: Queries, n_items: int) -> NDArray[np.int64]:
    """Return how often each movie was seen before anybody's target, [V+1]."""
    return np.bincount(queries.known().items, minlength=n_items + 1)
