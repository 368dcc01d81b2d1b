"""What mattered in a search: what each searched field explains of the objective's variance.

Functional ANOVA of a random forest over the searched box (Hutter et al., 2014,
https://proceedings.mlr.press/v32/hutter14.html). A tree is constant on boxes, so its mean over all other
fields, and the variance of that, are sums over pairs of leaves: nothing is sampled.

Shapes: N trials, P fields, L leaves of a tree.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study.folder import Study

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
    n_trials: int
    epoch: int | None = None
    """Epoch at which the trials were compared; None where each had ended by itself."""

    def basis(self) -> str:
        """Return in words which trials were compared and when."""
        if self.epoch is None:
            return f"{self.n_trials} complete trials"
        return f"the {self.n_trials} trials, stopped ones too, that reached epoch {self.epoch}"

    def plain(self) -> dict[str, Any]:
        """Return the shares as plain Python values."""
        return {
            "basis": self.basis(),
            "fields": {name: of.plain() for name, of in self.fields.items()},
        }


def importance(study: Study) -> Shares:
    """Return what explains the objective of the study's trials; see :func:`shares_of`.

    Of the complete trials their figures count. Where a scheduler stopped more than half, too few are left
    and only of the best kind: then the trials count that reached the last epoch that half of all reached,
    each with its best figure up to there. Empty for a population: a segment owes its figure to the weights
    that it took over as well.
    """
    if study.spec.population is not None:
        return Shares({}, 0)
    ended = [row for row in study.rows() if row.state in (TrialState.COMPLETE, TrialState.STOPPED)]
    rows = [row for row in ended if row.value is not None]
    complete = [row for row in rows if row.state is TrialState.COMPLETE]
    if 2 * len(complete) >= len(rows):
        values = [row.value for row in complete if row.value is not None]
        return shares_of(study.spec.space, [row.params for row in complete], values)
    epoch = sorted((row.n_epochs for row in rows), reverse=True)[(len(rows) - 1) // 2]
    rows = [row for row in rows if row.n_epochs >= epoch]
    best = max if study.higher_is_better else min
    values = [
        best(of.metrics[study.objective] for of in study.epochs(row.number) if of.epoch <= epoch)
        for row in rows
    ]
    return replace(shares_of(study.spec.space, [row.params for row in rows], values), epoch=epoch)


def shares_of(space: Space, points: Sequence[Mapping[str, Any]], values: Sequence[float]) -> Shares:
    """Return the share of the variance of ``values`` [N] that each field explains alone.

    Fields that some point lacks are left out. Empty with fewer than four points or when all have the same
    value. What the shares lack to 1 is explained by several fields together. The range is that of the same
    estimate over bootstrap resamples of the points, and holds the estimate itself.
    """
    searched = [(name, of) for name, of in space if all(name in point for point in points)]
    if len(points) < LEAST_TRIALS or len(set(values)) == 1 or not searched:
        return Shares({}, len(points))
    places = np.array([[of.place(point[name]) for name, of in searched] for point in points])  # [N, P]
    targets = np.asarray(values, dtype=np.float64)
    found, chance = _decompose(places, targets, seed=0), random.Random(0)
    drawn = []
    for seed in range(1, N_RESAMPLES + 1):
        rows = chance.choices(range(len(targets)), k=len(targets))
        if len(set(targets[rows])) > 1:
            drawn.append(_decompose(places[rows], targets[rows], seed=seed))
    ends = np.quantile([found] if len(drawn) < 2 else drawn, [0.05, 0.95], axis=0)  # [2, P]
    fields = {
        searched[p][0]: Importance(
            float(found[p]), float(min(ends[0][p], found[p])), float(max(ends[1][p], found[p]))
        )
        for p in np.argsort(-found, kind="stable")
    }
    return Shares(fields, len(points))


def _decompose(places: Array, targets: Array, *, seed: int) -> Array:
    """Return the share of the variance that each field explains alone, [P]; the mean over trees."""
    from sklearn.ensemble import RandomForestRegressor

    n_fields = places.shape[1]
    forest = RandomForestRegressor(n_estimators=N_TREES, random_state=seed).fit(places, targets)
    shares = [_of_tree(*_leaves(tree.tree_, n_fields)) for tree in forest.estimators_]
    known = [share for share in shares if share is not None]
    return np.mean(known, axis=0) if known else np.zeros(n_fields)


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


def _of_tree(boxes: Array, values: Array) -> Array | None:
    """Return the shares of one tree, [P]; None where it is constant."""
    widths = boxes[:, :, 1] - boxes[:, :, 0]  # [L, P]
    volumes = widths.prod(axis=1)
    centred = values - volumes @ values
    variance = float(volumes @ centred**2)
    if variance <= 0:
        return None
    low = np.maximum(boxes[:, None, :, 0], boxes[None, :, :, 0])
    high = np.minimum(boxes[:, None, :, 1], boxes[None, :, :, 1])
    # How much more often two leaves meet in a field than if they lay there independently, [L, L, P].
    meets = np.clip(high - low, 0.0, None) / (widths[:, None] * widths[None])
    weights = np.outer(volumes * centred, volumes * centred)  # [L, L]
    shares: Array = np.maximum(0.0, np.einsum("ij,ijp->p", weights, meets) / variance)
    return shares
