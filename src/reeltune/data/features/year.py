"""Years of release as soft membership in decades.

Shapes: V catalogue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Catalogue

__all__ = ["KNOTS", "year_table"]

KNOTS = np.arange(1920, 2041, 10)
"""Years at which one column is 1 and its neighbours are 0."""


def year_table(catalogue: Catalogue) -> NDArray[np.float32]:
    """Return hat functions of the year at :data:`KNOTS`, shape [V+1, 13].

    A year between two knots is shared by both in proportion, so that a linear layer on top draws any
    line with corners at the decades. Years outside are clipped; an unknown year is a row of zeros.
    """
    years = np.array((0, *catalogue.years), dtype=np.float64)  # [V+1]
    clipped = np.clip(years, KNOTS[0], KNOTS[-1])
    distance = np.abs(clipped[:, None] - KNOTS) / 10  # [V+1, 13]
    table = np.maximum(0.0, 1.0 - distance)
    table[years == 0] = 0.0
    return table.astype(np.float32)
