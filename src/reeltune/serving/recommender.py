"""Recommendations for a person the model has never seen.

Shapes: B batch, T steps, V catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reeltune.data.sequences import to_histories
from reeltune.errors import UserError
from reeltune.serving.bundle import Bundle, load_bundle
from reeltune.serving.titles import TitleIndex

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
    score: float  # of the network, comparable within one list
    item_id: str  # in the data set
    year: int  # 0 where unknown
    genres: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return the recommendation as plain Python values."""
        return asdict(self) | {"genres": list(self.genres)}


class Recommender:
    """Ranks the catalogue of a bundle for any history."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.catalogue = bundle.catalogue
        self.titles = TitleIndex(self.catalogue.item_ids, self.catalogue.titles, self.catalogue.years)

    @classmethod
    def load(cls, directory: Path | str) -> Recommender:
        """Return the recommender of the bundle in ``directory``.

        Raises:
            BundleError: The bundle is absent, damaged or foreign.
        """
        return cls(load_bundle(Path(directory)))

    def recommend(
        self, history: Sequence[Watched], k: int = 10, *, exclude: Iterable[str] = ()
    ) -> list[Recommendation]:
        """Return the ``k`` best movies for a person who saw ``history``, oldest first.

        Movies of the history and of ``exclude`` are left out; one that stands twice counts once.
        Fewer than ``k`` come back when the catalogue holds no more.

        Raises:
            UserError: A title is unknown or ambiguous (one line each), a rating is outside
                0.5 to 5 stars, the history is empty, or ``k`` is below 1.
        """
        if k < 1:
            raise UserError(f"cannot list {k} movies; ask for at least 1")
        codes, stars = self.resolve(history)
        hidden, _ = self.resolve(list(exclude))
        if not codes:
            raise UserError("no movie was given; name at least one that the person liked")
        scores = self.scores(codes, stars)
        for code in (*codes, *hidden):
            scores[self.titles.twins(code)] = -np.inf
        # A stable sort: equal scores keep the catalogue's order on every machine.
        order = np.argsort(-scores, kind="stable")[:k]
        best = [int(code) for code in order if np.isfinite(scores[code])]
        return [self._describe(rank, code, scores[code]) for rank, code in enumerate(best, start=1)]

    def scores(self, codes: Sequence[int], stars: Sequence[float]) -> NDArray[np.float64]:
        """Return the network's scores after a history of item codes and ratings, shape [V+1]."""
        histories = to_histories([list(codes)], ratings=[list(stars)])
        with torch.inference_mode():
            scores: NDArray[np.float64] = self.bundle.network.scores(histories)[0].double().numpy()
        return scores.copy()

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
        )


def _check_stars(title: str, stars: float) -> None:
    if not MIN_STARS <= stars <= MAX_STARS:
        raise UserError(f"{title!r} is rated {stars:g}; stars go from {MIN_STARS:g} to {MAX_STARS:g}")
