"""What a search was worth: how much quality each halving of its budget would have cost."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from reeltune.errors import ConfigError


def expected_best(values: Sequence[float], n: int, *, higher_is_better: bool = True) -> float:
    """Return the best that ``n`` trials, drawn without replacement from ``values``, show on average.

    Exact, by order statistics; after Dodge et al. (2019, "Show your work"), who draw with replacement.

    >>> expected_best([1.0, 2.0, 3.0], 1), expected_best([1.0, 2.0, 3.0], 3)
    (2.0, 3.0)

    Raises:
        ConfigError: ``n`` is below 1 or above the number of values.
    """
    if not 1 <= n <= len(values):
        raise ConfigError(f"cannot draw {n} of {len(values)} trials; draw at least 1 and at most all")
    ordered = sorted(values, reverse=not higher_is_better)
    total = comb(len(ordered), n)
    return sum(value * comb(place, n - 1) for place, value in enumerate(ordered)) / total


def budget_curve(values: Sequence[float], higher_is_better: bool = True) -> list[tuple[int, float]]:
    """Return what budgets of 1, 2, 4, ... and all trials reach on average, smallest budget first."""
    sizes, n = [], len(values)
    while n >= 1:
        sizes.append(n)
        n //= 2
    return [(n, expected_best(values, n, higher_is_better=higher_is_better)) for n in reversed(sizes)]
