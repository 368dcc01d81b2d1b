"""Why a movie is listed: which past movies moved it, and whether that is true.

An explanation by occlusion leaves out one movie of the history and looks how far the score falls. Each
movie alone says little of several together, so the explanation is tested: when the movies that it
names are left out all at once, the recommendation should fall further than without as many others.

Shapes: R recent movies, V catalogue, P users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.errors import ConfigError
from reeltune.evaluation.compare import Comparison, Interval, compare_paired, mean_interval
from reeltune.seeding import derive

N_REASONS = 50
"""Most recent movies that a recommendation may be explained by."""

Score = Callable[[Sequence[Sequence[int]], Sequence[Sequence[float]]], NDArray[np.float64]]
"""From item codes and ratings of several users to their scores, [B, V+1]."""

Person = tuple[Sequence[int], Sequence[float]]


@dataclass(frozen=True)
class Faithfulness:
    """How far the first recommendation falls without the movies that explain it, and without others.

    The fall is measured in log2 of the rank: 0 where it stays first, 1 where it becomes second, 2 where it
    becomes fourth.
    """

    n_people: int
    n_removed: int
    named: Interval  # without the movies that the explanation names
    random: Interval  # without as many others, drawn at random
    recent: Interval  # without as many of the last
    against_random: Comparison
    against_recent: Comparison

    def verdict(self) -> str:
        """Return in words whether the explanations are faithful."""
        is_faithful = self.against_random.is_better
        return (
            f"explanations are {'faithful' if is_faithful else 'not shown to be faithful'}: without the "
            f"{self.n_removed} movies that they name, the first recommendation of {self.n_people:,} people "
            f"falls by {self.named.value:.2f} halvings of its place, without as many random ones by "
            f"{self.random.value:.2f} (p = {self.against_random.p_value:.3g}), without the last ones by "
            f"{self.recent.value:.2f}"
        )

    def plain(self) -> dict[str, Any]:
        """Return the result as plain Python values."""
        return asdict(self) | {
            "against_random": self.against_random.plain(),
            "against_recent": self.against_recent.plain(),
            "verdict": self.verdict(),
        }


def occlusion(
    score: Score, codes: Sequence[int], ratings: Sequence[float], scores: NDArray[np.float64]
) -> tuple[range, NDArray[np.float64]]:
    """Return the places of the recent movies, and how far each movie's score falls without each, [R, V].

    The history, oldest first, holds two movies or more; ``scores`` [V+1] are those of all of it. Scores have
    no common level between histories: each is taken against its row's mean.
    """
    recent = range(max(0, len(codes) - N_REASONS), len(codes))
    without = [[*codes[:i], *codes[i + 1 :]] for i in recent]
    ratings_without = [[*ratings[:i], *ratings[i + 1 :]] for i in recent]
    changed = score(without, ratings_without)[:, 1:]  # [R, V]
    return recent, (scores[1:] - scores[1:].mean()) - (changed - changed.mean(axis=1, keepdims=True))


def check_faithfulness(
    score: Score, people: Sequence[Person], *, n_removed: int = 3, seed: int = 0
) -> Faithfulness:
    """Return how well occlusion names the movies behind the first recommendation of ``people``.

    People with fewer than twice ``n_removed`` movies, and one more, are left out: random movies would
    be the named ones too often.

    Raises:
        ConfigError: Nobody has enough movies.
    """
    asked = [person for person in people if len(person[0]) > 2 * n_removed]
    if not asked:
        raise ConfigError(f"nobody has more than {2 * n_removed} movies; test people with longer histories")
    rng = np.random.default_rng(derive(seed, "faithfulness"))
    falls = np.array([_falls(score, codes, ratings, n_removed, rng) for codes, ratings in asked])  # [P, 3]
    named, random, recent = falls.T
    return Faithfulness(
        n_people=len(asked),
        n_removed=n_removed,
        named=mean_interval(named, seed=seed),
        random=mean_interval(random, seed=seed),
        recent=mean_interval(recent, seed=seed),
        against_random=compare_paired(
            named, random, opponent_name="random movies", metric="log2 rank", seed=seed
        ),
        against_recent=compare_paired(
            named, recent, opponent_name="the last movies", metric="log2 rank", seed=seed
        ),
    )


def _falls(
    score: Score, codes: Sequence[int], ratings: Sequence[float], n_removed: int, rng: np.random.Generator
) -> list[float]:
    """Return log2 of the first recommendation's rank without the named, random and last movies."""
    scores = score([codes], [ratings])[0]
    seen = np.array(codes)
    scores_unseen = scores.copy()
    scores_unseen[[0, *seen]] = -np.inf
    best = int(scores_unseen.argmax())
    recent, falls = occlusion(score, codes, ratings, scores)
    order = np.argsort(-falls[:, best - 1], kind="stable")[:n_removed]
    removed = [
        {recent[int(place)] for place in order},
        {recent[int(place)] for place in rng.choice(len(recent), n_removed, replace=False)},
        set(range(len(codes) - n_removed, len(codes))),
    ]
    kept = [[i for i in range(len(codes)) if i not in places] for places in removed]
    changed = score([[codes[i] for i in of] for of in kept], [[ratings[i] for i in of] for of in kept])
    changed[:, [0, *seen]] = -np.inf  # the whole history stays hidden: a removed movie is no rival
    ranks = 1 + (changed > changed[:, [best]]).sum(axis=1)
    return [float(value) for value in np.log2(ranks)]
