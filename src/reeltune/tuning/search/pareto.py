"""Trade-offs between several objectives: fronts, knee, hypervolume. Smaller is better throughout.

Shapes: N points, M objectives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Point = Sequence[float]


def dominates(first: Point, second: Point) -> bool:
    """Return whether ``first`` is nowhere worse than ``second`` and somewhere better.

    >>> dominates((1, 2), (1, 3)), dominates((1, 2), (2, 1))
    (True, False)
    """
    pairs = list(zip(first, second, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def front_ranks(points: Sequence[Point], violations: Sequence[float] | None = None) -> list[int]:
    """Return the front of each point: 0 where none dominates it, 1 where only those of front 0 do, ...

    Non-dominated sorting with constrained domination (Deb et al., 2002, NSGA-II): a point that keeps
    all limits dominates one that breaks some, and of two that break some the smaller violation does.

    Args:
        points: N points of M losses.
        violations: By how much each breaks its limits, 0 for not; None where there are no limits.
    """
    n = len(points)
    broken = [0.0] * n if violations is None else list(violations)

    def beats(i: int, j: int) -> bool:
        if broken[i] > 0 or broken[j] > 0:
            return broken[i] < broken[j]
        return dominates(points[i], points[j])

    ranks, left, rank = [0] * n, set(range(n)), 0
    while left:
        front = {j for j in left if not any(beats(i, j) for i in left)}
        for j in front:
            ranks[j] = rank
        left, rank = left - front, rank + 1
    return ranks


def knee_order(points: Sequence[Point]) -> list[int]:
    """Return the places of the points of one front, the knee first.

    Each loss is scaled to 0..1 between the front's best and worst. The knee is the point farthest
    below the plane through the extremes (Das, 1999, https://doi.org/10.1007/BF01195985): where a step in any
    direction costs more in one objective than it brings in the others. Of equals the better first
    objective, then the earlier point, comes first.

    >>> knee_order([(0.0, 1.0), (0.1, 0.2), (1.0, 0.0)])[0]
    1
    """
    if not points:
        return []
    array = np.array(points, dtype=np.float64)  # [N, M]
    low, high = array.min(axis=0), array.max(axis=0)
    scaled = (array - low) / np.where(high > low, high - low, 1.0)
    height = np.round(scaled.sum(axis=1), 12)
    return sorted(range(len(points)), key=lambda i: (height[i], array[i, 0], i))


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Return the volume that ``points`` dominate below ``reference`` (Zitzler and Thiele, 1998).

    Exact, by slicing along the last objective; points beyond the reference add nothing.

    >>> hypervolume([(0.0, 0.5), (0.5, 0.0)], (1.0, 1.0))
    0.75
    """
    array = np.array([p for p in points if all(a < b for a, b in zip(p, reference, strict=True))])
    return _volume(array, np.array(reference, dtype=np.float64)) if len(array) else 0.0


def _volume(points: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    if points.shape[1] == 1:
        return float(reference[0] - points.min())
    order = np.argsort(points[:, -1], kind="stable")
    points = points[order]
    heights = np.append(points[:, -1], reference[-1])
    total = 0.0
    for n in range(1, len(points) + 1):
        thickness = float(heights[n] - heights[n - 1])
        if thickness > 0:
            total += thickness * _volume(points[:n, :-1], reference[:-1])
    return total
