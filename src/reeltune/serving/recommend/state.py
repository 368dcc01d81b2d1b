"""A person whose movies come one after another: one more costs one step, not the whole history.

Shapes: H hidden, V catalogue.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from reeltune.data.sequences import to_histories
from reeltune.errors import UserError
from reeltune.models.networks.recurrent import Memory, RecurrentNetwork
from reeltune.serving.recommend.filters import NO_FILTERS, Filters
from reeltune.serving.recommend.rerank import AS_SCORED, Reranking

if TYPE_CHECKING:
    from reeltune.serving.recommend.recommender import Recommendation, Recommender, Watched

__all__ = ["PersonState"]


class PersonState:
    """What a recommender holds of one person; made by ``Recommender.start``.

    A recurrent network keeps the memory of its layers, so that a movie costs one step of them. Its
    scores are those of the whole history, up to the rounding of float32. Another model reads the whole
    history again. The network must not change meanwhile.
    """

    def __init__(self, recommender: Recommender, history: Iterable[Watched] = ()) -> None:
        self.recommender = recommender
        self.codes: list[int] = []  # oldest first, none twice
        self.stars: list[float] = []  # NaN where not rated
        self._memory: Memory | None = None
        self._scores: NDArray[np.float64] | None = None  # [V+1]
        self.extend(history)

    def add(self, movie: str, rating: float | None = None) -> PersonState:
        """Add one more movie, by title or ``id:...``, with its stars; return the same state.

        A movie that is there already is left as it is.

        Raises:
            UserError: The title is unknown or ambiguous, or the rating is outside the scale.
        """
        return self.extend([movie if rating is None else (movie, rating)])

    def extend(self, history: Iterable[Watched]) -> PersonState:
        """Add several movies, the oldest first; nothing is added where one of them cannot be.

        Raises:
            UserError: One line for each title or rating that cannot be used.
        """
        codes, stars = self.recommender.resolve(list(history))
        held = set(self.codes)
        new = [(code, star) for code, star in zip(codes, stars, strict=True) if code not in held]
        if new:
            self.codes += [code for code, _ in new]
            self.stars += [star for _, star in new]
            self._read(len(new))
        return self

    def copy(self) -> PersonState:
        """Return a state that starts from this one and goes its own way."""
        other = copy.copy(self)
        # Memories are never written into: each step makes new ones.
        other.codes, other.stars = list(self.codes), list(self.stars)
        return other

    def scores(self) -> NDArray[np.float64]:
        """Return the score of each movie, shape [V+1].

        Raises:
            UserError: No movie was added yet.
        """
        if self._scores is None:
            raise UserError("no movie was given; name at least one that the person liked")
        return self._scores

    def recommend(
        self,
        k: int = 10,
        *,
        exclude: Iterable[str] = (),
        filters: Filters = NO_FILTERS,
        rerank: Reranking = AS_SCORED,
        is_explained: bool = False,
    ) -> list[Recommendation]:
        """Return the ``k`` best movies; see :meth:`Recommender.recommend`."""
        return self.recommender.list_for(
            self.scores(),
            self.codes,
            self.stars,
            k,
            exclude=exclude,
            filters=filters,
            rerank=rerank,
            is_explained=is_explained,
        )

    def _read(self, n_new: int) -> None:
        scorer = self.recommender.bundle.scorer
        if not isinstance(scorer, RecurrentNetwork):
            self._scores = self.recommender.scores([self.codes], [self.stars])[0]
            return
        # Side information of a step may rest on all steps before it; the layers do not.
        n_read = n_new if scorer.prior is None else max(n_new, scorer.prior.n_recent)
        if scorer.side.config.taste:
            n_read = len(self.codes)
        histories = to_histories([self.codes[-n_read:]], ratings=[self.stars[-n_read:]])
        with torch.inference_mode():
            states, self._memory = scorer.advance(histories, self._memory, n_new=n_new)
            scores = scorer.scores_of(states[:, -1], histories)[0]  # [V+1]
        self._scores = scores.double().numpy().copy()
