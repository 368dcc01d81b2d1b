"""Lists that are more than the best scores: popularity, novelty and genre calibration.

Everything is decided among the ``n_candidates`` best movies of a user. Their scores are
brought to 0 (the last candidate) to 1 (the first), so that one weight means the same for every model
and user. Each candidate's value is

::

    relevance + popularity * popularity(movie) + novelty * novelty(movie, user)

with popularity(movie) = log(1 + events), brought to 0..1 among the candidates, and novelty the
distance of the movie from the mean direction of the user's movies (1 - cosine; distance-based novelty of
Vargas and Castells, 2011), again brought to 0..1 among the candidates.

Shapes: P candidates, G genres, D embedding, V catalogue.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from reeltune.data.prepared import PAD, Catalogue
from reeltune.data.scale import RatingScale
from reeltune.errors import UserError
from reeltune.models.base import SequenceNetwork
from reeltune.serving.bundle.reranking import Reranking

Floats = NDArray[np.float64]

HALF_STARS = RatingScale()

SMOOTHING = 0.01
"""Share of the user's genres that is mixed into the list's, so that the divergence stays finite (Steck)."""

MIDDLE_STARS = 3.0
"""Weight of a movie without rating in the user's genres; a rated one weighs its ratings."""


def best_codes(scores: Floats, k: int) -> NDArray[np.int64]:
    """Return the codes of the ``k`` best finite scores [V+1], best first; equal ones in catalogue order.

    >>> best_codes(np.array([-np.inf, 1.0, 3.0, 1.0, 1.0]), 3).tolist()
    [2, 1, 3]
    """
    if k < len(scores):
        at_least = np.partition(scores, len(scores) - k)[len(scores) - k]
        codes = np.flatnonzero(scores >= at_least)
    else:
        codes = np.arange(len(scores))
    # A stable sort: the list is the same on every machine.
    ordered = codes[np.argsort(-scores[codes], kind="stable")][:k]
    best: NDArray[np.int64] = ordered[np.isfinite(scores[ordered])]
    return best


def best_codes_of_each(scores: Floats, k: int) -> list[NDArray[np.int64]]:
    """Return :func:`best_codes` of each row of ``scores`` [B, V+1], at a fraction of the time.

    >>> best_codes_of_each(np.array([[-np.inf, 1.0, 3.0, 1.0], [-np.inf, -np.inf, 0.0, 2.0]]), 2)
    [array([2, 1]), array([3, 2])]
    """
    n_last = max(scores.shape[1] - k, 0)
    least = np.partition(scores, n_last, axis=1)[:, n_last, None]  # [B, 1]
    rows, codes = np.nonzero((scores >= least) & np.isfinite(scores))  # row by row, in catalogue order
    # A stable sort: equal scores keep the order of the catalogue.
    order = np.lexsort((-scores[rows, codes], rows))
    counts = np.bincount(rows, minlength=len(scores))
    found = np.split(codes[order], np.cumsum(counts)[:-1])
    return [best[:k] for best in found]


def directions_of(network: SequenceNetwork) -> Floats:
    """Return the output embeddings of length 1, shape [V+1, D]; the row of padding is zero."""
    with torch.inference_mode():
        vectors = network.item_vectors().double().numpy().copy()
    vectors[PAD] = 0.0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: Floats = vectors / np.where(lengths > 0, lengths, 1.0)
    return directions


class Reranker:
    """Chooses the list of a user from scores, for one catalogue."""

    def __init__(
        self,
        catalogue: Catalogue,
        counts: NDArray[np.int64] | None,
        directions: Floats | None,
        scale: RatingScale = HALF_STARS,
    ) -> None:
        """Take training ``counts`` [V+1] and embeddings of length 1 [V+1, D], None where unknown."""
        self._catalogue = catalogue
        self._counts = counts
        self._directions = directions
        self._scale = scale

    def choose(
        self, scores: Floats, k: int, reranking: Reranking, *, codes: Sequence[int], ratings: Sequence[float]
    ) -> NDArray[np.int64]:
        """Return the codes of a list of up to ``k`` movies, in order.

        ``scores`` [V+1] are minus infinity for what must not be listed; ``codes`` and ``ratings`` (NaN where
        not rated) are the user's.
        """
        if reranking.is_off:
            return best_codes(scores, k)
        pool = best_codes(scores, max(k, reranking.n_candidates))  # [P]
        values = _unit(scores[pool])
        if reranking.popularity:
            known = self._popularity[pool]
            is_among_candidates = reranking.popularity_among == "candidates"
            values = values + reranking.popularity * (_unit(known) if is_among_candidates else known)
        if reranking.novelty:
            values = values + reranking.novelty * _unit(self._distance(pool, codes))
        if not reranking.calibration:
            return pool[np.argsort(-values, kind="stable")][:k]
        wanted = self.genre_shares(codes, ratings)
        return pool[_calibrated(values, self._genres[pool], wanted, k, reranking.calibration)]

    def genre_shares(self, codes: Sequence[int], ratings: Sequence[float]) -> Floats:
        """Return the shares of the genres in a user's movies, shape [G+1]; they sum to 1."""
        stars = self._scale.to_stars(np.asarray(ratings, dtype=np.float64))
        weights = np.nan_to_num(stars, nan=MIDDLE_STARS)
        shares = weights @ self._genres[np.asarray(codes)]
        return np.asarray(shares / shares.sum())

    def miscalibration(self, listed: NDArray[np.int64], wanted: Floats) -> float:
        """Return the divergence of the genres of the ``listed`` codes from ``wanted`` [G+1], 0 is best."""
        shares = self._genres[listed].mean(axis=0)
        return float(_divergence(wanted, shares[None])[0])

    def novelty_of(self, listed: NDArray[np.int64], codes: Sequence[int]) -> float:
        """Return the mean distance of the ``listed`` codes from the user's movies, 0 to 2."""
        return float(self._distance(listed, codes).mean())

    @functools.cached_property
    def _popularity(self) -> Floats:
        """Popularity of the movies, 0 to 1, shape [V+1]."""
        if self._counts is None:
            raise UserError("this bundle does not know how often movies were seen; export it again")
        logs = np.log1p(self._counts.astype(np.float64))
        return np.asarray(logs / max(float(logs.max()), 1.0))

    @functools.cached_property
    def _genres(self) -> Floats:
        """Genres of the movies, each row of sum 1, shape [V+1, G+1]; the last column is for none."""
        names = sorted({genre for genres in self._catalogue.genres for genre in genres})
        column = {name: i for i, name in enumerate(names)}
        table = np.zeros((self._catalogue.n_items + 1, len(names) + 1))
        for code, genres in enumerate(self._catalogue.genres, start=1):
            table[code, [column[g] for g in genres] or [-1]] = 1.0 / max(len(genres), 1)
        return table

    def _distance(self, pool: NDArray[np.int64], codes: Sequence[int]) -> Floats:
        if self._directions is None:
            raise UserError("this model has no embeddings, so no distances; leave novelty at 0")
        centre = self._directions[np.asarray(codes)].mean(axis=0)  # [D]
        length = float(np.linalg.norm(centre)) or 1.0
        return np.asarray(1.0 - self._directions[pool] @ (centre / length))


def _unit(values: Floats) -> Floats:
    """Return ``values`` brought to 0..1; zeros where all are equal."""
    spread = float(np.ptp(values)) if len(values) else 0.0
    return np.asarray((values - values.min()) / spread) if spread else np.zeros(len(values))


def _calibrated(values: Floats, genres: Floats, wanted: Floats, k: int, weight: float) -> list[int]:
    """Return the rows of a list of ``k`` that weighs values [P] against calibrated genres [P, G], greedily.

    Each place takes the movie that makes ``(1 - weight) * mean(values) - weight * KL(wanted, list)`` of the
    list so far largest (Steck, Calibrated Recommendations, RecSys 2018). It differs in one thing: the
    values are averaged, not summed, so that the weight means the same at each place.
    """
    chosen: list[int] = []
    is_free = np.ones(len(values), dtype=np.bool_)
    total, shares = 0.0, np.zeros(genres.shape[1])
    for length in range(1, min(k, len(values)) + 1):
        gain = (1.0 - weight) * (total + values) / length
        gain -= weight * _divergence(wanted, (shares + genres) / length)
        best = int(np.where(is_free, gain, -np.inf).argmax())
        chosen.append(best)
        is_free[best] = False
        total, shares = total + values[best], shares + genres[best]
    return chosen


def _divergence(wanted: Floats, shares: Floats) -> Floats:
    """Return the Kullback-Leibler divergence of each row of ``shares`` [P, G] from ``wanted`` [G]."""
    is_wanted = wanted > 0
    smooth = (1.0 - SMOOTHING) * shares[:, is_wanted] + SMOOTHING * wanted[is_wanted]
    return np.asarray((wanted[is_wanted] * np.log(wanted[is_wanted] / smooth)).sum(axis=1))
