"""What lists are like beyond accuracy: novel, popular, varied, close to a user's taste, surprising.

:func:`coverage`, :func:`gini` and :func:`novelty` describe all lists together; the other measures
return a value a query, so that they can be compared query by query with intervals. Such a value is
NaN where it cannot be known (no movie of the list has a genre), never a guess.

Shapes: M queries, K length of a list, V catalogue, G genres.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import PAD, Queries, Sequences

Lists = NDArray[np.integer[Any]]
Table = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]
Values = NDArray[np.float64]

MIX = 0.01
"""Share of a user's own taste that is mixed into the list's before the two are compared (Steck, 2018)."""

_CELLS = 4_000_000  # numbers held at once, about 32 MB


def coverage(lists: Lists, n_items: int) -> float:
    """Return the share of the catalogue that stands in at least one of ``lists`` [M, K], 0 to 1.

    Catalogue coverage (Ge et al., 2010, "Beyond accuracy"), over the queries of the split.
    """
    return float(np.count_nonzero(np.bincount(lists.ravel(), minlength=n_items + 1)[1:]) / n_items)


def novelty(lists: Lists, bits: NDArray[np.float64]) -> float:
    """Return the mean of ``bits`` [V+1] over the movies of ``lists`` [M, K]; see :func:`surprise`."""
    listed = lists[lists != PAD]
    return float(bits[listed].mean()) if len(listed) else 0.0


def surprise(n_users_of: NDArray[np.int64], n_users: int) -> NDArray[np.float64]:
    """Return ``-log2`` of the share of users who know each movie, in bits, float64 of shape [V+1].

    The self-information of Zhou et al. (2010, https://doi.org/10.1073/pnas.1000488107). A movie that
    nobody has seen counts as seen by half a user.

    ``n_users_of`` [V+1] are the users with the movie in their training events, 0 for PAD.
    """
    bits: NDArray[np.float64] = -np.log2(np.maximum(n_users_of, 0.5) / n_users)
    return bits


def item_surprise(train: Sequences, n_items: int) -> NDArray[np.float64]:
    """Return the :func:`surprise` of each movie, [V+1], by the users of the training events."""
    users = np.repeat(np.arange(train.n_users), train.lengths)
    pairs = np.unique(users * (n_items + 1) + train.items)
    return surprise(np.bincount(pairs % (n_items + 1), minlength=n_items + 1), train.n_users)


def popularity_lift(lists: Lists, counts: Table, profiles: Values) -> Values:
    """Return how much more popular each list is than what its user saw, as a share, shape [M].

    ``(mean count of the list - mean count of the profile) / mean count of the profile``: 0 where the
    list is as popular as the user's taste, 1 where it is twice as popular. Abdollahpouri et al. (2020).

    ``counts`` [V+1] are users who saw each movie, ``profiles`` [M] the :func:`profile_means` of them.
    """
    listed = list_means(lists, np.asarray(counts, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        lift: Values = np.where(profiles > 0, (listed - profiles) / profiles, np.nan)
    return lift


def gini(lists: Lists, n_items: int) -> float:
    """Return the Gini coefficient of the movies' places in the lists.

    0 where each movie is listed equally often; ``1 - 1/V`` where one movie fills every place. NaN
    where nothing is listed.
    """
    places = np.sort(np.bincount(np.ravel(lists), minlength=n_items + 1)[1:]).astype(np.float64)  # [V]
    total = places.sum()
    if total == 0:
        return float("nan")
    order = np.arange(1, n_items + 1)
    return float((2 * order - n_items - 1) @ places / (n_items * total))


def intra_list_diversity(lists: Lists, genres: Table) -> Values:
    """Return 1 minus the mean cosine between the genres of each list's movies, pair by pair, shape [M].

    0 where all movies have the same genres, 1 where no two share one. Movies without genres are
    left out; NaN where fewer than two are left. Ziegler et al. (2005).

    ``genres`` [V+1, G] are non-negative weights; row 0 is zero.
    """
    units = _rows_scaled(genres, order=2)  # [V+1, G]
    is_known = np.any(units > 0, axis=1)  # [V+1]
    diversity = np.full(len(lists), np.nan)
    for part in _parts(len(lists), lists.shape[1] * units.shape[1]):
        n = is_known[lists[part]].sum(axis=1)  # [m]
        # The squared length of a sum of n unit vectors is n plus twice the sum of their cosines.
        twice = np.square(units[lists[part]].sum(axis=1)).sum(axis=1) - n
        with np.errstate(divide="ignore", invalid="ignore"):
            diversity[part] = np.where(n > 1, 1.0 - twice / (n * (n - 1)), np.nan)
    clipped: Values = np.clip(diversity, 0.0, 1.0)
    return clipped


def calibration(lists: Lists, genres: Table, profiles: Values) -> Values:
    """Return how far the genres of each list are from those of its user's movies, shape [M].

    The Kullback-Leibler divergence, in nats, of the user's mixture of genres p from the list's
    ``(1 - MIX) q + MIX p``; 0 where they agree, more where a genre of the user is missing. A movie's
    weight of 1 is shared by its genres. NaN where either has no genre. Steck (2018).

    ``genres`` [V+1, G] are non-negative weights; row 0 is zero. ``profiles`` [M, G] are the
    :func:`profile_means` of these rows scaled to sum to 1; any positive multiple gives the same result.
    """
    shares = _rows_scaled(genres, order=1)  # [V+1, G]
    divergence = np.full(len(lists), np.nan)
    for part in _parts(len(lists), lists.shape[1] * shares.shape[1]):
        listed = _rows_scaled(shares[lists[part]].sum(axis=1), order=1)  # [m, G]
        taste = _rows_scaled(profiles[part], order=1)
        mixed = (1 - MIX) * listed + MIX * taste
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(taste > 0, taste * np.log(taste / mixed), 0.0)
        is_known = listed.any(axis=1) & taste.any(axis=1)
        divergence[part] = np.where(is_known, np.maximum(terms.sum(axis=1), 0.0), np.nan)
    return divergence


def serendipity(lists: Lists, obvious: Lists, targets: Lists) -> Values:
    """Return 1 where a list holds its target and an obvious list does not, else 0, shape [M].

    A hit that a list of the most popular movies would have made as well is no surprise. After
    Murakami et al. (2008) and Ge et al. (2010), with popularity as the primitive recommender.

    ``obvious`` [M, k'] is what the primitive recommender lists, ``targets`` [M] what the user saw next.
    """
    is_hit = (lists == targets[:, None]).any(axis=1)
    surprises: Values = (is_hit & ~(obvious == targets[:, None]).any(axis=1)).astype(np.float64)
    return surprises


def profile_means(queries: Queries, table: Table) -> Values:
    """Return the mean of the rows of ``table`` [V+1, ...] over each query's history, shape [M, ...].

    NaN where a history is empty. Histories are read in portions, so that memory is bounded whatever
    their number and length.
    """
    table = np.asarray(table, dtype=np.float64)
    starts = queries.sequences.offsets[queries.user]
    lengths = queries.end - starts
    means = np.full((queries.n_queries, *table.shape[1:]), np.nan)
    width = int(np.prod(table.shape[1:], dtype=np.int64))
    (filled,) = np.nonzero(lengths)
    for part in _parts_by_size(lengths[filled], _CELLS // max(width, 1)):
        rows = filled[part]
        before = np.cumsum(lengths[rows]) - lengths[rows]  # [m]
        index = np.arange(int(lengths[rows].sum())) + np.repeat(starts[rows] - before, lengths[rows])
        sums = np.add.reduceat(table[queries.sequences.items[index]], before, axis=0)
        means[rows] = sums / lengths[rows].reshape(-1, *[1] * (table.ndim - 1))
    return means


def list_means(lists: Lists, values: Values) -> Values:
    """Return the mean of ``values`` [V+1] over the movies of each list, shape [M]; NaN for an empty one.

    With the bits of :func:`surprise` it is the novelty of each list.
    """
    means = np.full(len(lists), np.nan)
    for part in _parts(len(lists), lists.shape[1]):
        is_movie = lists[part] != PAD
        sums = (values[lists[part]] * is_movie).sum(axis=1)
        with np.errstate(invalid="ignore"):
            means[part] = np.where(is_movie.any(axis=1), sums / is_movie.sum(axis=1), np.nan)
    return means


def _rows_scaled(table: Table, *, order: int) -> Values:
    """Return ``table`` [.., G] with rows of norm 1 in the norm of ``order``; zero rows stay zero."""
    rows = np.nan_to_num(np.asarray(table, dtype=np.float64))
    norms = np.linalg.norm(rows, ord=order, axis=1, keepdims=True)
    scaled: Values = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return scaled


def _parts(n_rows: int, width: int) -> Iterator[slice]:
    size = max(1, _CELLS // max(width, 1))
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def _parts_by_size(sizes: NDArray[np.int64], limit: int) -> Iterator[slice]:
    """Yield slices of whole rows whose ``sizes`` sum to about ``limit``, at least one row each."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        base = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, base + limit, side="right")))
        yield slice(start, stop)
        start = stop
