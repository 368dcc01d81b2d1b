"""Recommendations for a user the model has never seen.

Shapes: B batch, V catalogue.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from reeltune.data.readers.exports import read_export_file
from reeltune.data.sequences import to_histories
from reeltune.errors import UserError
from reeltune.models.base import Scorer, as_network
from reeltune.models.networks.recurrent import Memory, as_recurrent
from reeltune.serving.bundle.bundle import Bundle, load_bundle
from reeltune.serving.bundle.engine import open_scorer
from reeltune.serving.bundle.reranking import AS_SCORED, Reranking
from reeltune.serving.recommend.filters import NO_FILTERS, Filters
from reeltune.serving.recommend.reasons import occlusion
from reeltune.serving.recommend.rerank import Reranker, best_codes, directions_of
from reeltune.serving.recommend.titles import TitleIndex, Watched, known_titles, resolve

Floats = NDArray[np.float64]


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
        self.scale = bundle.ledger.scale
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

    def start(self, history: Iterable[Watched] = ()) -> UserState:
        """Return the state of a user, to which movies are added one at a time.

        >>> state = Recommender.load("bundle").start()  # doctest: +SKIP
        >>> state.add("Toy Story (1995)", 4.5).recommend(k=10)  # doctest: +SKIP
        """
        return UserState(self, history)

    def recommend(
        self,
        history: Iterable[Watched],
        k: int = 10,
        *,
        exclude: Iterable[str] = (),
        filters: Filters = NO_FILTERS,
        rerank: Reranking = AS_SCORED,
        is_explained: bool = False,
    ) -> list[Recommendation]:
        """Return the ``k`` best movies for a user who saw ``history``, oldest first.

        Movies of the history and of ``exclude`` are left out; one that stands twice counts once.
        Fewer than ``k`` come back when no more pass. ``is_explained`` fills ``because``, which costs one more
        pass a movie of the recent history.

        Raises:
            UserError: A title is unknown or ambiguous (one line each), a rating is outside
                the scale, the history is empty, or ``k`` is below 1.
        """
        _check_k(k)
        codes, ratings = self.resolve(history)
        if not codes:
            raise UserError("no movie was given; name at least one that the user liked")
        scores = self.scores([codes], [ratings])[0]
        return self.list_for(
            scores, codes, ratings, k,
            exclude=exclude, filters=filters, rerank=rerank, is_explained=is_explained,
        )  # fmt: skip

    def list_for(
        self,
        scores: Floats,
        codes: Sequence[int],
        ratings: Sequence[float],
        k: int,
        *,
        exclude: Iterable[str] = (),
        filters: Filters = NO_FILTERS,
        rerank: Reranking = AS_SCORED,
        is_explained: bool = False,
    ) -> list[Recommendation]:
        """Return the list of a user from the ``scores`` [V+1] after the movies ``codes`` with ``ratings``.

        The other arguments and the errors are those of :meth:`recommend`.
        """
        _check_k(k)
        hidden, _ = self.resolve(exclude)
        listable = self._listable(scores, (*codes, *hidden), filters)
        best = self.reranker.choose(listable, k, rerank, codes=codes, ratings=ratings)
        lines = self._describe(best, scores)
        if not is_explained or not lines:
            return lines
        reasons = self._reasons(codes, ratings, best, scores)
        return [replace(line, because=reason) for line, reason in zip(lines, reasons, strict=True)]

    def similar(self, movie: str, k: int = 10, *, filters: Filters = NO_FILTERS) -> list[Recommendation]:
        """Return the ``k`` movies nearest to ``movie``, by title or ``id:...``; the score is the cosine.

        Near are movies whose embeddings in the network point the same way: users see them in like
        surroundings. A baseline has no embeddings: it lists what it scores best after this movie alone.
        """
        _check_k(k)
        code = self.titles.find(movie)
        if self._directions is None:
            nearness = self.scores([[code]], [[math.nan]])[0]  # [V+1]
        else:
            nearness = self._directions @ self._directions[code]  # [V+1]
        return self._describe(best_codes(self._listable(nearness, [code], filters), k), nearness)

    def scores(self, codes: Sequence[Sequence[int]], ratings: Sequence[Sequence[float]]) -> Floats:
        """Return the model's scores after histories of item codes and ratings, shape [B, V+1]."""
        histories = to_histories([list(row) for row in codes], ratings=[list(row) for row in ratings])
        with torch.inference_mode():
            return self.scorer.scores(histories).double().numpy().copy()

    def resolve(self, watched: Iterable[Watched]) -> tuple[list[int], list[float]]:
        """Return item codes and ratings of titles; see :func:`reeltune.serving.recommend.titles.resolve`."""
        return resolve(self.titles, self.scale, watched)

    def read(
        self, path: Path | str, notify: Callable[[str], None] = lambda _: None
    ) -> tuple[list[Watched], list[str]]:
        """Return the history in a file of Letterboxd, IMDb or Netflix, a plain CSV or a zip.

        It is that of the movies that the catalogue holds, the oldest first; the titles that it lacks come
        second. ``notify`` receives lines on how the file was read.

        Raises:
            DataError: Its form is unknown, or a rating or date in it cannot be used.
        """
        export = read_export_file(Path(path), self.scale)
        for line in export.notes:
            notify(line)
        return known_titles(self.titles, export)

    @property
    def tuned(self) -> Reranking:
        """The weights of re-ranking that were tuned on validation."""
        if self.bundle.tuned is None:
            raise UserError(
                "this bundle holds no tuned weights of re-ranking; run reeltune tradeoff STUDY, then export "
                "it again, or give weights"
            )
        return self.bundle.tuned

    @property
    def has_embeddings(self) -> bool:
        """Whether the model holds a vector of each movie, from which novelty and likeness are measured."""
        return self._directions is not None

    @functools.cached_property
    def reranker(self) -> Reranker:
        """Chooses lists from scores."""
        return Reranker(self.catalogue, self.bundle.facts.counts, self._directions, self.scale)

    @functools.cached_property
    def _directions(self) -> Floats | None:
        network = as_network(self.bundle.scorer)
        return None if network is None else directions_of(network)

    def _listable(self, scores: Floats, hidden: Iterable[int], filters: Filters) -> Floats:
        """Return ``scores`` [V+1] with minus infinity for twins of ``hidden`` and what fails ``filters``."""
        listable = np.where(filters.allowed(self.catalogue, self.bundle.facts.people), scores, -np.inf)
        for code in hidden:
            listable[self.titles.twins(code)] = -np.inf
        return listable

    def _reasons(
        self, codes: Sequence[int], ratings: Sequence[float], best: NDArray[np.int64], scores: Floats
    ) -> list[str]:
        """Return, for each of ``best``, the recent movie without which its score falls most."""
        if len(codes) < 2:
            return [self.catalogue.titles[codes[0] - 1].strip()] * len(best)
        recent, falls = occlusion(self.scores, codes, ratings, scores)
        places = falls[:, best - 1].argmax(axis=0)
        return [
            self.catalogue.titles[codes[recent[place]] - 1].strip() if falls[place, code - 1] > 0 else ""
            for place, code in zip(places, best, strict=True)
        ]

    def _describe(self, best: NDArray[np.int64], scores: Floats) -> list[Recommendation]:
        catalogue = self.catalogue
        return [
            Recommendation(
                rank=rank,
                title=catalogue.titles[code - 1].strip(),
                score=float(scores[code]),
                item_id=catalogue.item_ids[code - 1],
                year=catalogue.years[code - 1],
                genres=catalogue.genres[code - 1],
                code=code,
            )
            for rank, code in enumerate(map(int, best), start=1)
        ]


class UserState:
    """What a recommender holds of one user, whose movies come one after another; see ``Recommender.start``.

    A recurrent network keeps the memory of its layers, so that a movie costs one step of them. Its
    scores are those of the whole history, up to the rounding of float32. Another model reads the whole
    history again. The network must not change meanwhile.
    """

    def __init__(self, recommender: Recommender, history: Iterable[Watched] = ()) -> None:
        self.recommender = recommender
        self.codes: list[int] = []  # oldest first, none twice
        self.ratings: list[float] = []  # NaN where not rated
        self._memory: Memory | None = None
        self._scores: Floats | None = None  # [V+1]
        self.extend(history)

    def add(self, movie: str, rating: float | None = None) -> UserState:
        """Add one more movie, by title or ``id:...``, with its rating; return the same state.

        A movie that is there already is left as it is.
        """
        return self.extend([movie if rating is None else (movie, rating)])

    def extend(self, history: Iterable[Watched]) -> UserState:
        """Add several movies, the oldest first; nothing is added where one of them cannot be.

        Raises:
            UserError: One line for each title or rating that cannot be used.
        """
        found = zip(*self.recommender.resolve(history), strict=True)
        held = set(self.codes)
        new = [(code, rating) for code, rating in found if code not in held]
        if new:
            self.codes += [code for code, _ in new]
            self.ratings += [rating for _, rating in new]
            self._read(len(new))
        return self

    def copy(self) -> UserState:
        """Return a state that starts from this one and goes its own way."""
        other = copy.copy(self)
        # Memories are never written into: each step makes new ones.
        other.codes, other.ratings = list(self.codes), list(self.ratings)
        return other

    def scores(self) -> Floats:
        """Return the score of each movie, shape [V+1].

        Raises:
            UserError: No movie was added yet.
        """
        if self._scores is None:
            raise UserError("no movie was given; name at least one that the user liked")
        return self._scores

    def recommend(self, k: int = 10, **choice: Any) -> list[Recommendation]:
        """Return the ``k`` best movies; ``choice`` is that of :meth:`Recommender.recommend`."""
        return self.recommender.list_for(self.scores(), self.codes, self.ratings, k, **choice)

    def _read(self, n_new: int) -> None:
        scorer = as_recurrent(self.recommender.bundle.scorer)
        if scorer is None:
            self._scores = self.recommender.scores([self.codes], [self.ratings])[0]
            return
        # Side information of a step may rest on all steps before it; the layers do not.
        n_read = n_new if scorer.prior is None else max(n_new, scorer.prior.n_recent)
        if scorer.side.config.taste:
            n_read = len(self.codes)
        histories = to_histories([self.codes[-n_read:]], ratings=[self.ratings[-n_read:]])
        with torch.inference_mode():
            states, self._memory = scorer.advance(histories, self._memory, n_new=n_new)
            scores = scorer.scores_of(states[:, -1], histories)[0]  # [V+1]
        self._scores = scores.double().numpy().copy()


def _check_k(k: int) -> None:
    if k < 1:
        raise UserError(f"cannot list {k} movies; ask for at least 1")
