"""Errors and decisions of predicted stars with intervals over users.

Shapes: S seeds, M questions, U users, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.evaluation.compare import Interval, portions
from reeltune.metrics.rating import STAR_CLASSES, Stars, check_stars, star_classes
from reeltune.seeding import derive

N_DRAWS = 2000
"""Resamples of the users; the area under the curve is sorted again in each."""

Array = NDArray[np.float64]
Rows = NDArray[np.integer]
Sums = Mapping[str, Array]


def _share(above: Array, below: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return above / below


def _mcc(s: Sums) -> Array:
    tn, fp, fn, tp = s["tn"], s["fp"], s["fn"], s["tp"]
    return _share(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


FIGURES: dict[str, Callable[[Sums], Array]] = {
    "rmse": lambda s: np.sqrt(s["squared"] / s["n"]),
    "mae": lambda s: s["absolute"] / s["n"],
    "accuracy": lambda s: (s["tp"] + s["tn"]) / s["n"],
    "precision": lambda s: _share(s["tp"], s["tp"] + s["fp"]),
    "recall": lambda s: _share(s["tp"], s["tp"] + s["fn"]),
    "f1": lambda s: _share(2 * s["tp"], 2 * s["tp"] + s["fp"] + s["fn"]),
    "mcc": _mcc,
    "star_accuracy": lambda s: s["right"] / s["n"],
}
"""Figures as functions of sums over questions; formulas in :func:`reeltune.metrics.rating.decide`."""


def decision_intervals(
    predicted: NDArray[np.float32],
    actual: NDArray[np.float32],
    users: NDArray[np.int64],
    *,
    threshold: float,
    classes: Sequence[float] = STAR_CLASSES,
    seed: int = 0,
) -> dict[str, Interval | None]:
    """Return each figure of :data:`FIGURES` and ``roc_auc``: the mean over seeds, its interval over users.

    People are drawn again with all their questions (percentile bootstrap). A figure that has no meaning,
    such as the precision where nothing is predicted as liked, is None; resamples without are left out.

    Args:
        predicted: Stars, [S, M].
        actual: Stars, [M].
        users: Whose question each is, [M].
        threshold: Rating from which a movie counts as liked.
        classes: Values to which ratings are rounded, rising.
        seed: Origin of the draws.

    Raises:
        ValueError: There are no predictions, the lengths differ, or a value is not finite.
    """
    for row in predicted:
        check_stars(row, actual)
    _, user = np.unique(users, return_inverse=True)
    n_users = int(user.max()) + 1
    each = [_sums(row, actual, user, threshold, classes) for row in predicted]
    rng = np.random.default_rng(derive(seed, "decisions"))
    drawn = rng.multinomial(n_users, np.full(n_users, 1 / n_users), size=N_DRAWS).astype(np.float64)  # [R, U]
    found: dict[str, Interval | None] = {}
    for name, figure in FIGURES.items():
        values = np.mean([figure({key: of.sum() for key, of in sums.items()}) for sums in each])
        resampled = np.mean([figure({key: drawn @ of for key, of in sums.items()}) for sums in each], axis=0)
        found[name] = _interval(float(values), resampled)
    once = np.ones((1, n_users))
    areas = [_areas(row, actual >= threshold, user, once)[0] for row in predicted]
    drawn_areas = [_areas(row, actual >= threshold, user, drawn) for row in predicted]
    found["roc_auc"] = _interval(float(np.mean(areas)), np.mean(drawn_areas, axis=0))
    return found


def _sums(
    predicted: Stars, actual: Stars, user: Rows, threshold: float, classes: Sequence[float]
) -> dict[str, Array]:
    """Return what the figures are made of, summed over each user's questions, [U] each."""
    liked, guess = actual >= threshold, predicted >= threshold
    away = predicted.astype(np.float64) - actual
    columns: dict[str, Any] = {
        "n": np.ones(len(actual)),
        "squared": away**2,
        "absolute": np.abs(away),
        "tp": liked & guess,
        "fp": ~liked & guess,
        "fn": liked & ~guess,
        "tn": ~liked & ~guess,
        "right": star_classes(predicted, classes) == star_classes(actual, classes),
    }
    sums: dict[str, Array] = {}
    for name, of in columns.items():
        sums[name] = np.bincount(user, weights=of.astype(np.float64)).astype(np.float64)
    return sums


def _areas(predicted: Stars, liked: NDArray[np.bool_], user: Rows, drawn: Array) -> Array:
    """Return the area under the ROC curve of each resample, [R]; ties count half."""
    order = np.argsort(predicted, kind="stable")
    user, liked = user[order], liked[order]
    starts = np.flatnonzero(np.r_[True, np.diff(predicted[order]) > 0])  # of equal predictions
    areas = []
    first = 0
    for n in portions(len(drawn), 2 * len(order)):
        weights = drawn[first : first + n, user]  # [n, M]
        first += n
        yes = np.add.reduceat(weights * liked, starts, axis=1)
        no = np.add.reduceat(weights * ~liked, starts, axis=1)
        below = np.cumsum(no, axis=1) - no / 2
        areas.append(_share((yes * below).sum(axis=1), yes.sum(axis=1) * no.sum(axis=1)))
    return np.concatenate(areas)


def _interval(value: float, resampled: Array) -> Interval | None:
    known = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or not len(known):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(value, float(low), float(high))
