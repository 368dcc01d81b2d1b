"""Predicted stars: their errors, and as decisions: like or dislike at a threshold, and classes of stars.

A movie is liked from ``threshold`` stars on, in truth and in prediction. Beside every figure stands
that of the majority class, which an accuracy means nothing without.

Shapes: M predictions, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Stars = NDArray[np.floating]

DEFAULT_THRESHOLD = 4.0
"""Stars from which a movie counts as liked; what most papers on MovieLens use."""

STAR_CLASSES = (1.0, 2.0, 3.0, 4.0, 5.0)
"""Classes of the star matrix; those of another scale are :attr:`reeltune.data.scale.RatingScale.classes`."""

_N_BINS = 10


def rating_errors(predicted: Stars, actual: Stars) -> dict[str, float]:
    """Return ``rmse``, the root of the mean squared error, and ``mae``, the mean absolute error, in stars.

    Computed by torchmetrics in double precision.

    >>> rating_errors(np.array([3.0, 5.0]), np.array([4.0, 4.0]))
    {'rmse': 1.0, 'mae': 1.0}

    Raises:
        ValueError: There are no predictions, the lengths differ, or a value is not finite.
    """
    from torchmetrics.functional.regression import mean_absolute_error, mean_squared_error

    check_stars(predicted, actual)
    mine, true = (torch.from_numpy(np.asarray(values, dtype=np.float64)) for values in (predicted, actual))
    return {
        "rmse": float(mean_squared_error(mine, true, squared=False)),
        "mae": float(mean_absolute_error(mine, true)),
    }


def check_stars(predicted: Stars, actual: Stars) -> None:
    """Check that two arrays of stars can be compared.

    Raises:
        ValueError: There are no predictions, the lengths differ, or a value is not finite.
    """
    if len(predicted) != len(actual):
        raise ValueError(f"{len(predicted)} predictions for {len(actual)} ratings; give one for each")
    if not len(actual):
        raise ValueError("no predictions: the error of none is undefined")
    for name, values in (("prediction", predicted), ("rating", actual)):
        if not np.isfinite(values).all():
            bad = values[~np.isfinite(values)][0]
            raise ValueError(f"a {name} is {bad}, not a finite number of stars; leave such rows out")


@dataclass(frozen=True)
class Calibration:
    """A bin of predictions: how many were liked against what was predicted."""

    low: float  # stars, the bin holds low <= prediction < high
    high: float
    n: int
    mean_predicted: float  # stars
    mean_actual: float  # stars
    share_liked: float


@dataclass(frozen=True)
class Decisions:
    """Figures of like/dislike decisions. A figure that has no meaning for the data is None."""

    threshold: float
    n: int
    accuracy: float
    precision: float | None  # of those predicted as liked, how many were; None where none was predicted
    recall: float | None  # of those liked, how many were predicted; None where none was liked
    f1: float | None
    mcc: float | None  # Matthews correlation; None where a row or column of the matrix is empty
    roc_auc: float | None  # None where all or none were liked
    matrix: tuple[tuple[int, int], tuple[int, int]]
    """Rows: actually disliked, liked. Columns: predicted as disliked, liked."""
    star_matrix: tuple[tuple[int, ...], ...]
    """Rows: actual class of stars. Columns: predicted class."""
    star_accuracy: float
    majority: dict[str, float | None]
    """The same figures for always deciding for the more frequent class."""
    majority_star_accuracy: float
    calibration: tuple[Calibration, ...]  # bins with predictions only
    calibration_error: float
    """Mean distance in stars of predicted and actual mean over the bins, weighted by their predictions."""
    classes: tuple[float, ...] = STAR_CLASSES
    """Ratings that the rows and columns of ``star_matrix`` stand for."""

    def plain(self) -> dict[str, Any]:
        """Return the figures as plain Python values that JSON gives back unchanged."""
        return asdict(self) | {
            "matrix": [list(row) for row in self.matrix],
            "star_matrix": [list(row) for row in self.star_matrix],
            "classes": list(self.classes),
            "calibration": [asdict(part) for part in self.calibration],
        }


def decide(
    predicted: Stars,
    actual: Stars,
    threshold: float = DEFAULT_THRESHOLD,
    classes: Sequence[float] = STAR_CLASSES,
) -> Decisions:
    """Return the figures of the decisions that ``predicted`` [M] stars make about ``actual`` [M] ones.

    ``accuracy = (TP + TN) / M``, ``precision = TP / (TP + FP)``, ``recall = TP / (TP + FN)``,
    ``f1 = 2 TP / (2 TP + FP + FN)``, ``mcc = (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN))``, and
    ROC AUC the chance that a liked movie has more predicted stars than a disliked one, ties half.

    ``classes`` are the values to which ratings are rounded for the star matrix, rising.

    Raises:
        ValueError: There are no predictions, the lengths differ, or a value is not finite.
    """
    check_stars(predicted, actual)
    is_liked, is_predicted = actual >= threshold, predicted >= threshold
    stars = star_matrix(predicted, actual, classes)
    in_class = stars.sum(axis=1)
    bins = _calibration(predicted, is_liked, actual)
    return Decisions(
        threshold=threshold,
        n=len(actual),
        **_figures(is_predicted, is_liked),
        roc_auc=_roc_auc(predicted, is_liked),
        matrix=_matrix(is_predicted, is_liked),
        star_matrix=tuple(map(tuple, stars.tolist())),
        star_accuracy=float(np.trace(stars) / len(actual)),
        majority=_figures(np.full(len(actual), 2 * is_liked.sum() >= len(actual)), is_liked),
        majority_star_accuracy=float(in_class.max() / len(actual)),
        calibration=bins,
        calibration_error=sum(b.n * abs(b.mean_predicted - b.mean_actual) for b in bins) / len(actual),
        classes=tuple(classes),
    )


def star_matrix(
    predicted: Stars, actual: Stars, classes: Sequence[float] = STAR_CLASSES
) -> NDArray[np.int64]:
    """Return how often each class of stars (row) was predicted as each class (column), [K, K].

    A class is the nearest one, halves upwards; what lies beyond the ends belongs to the end.
    """
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(matrix, (star_classes(actual, classes), star_classes(predicted, classes)), 1)
    return matrix


def star_classes(stars: Stars, classes: Sequence[float] = STAR_CLASSES) -> NDArray[np.int64]:
    """Return the place among ``classes`` of each value's class, [M]; see :func:`star_matrix`."""
    ends = np.asarray(classes, dtype=np.float64)
    middles = (ends[1:] + ends[:-1]) / 2
    return np.searchsorted(middles, np.asarray(stars, dtype=np.float64), side="right")


def _matrix(
    is_predicted: NDArray[np.bool_], is_liked: NDArray[np.bool_]
) -> tuple[tuple[int, int], tuple[int, int]]:
    def count(liked: bool, predicted: bool) -> int:
        return int(((is_liked == liked) & (is_predicted == predicted)).sum())

    return (count(False, False), count(False, True)), (count(True, False), count(True, True))


def _figures(is_predicted: NDArray[np.bool_], is_liked: NDArray[np.bool_]) -> dict[str, Any]:
    (tn, fp), (fn, tp) = _matrix(is_predicted, is_liked)
    bottom = float(tp + fp) * float(tp + fn) * float(tn + fp) * float(tn + fn)
    return {
        "accuracy": (tp + tn) / (tp + tn + fp + fn),
        "precision": tp / (tp + fp) if tp + fp else None,
        "recall": tp / (tp + fn) if tp + fn else None,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None,
        "mcc": float((tp * tn - fp * fn) / np.sqrt(bottom)) if bottom else None,
    }


def _roc_auc(predicted: Stars, is_liked: NDArray[np.bool_]) -> float | None:
    from scipy.stats import rankdata

    n_liked = int(is_liked.sum())
    n_other = len(is_liked) - n_liked
    if not n_liked or not n_other:
        return None
    ranks = rankdata(predicted)  # ties share their mean rank
    return float((ranks[is_liked].sum() - n_liked * (n_liked + 1) / 2) / (n_liked * n_other))


def _calibration(predicted: Stars, is_liked: NDArray[np.bool_], actual: Stars) -> tuple[Calibration, ...]:
    edges = np.linspace(STAR_CLASSES[0], STAR_CLASSES[-1], _N_BINS + 1)
    code = np.clip(np.digitize(predicted, edges) - 1, 0, _N_BINS - 1)  # [M]
    bins = []
    for k in np.unique(code):
        inside = code == k
        bins.append(
            Calibration(
                low=float(edges[k]),
                high=float(edges[k + 1]),
                n=int(inside.sum()),
                mean_predicted=float(np.mean(predicted[inside], dtype=np.float64)),
                mean_actual=float(np.mean(actual[inside], dtype=np.float64)),
                share_liked=float(is_liked[inside].mean()),
            )
        )
    return tuple(bins)
