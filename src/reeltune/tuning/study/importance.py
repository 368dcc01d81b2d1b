"""What mattered in a search: what searched fields explain of the objective's variance, alone and in pairs.

Functional ANOVA of a random forest over the searched box (Hutter et al., 2014,
https://proceedings.mlr.press/v32/hutter14.html). A tree is constant on boxes, so its means over any of the
fields, and the variances of these, are sums over pairs of leaves: nothing is sampled.

Shapes: N trials, P fields, L leaves of a tree.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, quantiles
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study.folder import Study

__all__ = ["Importance", "Shares", "importance", "shares_of"]

N_TREES = 32
"""Trees of the forest."""

N_RESAMPLES = 20
"""Bootstrap resamples behind the ranges."""

LEAST_TRIALS = 4
"""Fewer say nothing."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """The share of the objective's variance that something explains, and how sure that is."""

    share: float
    low: float  # 5th percentile over resamples of the trials
    high: float  # 95th percentile

    def plain(self) -> dict[str, float]:
        """Return the share as plain Python values."""
        return asdict(self)


@dataclass(frozen=True)
class Shares:
    """What explains the variance of the objective over the searched box; empty where nothing can be said."""

    fields: dict[str, Importance]
    """Of each searched field alone, largest first."""
    pairs: dict[tuple[str, str], Importance]
    """Of each pair of fields beyond what the two explain alone, largest first."""
    n_trials: int
    epoch: int | None = None
    """Epoch at which the trials were compared; None where each had ended by itself."""

    def basis(self) -> str:
        """Return in words which trials were compared and when."""
        if self.epoch is None:
            return f"{self.n_trials} complete trials"
        return f"{self.n_trials} trials, stopped ones too, at epoch {self.epoch}, which all reached"

    def plain(self) -> dict[str, Any]:
        """Return the shares as plain Python values; a pair is named by both fields."""
        return {
            "basis": self.basis(),
            "fields": {name: of.plain() for name, of in self.fields.items()},
            "pairs": {" x ".join(pair): of.plain() for pair, of in self.pairs.items()},
        }


def importance(study: Study) -> Shares:
    """Return what explains the objective of the study's trials; see :func:`shares_of`.

    Of the complete trials their figures count. Where a scheduler stopped more than half, too few are left
    and only of the best kind: then all trials count, each with its best figure up to the last epoch that
    all reached. Empty for a population: a leg owes its figure to the weights that it took over as well.
    """
    if study.spec.population is not None:
        return Shares({}, {}, 0)
    ended = [row for row in study.rows() if row.state in (TrialState.COMPLETE, TrialState.STOPPED)]
    rows = [row for row in ended if row.value is not None]
    complete = [row for row in rows if row.state is TrialState.COMPLETE]
    if 2 * len(complete) >= len(rows):
        return shares_of(study.spec.space, [row.params for row in complete], _values(complete))
    epoch = min(row.n_epochs for row in rows)
    best = max if study.higher_is_better else min
    values = [
        best(of.metrics[study.objective] for of in study.epochs(row.number) if of.epoch <= epoch)
        for row in rows
    ]
    return replace(shares_of(study.spec.space, [row.params for row in rows], values), epoch=epoch)


def _values(rows: Sequence[TrialRow]) -> list[float]:
    return [row.value for row in rows if row.value is not None]


def shares_of(space: Space, points: Sequence[Mapping[str, Any]], values: Sequence[float]) -> Shares:
    """Return the shares of the variance of ``values`` [N] that fields and pairs of fields explain.

    Fields that some point lacks are left out. Empty with fewer than four points or when all have the same
    value. With three fields or more the shares sum to less than 1: the rest is of three fields and more.
    The range is that of the same estimate over bootstrap resamples of the points.
    """
    searched = [(name, of) for name, of in space if all(name in point for point in points)]
    if len(points) < LEAST_TRIALS or len(set(values)) == 1 or not searched:
        return Shares({}, {}, len(points))
    places = np.array([[of.place(point[name]) for name, of in searched] for point in points])  # [N, P]
    targets = np.asarray(values, dtype=np.float64)
    found, chance = _decompose(places, targets, seed=0), random.Random(0)
    drawn: dict[tuple[int, ...], list[float]] = {key: [] for key in found}
    for seed in range(1, N_RESAMPLES + 1):
        rows = chance.choices(range(len(targets)), k=len(targets))
        if len(set(targets[rows])) > 1:
            for key, share in _decompose(places[rows], targets[rows], seed=seed).items():
                drawn[key].append(share)
    named = {
        tuple(searched[p][0] for p in key): Importance(share, *_percentiles(drawn[key], share))
        for key, share in sorted(found.items(), key=lambda item: -item[1])
    }
    return Shares(
        fields={key[0]: of for key, of in named.items() if len(key) == 1},
        pairs={(key[0], key[1]): of for key, of in named.items() if len(key) == 2},
        n_trials=len(points),
    )


def _decompose(places: Array, targets: Array, *, seed: int) -> dict[tuple[int, ...], float]:
    """Return the share of the variance of each field and each pair, by their columns; the mean over trees."""
    from sklearn.ensemble import RandomForestRegressor

    n_fields = places.shape[1]
    keys: list[tuple[int, ...]] = [(p,) for p in range(n_fields)]
    keys += list(itertools.combinations(range(n_fields), 2))
    forest = RandomForestRegressor(n_estimators=N_TREES, random_state=seed).fit(places, targets)
    shares: dict[tuple[int, ...], list[float]] = {key: [] for key in keys}
    for estimator in forest.estimators_:
        for key, share in _of_tree(*_leaves(estimator.tree_, n_fields), keys).items():
            shares[key].append(share)
    return {key: fmean(of) if of else 0.0 for key, of in shares.items()}


def _leaves(tree: Any, n_fields: int) -> tuple[Array, Array]:
    """Return the boxes of a tree's leaves, [L, P, 2] from low to high, and their values, [L]."""
    boxes, values = [], []
    waiting = [(0, np.tile([0.0, 1.0], (n_fields, 1)))]
    while waiting:
        node, box = waiting.pop()
        if tree.children_left[node] < 0:
            boxes.append(box)
            values.append(float(tree.value[node].item()))
            continue
        field, cut = int(tree.feature[node]), float(tree.threshold[node])
        below, above = box.copy(), box.copy()
        below[field, 1] = above[field, 0] = cut
        waiting += [(int(tree.children_left[node]), below), (int(tree.children_right[node]), above)]
    return np.stack(boxes), np.array(values)


def _of_tree(boxes: Array, values: Array, keys: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
    widths = boxes[:, :, 1] - boxes[:, :, 0]  # [L, P]
    volumes = widths.prod(axis=1)
    centred = values - volumes @ values
    variance = float(volumes @ centred**2)
    if variance <= 0:
        return {}
    low = np.maximum(boxes[:, None, :, 0], boxes[None, :, :, 0])
    high = np.minimum(boxes[:, None, :, 1], boxes[None, :, :, 1])
    # How much more often two leaves meet in a field than if they lay there independently, [L, L, P].
    meets = np.clip(high - low, 0.0, None) / (widths[:, None] * widths[None])
    weights = np.outer(volumes * centred, volumes * centred)  # [L, L]
    # Variance of the tree's mean over all other fields; of a pair, the two alone are in it.
    found: dict[tuple[int, ...], float] = {}
    for key in sorted(keys, key=len):
        of = float((weights * meets[:, :, list(key)].prod(axis=2)).sum()) / variance
        found[key] = max(0.0, of - sum(found[p,] for p in key) if len(key) > 1 else of)
    return found


def _percentiles(values: list[float], otherwise: float) -> tuple[float, float]:
    if len(values) < 2:
        return otherwise, otherwise
    cuts = quantiles(values, n=20, method="inclusive")
    return cuts[0], cuts[-1]
