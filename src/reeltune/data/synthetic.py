"""Film-goers with a known best score: generated, no download.

The next movie is drawn from a mixture that a model can learn in seconds: mostly one of a
few *successors* of the last movie, sometimes a movie of the *group* that follows from the
last two movies together, else any movie by popularity. Movies already seen are never drawn
again. The exact probabilities are known, so the best score that any model can expect is too.

Shapes: U users, V movies, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Interactions, Movies, RawDataset
from reeltune.seeding import derive

_FIRST_SECOND = 946_684_800  # 2000-01-01
_TIE_SHARE = 0.3  # of the events fall into the second of the event before, as in rating sessions
_SUCCESSOR_WEIGHT, _GROUP_WEIGHT, _POPULARITY_WEIGHT = 0.6, 0.3, 0.1
_SUCCESSOR_ODDS = (0.5, 0.3, 0.2)
_N_GROUPS = 8


@dataclass(frozen=True)
class SyntheticData:
    """Generated rows with the truth behind them."""

    raw: RawDataset
    optimum: dict[str, float]
    """Best expectable test score of any model: ``hr@10``, ``ndcg@10``, ``mrr@10``."""


class _World:
    """The generating process: next-movie probabilities given the last two movies and those seen."""

    def __init__(self, n_items: int, rng: np.random.Generator) -> None:
        weights = 1.0 / np.arange(1, n_items + 1) ** 0.8
        self.popularity = rng.permutation(weights / weights.sum())  # [V]
        self.group = rng.permutation(np.arange(n_items) % _N_GROUPS)  # [V]
        self.successors = np.zeros((n_items, n_items), dtype=np.float32)
        for odds in _SUCCESSOR_ODDS:
            np.add.at(self.successors, (np.arange(n_items), rng.permutation(n_items)), odds)
        self.in_group = self.popularity * (self.group == np.arange(_N_GROUPS)[:, None])  # [G, V]

    def probabilities(
        self, last: NDArray[np.int64], before: NDArray[np.int64], seen: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return the probability of each next movie, shape [U, V]."""
        follows = (self.group[last] + self.group[before]) % _N_GROUPS
        parts = (
            (_SUCCESSOR_WEIGHT, self.successors[last]),
            (_GROUP_WEIGHT, self.in_group[follows]),
            (_POPULARITY_WEIGHT, np.broadcast_to(self.popularity, seen.shape)),
        )
        total = np.zeros(seen.shape)
        for weight, part in parts:
            open_part = np.where(seen, 0.0, part)
            mass = open_part.sum(1, keepdims=True)
            total += weight * np.divide(open_part, mass, out=np.zeros_like(total), where=mass > 0)
        total /= total.sum(1, keepdims=True)
        return total


def synthetic_data(
    *, n_users: int = 400, n_items: int = 200, mean_length: int = 40, seed: int = 17
) -> SyntheticData:
    """Return generated histories and the best score that can be expected on their last events.

    ``mean_length`` is the mean number of events a user, at most a third of ``n_items``; memory grows with
    U x V.
    """
    rng = np.random.default_rng(derive(seed, "synthetic", n_users, n_items, mean_length))
    world = _World(n_items, rng)
    lengths = np.clip(rng.lognormal(np.log(mean_length) - 0.125, 0.5, n_users), 5, n_items // 2).astype(
        np.int64
    )
    history = np.zeros((n_users, int(lengths.max())), dtype=np.int64)  # [U, T]
    seen = np.zeros((n_users, n_items), dtype=bool)
    users = np.arange(n_users)
    expected = np.zeros((n_users, 3))
    for step in range(history.shape[1]):
        last = history[:, max(step - 1, 0)]
        before = history[:, max(step - 2, 0)]
        if step == 0:
            chances = np.broadcast_to(world.popularity, seen.shape)
        else:
            chances = world.probabilities(last, before, seen)
        is_test = lengths == step + 1
        expected[is_test] = _best_scores(chances[is_test])
        draw = rng.random((n_users, 1)) * (1 - 1e-12)
        chosen = (np.cumsum(chances, axis=1) <= draw).sum(1).clip(max=n_items - 1)
        history[:, step] = chosen
        seen[users, chosen] = True
    hr, ndcg, mrr = expected.mean(0).tolist()
    raw = RawDataset(_rows(history, lengths, rng), _movies(world))
    return SyntheticData(raw, {"hr@10": hr, "ndcg@10": ndcg, "mrr@10": mrr})


def _best_scores(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected HR@10, NDCG@10 and MRR@10 of the ideal ranking, shape [M, 3]."""
    top = -np.sort(-chances, axis=1)[:, :10]  # [M, 10]
    places = np.arange(1, top.shape[1] + 1)
    return np.stack([top.sum(1), (top / np.log2(places + 1)).sum(1), (top / places).sum(1)], axis=1)


def _rows(history: NDArray[np.int64], lengths: NDArray[np.int64], rng: np.random.Generator) -> Interactions:
    n_users, n_steps = history.shape
    gaps = np.where(rng.random((n_users, n_steps)) < _TIE_SHARE, 0, rng.integers(1, 600, (n_users, n_steps)))
    starts = _FIRST_SECOND + rng.integers(0, 10**8, (n_users, 1))
    times = starts + np.cumsum(gaps, axis=1)
    quality = rng.normal(3.5, 0.6, int(history.max()) + 1)
    stars = np.clip(np.rint(quality[history] + rng.normal(0, 0.8, history.shape)), 1, 5)
    inside = np.arange(n_steps) < lengths[:, None]  # [U, T]
    user = np.broadcast_to(np.arange(1, n_users + 1)[:, None], history.shape)
    return Interactions(
        user=user[inside].astype(np.int32),
        item=(history[inside] + 1).astype(np.int32),
        rating=stars[inside].astype(np.float32),
        timestamp=times[inside].astype(np.int64),
    )


def _movies(world: _World) -> Movies:
    n_items = len(world.group)
    years = tuple(1950 + code % 50 for code in range(n_items))
    return Movies(
        ids=tuple(str(code + 1) for code in range(n_items)),
        titles=tuple(f"Synthetic Film {code + 1:03d} ({year})" for code, year in enumerate(years)),
        years=years,
        genres=tuple((f"Group {group + 1}",) for group in world.group.tolist()),
    )
