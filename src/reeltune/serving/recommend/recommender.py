"""Recommendations for a person the model has never seen.

Shapes: B batch, V catalogue.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from reeltune.data.sequences import to_histories
from reeltune.errors import UserError
from reeltune.models.base import Scorer, SequenceNetwork
from reeltune.serving.bundle.bundle import Bundle, load_bundle
from reeltune.serving.bundle.engine import open_scorer
from reeltune.serving.recommend.filters import NO_FILTERS, Filters
from reeltune.serving.recommend.reasons import occlusion
from reeltune.serving.recommend.rerank import AS_SCORED, Reranker, Reranking, best_codes, directions_of
from reeltune.serving.recommend.state import PersonState
from reeltune.serving.recommend.titles import TitleIndex

__all__ = ["Recommendation", "Recommender", "Watched"]

MIN_STARS, MAX_STARS = 0.5, 5.0
"""The MovieLens scale of ratings."""

Watched = str | tuple[str, float]
"""A movie by title, or by ``id:...``; with its rating in stars where there is one."""


@dataclass(frozen=True)
class Recommendation:
    """A movie to see."""

    rank: int  # from 1
    title: str
    score: float  # of the network, or nearness; comparable within one list
    item_id: str  # in the data set
    year: int  # 0 where unknown
    genres: tuple[str, ...]
    code: int  # of the bundle, 1..V
    because: str = ""  # title of the history without which the score falls most; empty if none does

    def plain(self) -> dict[str, Any]:
        """Return the recommendation as plain Python values."""
        return asdict(self) | {"genres": list(self.genres)}


class Recommender:
    """Ranks the catalogue of a bundle for any history."""

    def __init__(self, bundle: Bundle, scorer: Scorer | None = None) -> None:
        """Rank the movies of ``bundle``, by its own scorer or by one of :func:`open_scorer`."""
        self.bundle = bundle
        self.scorer = scorer or bundle.scorer
        self.catalogue = bundle.catalogue
        self.titles = TitleIndex(self.catalogue.item_ids, self.catalogue.titles, self.catalogue.years)

    @classmethod
    def load(cls, directory: Path | str, engine: str = "torch") -> Self:
        """Return the recommender of the bundle in ``directory``, whose scores ``engine`` computes.

        Raises:
            BundleError: The bundle is absent, damaged or foreign, or has no graph for ONNX Runtime.
            UserError: The engine is unknown or not installed.
        """
        bundle = load_bundle(Path(directory))
        return cls(bundle, open_scorer(bundle, engine))

    def start(self, history: Sequence[Watched] = ()) -> PersonState:
        """Return the state of a person, to which movies are added one at a time.

        >>> state = Recommender.load("bundle").start()  # doctest: +SKIP
        >>> state.add("Toy Story (1995)", 4.5).recommend(k=10)  # doctest: +SKIP

        Raises:
            UserError: A title or rating of ``history`` cannot be used.
        """
        return PersonState(self, history)

    def recommend(
        self,
        history: Sequence[Watched],
        k: int = 10,
        *,
        exclude: Iterable[str] = (),
        filters: Filters = NO_FILTERS,
        rerank: Reranking = AS_SCORED,
        is_explained: bool = False,
    ) -> list[Recommendation]:
        """Return the ``k`` best movies for a person who saw ``history``, oldest first.

        Movies of the history and of ``exclude`` are left out; one that stands twice counts once.
        Fewer than ``k`` come back when no more pass.

        Args:
            history: What the person saw.
            k: Number of movies.
            exclude: Movies that must not be listed.
            filters: What a listed movie must be like.
            rerank: What counts beside the score.
            is_explained: Fill ``because``; costs one more pass a movie of the recent history.

        Raises:
            UserError: A title is unknown or ambiguous (one line each), a rating is outside
                0.5 to 5 stars, the history is empty, or ``k`` is below 1.
        """
        _check_k(k)
        codes, stars = self.resolve(history)
        if not codes:
            raise UserError("no movie was given; name at least one that the person liked")
        return self.list_for(
            self.scores([codes], [stars])[0],
            codes,
            stars,
            k,
            exclude=exclude,
            filters=filters,
            rerank=rerank,
            is_explained=is_explained,
        )

    def list_for(
        self,
        scores: NDArray[np.float64],
        codes: Sequence[int],
        stars: Sequence[float],
        k: int,
        *,
        exclude: Iterable[str] = (),
        filters: Filters = NO_FILTERS,
        rerank: Reranking = AS_SCORED,
        is_explained: bool = False,
    ) -> list[Recommendation]:
        """Return the list of a person from the ``scores`` [V+1] after the movies ``codes`` with ``stars``.

        The other arguments and the errors are those of :meth:`recommend`.
        """
        _check_k(k)
        hidden, _ = self.resolve(list(exclude))
        listable = self._listable(scores, (*codes, *hidden), filters)
        best = self.reranker.choose(listable, k, rerank, codes=codes, stars=stars)
        lines = [self._describe(rank, int(code), scores[code]) for rank, code in enumerate(best, start=1)]
        if not is_explained or not lines:
            return lines
        reasons = self._reasons(codes, stars, [line.code for line in lines], scores)
        return [replace(line, because=reason) for line, reason in zip(lines, reasons, strict=True)]

    def similar(self, movie: str, k: int = 10, *, filters: Filters = NO_FILTERS) -> list[Recommendation]:
        """Return the ``k`` movies nearest to ``movie``, by title or ``id:...``; the score is the cosine.

        Near are movies whose embeddings in the network point the same way: people see them in like
        surroundings. A baseline has no embeddings: it lists what it scores best after this movie alone.

        Raises:
            UserError: The title is unknown or ambiguous, or ``k`` is below 1.
        """
        _check_k(k)
        code = self.titles.find(movie)
        if self._directions is None:
            nearness = self.scores([[code]], [[math.nan]])[0]  # [V+1]
        else:
            nearness = self._directions @ self._directions[code]  # [V+1]
        best = best_codes(self._listable(nearness, [code], filters), k)
        return [self._describe(rank, int(code), nearness[code]) for rank, code in enumerate(best, start=1)]

    @property
    def tuned(self) -> Reranking:
        """The weights of re-ranking that were tuned on validation.

        Raises:
            UserError: The bundle holds none.
        """
        if self.bundle.tuned is None:
            raise UserError(
                "this bundle holds no tuned weights of re-ranking; run reeltune tradeoff STUDY, then export "
                "it again, or give weights"
            )
        return self.bundle.tuned

    @property
    def has_embeddings(self) -> bool:
        """Whether the model holds a vector of each movie, from which novelty and likeness are told."""
        return self._directions is not None

    @functools.cached_property
    def reranker(self) -> Reranker:
        """Chooses lists from scores."""
        return Reranker(self.catalogue, self.bundle.facts.counts, self._directions)

    @functools.cached_property
    def _directions(self) -> NDArray[np.float64] | None:
        scorer = self.bundle.scorer
        return directions_of(scorer) if isinstance(scorer, SequenceNetwork) else None

    def _listable(
        self, scores: NDArray[np.float64], hidden: Iterable[int], filters: Filters
    ) -> NDArray[np.float64]:
        """Return ``scores`` [V+1] with minus infinity for twins of ``hidden`` and what fails ``filters``."""
        listable = np.where(filters.allowed(self.catalogue, self.bundle.facts.people), scores, -np.inf)
        for code in hidden:
            listable[self.titles.twins(code)] = -np.inf
        return listable

    def scores(self, codes: Sequence[Sequence[int]], stars: Sequence[Sequence[float]]) -> NDArray[np.float64]:
        """Return the network's scores after histories of item codes and stars, shape [B, V+1]."""
        histories = to_histories([list(row) for row in codes], ratings=[list(row) for row in stars])
        with torch.inference_mode():
            return self.scorer.scores(histories).double().numpy().copy()

    def _reasons(
        self, codes: Sequence[int], stars: Sequence[float], best: Sequence[int], scores: NDArray[np.float64]
    ) -> list[str]:
        """Return, for each of ``best``, the recent movie without which its score falls most."""
        if len(codes) < 2:
            return [self.catalogue.titles[codes[0] - 1].strip()] * len(best)
        recent, falls = occlusion(self.scores, codes, stars, scores)
        reasons = []
        for code in best:
            place = int(falls[:, code - 1].argmax())
            title = self.catalogue.titles[codes[recent[place]] - 1].strip()
            reasons.append(title if falls[place, code - 1] > 0 else "")
        return reasons

    def resolve(self, watched: Sequence[Watched]) -> tuple[list[int], list[float]]:
        """Return item codes and stars (NaN where not given) of titles, repetitions left out.

        Raises:
            UserError: One line for each title or rating that cannot be used.
        """
        found: dict[int, float] = {}
        problems = []
        for entry in watched:
            title, stars = (entry, math.nan) if isinstance(entry, str) else entry
            try:
                if not isinstance(entry, str):
                    _check_stars(title, stars)
                found.setdefault(self.titles.find(title), stars)
            except UserError as error:
                problems.append(str(error))
        if problems:
            raise UserError("\n".join(problems))
        return list(found), list(found.values())

    def read(self, path: Path | str) -> tuple[list[Watched], list[str]]:
        """Return the history in a CSV (see :func:`read_ratings`), and the titles that the catalogue lacks.

        Raises:
            DataError: The file cannot be read, or a rating or date in it cannot be used.
        """
        from reeltune.serving.recommend.ratings_file import read_ratings

        watched = read_ratings(Path(path))
        found: list[Watched] = []
        missed = []
        for entry in watched:
            title = entry if isinstance(entry, str) else entry[0]
            try:
                self.titles.find(title)
                found.append(entry)
            except UserError:
                missed.append(title)
        return found, missed

    def _describe(self, rank: int, code: int, score: float) -> Recommendation:
        row = code - 1
        catalogue = self.catalogue
        return Recommendation(
            rank=rank,
            title=catalogue.titles[row].strip(),
            score=float(score),
            item_id=catalogue.item_ids[row],
            year=catalogue.years[row],
            genres=catalogue.genres[row],
            code=code,
        )


def _check_k(k: int) -> None:
    if k < 1:
        raise UserError(f"cannot list {k} movies; ask for at least 1")


def _check_stars(title: str, stars: float) -> None:
    if not MIN_STARS <= stars <= MAX_STARS:
        raise UserError(f"{title!r} is rated {stars:g}; stars go from {MIN_STARS:g} to {MAX_STARS:g}")
