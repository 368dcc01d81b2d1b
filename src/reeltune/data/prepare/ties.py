"""Rules for the order of events that share their time: the same data, other targets.

Shapes: N rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Interactions

__all__ = ["TIE_RULES", "order_keys"]

TIE_RULES: dict[str, str] = {
    "file": "stable sort by (user, timestamp); ties stay in file order",
    "movie": "stable sort by (user, timestamp, movie id)",
    "float32": "stable sort by (user, timestamp rounded to float32); ties stay in file order",
}
"""The rules by name, as ledgers tell them."""


def order_keys(
    rule: str, rows: Interactions, user: NDArray[np.int32], item: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Return the number by which each user's rows are sorted, stably, [N].

    Where the data give ranks, these are the order by ``file``. Another rule needs the seconds: a user one of
    whose rows has none keeps that order.

    Args:
        rule: Name in :data:`TIE_RULES`.
        rows: Rows in file order.
        user: Codes, [N].
        item: Codes in the order of the movies' ids, [N].
    """
    known = rows.timestamp if rows.rank is None else rows.rank
    if rule == "file":
        return known
    is_untimed = np.zeros(int(user.max()) + 1, dtype=bool)
    is_untimed[user[rows.timestamp < 0]] = True
    if rule == "float32":  # what RecBole reads: at 1e9 seconds, neighbours are 64 apart
        key = rows.timestamp.astype(np.float32).astype(np.int64)
    else:
        key = np.empty(len(user), dtype=np.int64)
        key[np.lexsort((item, rows.timestamp))] = np.arange(len(user))
    return np.where(is_untimed[user], known, key)
