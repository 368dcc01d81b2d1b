"""Ids of users and movies to codes, and back.

Shapes: N rows, V distinct ids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids

__all__ = ["encode", "id_texts"]

_DENSE_FACTOR = 8  # a table of this many entries a row costs less than sorting the rows


def encode(ids: Ids) -> tuple[NDArray[np.int32], Ids]:
    """Return the code of each row, counted from 0, and the distinct ids in rising order.

    Numbers are ordered by value and text by code points, so the codes do not depend on
    the order of the rows.

    Args:
        ids: Whole numbers or text, shape [N].

    Returns:
        Codes of shape [N] and ids of shape [V] with ``distinct[codes] == ids``.

    >>> codes, distinct = encode(np.array([30, 10, 30]))
    >>> codes.tolist(), distinct.tolist()
    ([1, 0, 1], [10, 30])
    """
    if ids.dtype == object:
        return _encode_text(ids)
    low, high = int(ids.min()), int(ids.max())
    if high - low > _DENSE_FACTOR * len(ids) + 1024:
        distinct, codes = np.unique(ids, return_inverse=True)
        return codes.astype(np.int32), distinct
    present = np.zeros(high - low + 1, dtype=bool)
    present[ids - low] = True
    lookup = np.cumsum(present, dtype=np.int32) - 1
    distinct = np.flatnonzero(present).astype(ids.dtype) + low
    return lookup[ids - low], distinct


def id_texts(ids: Ids) -> tuple[str, ...]:
    """Return ids as text."""
    return tuple(map(str, ids.tolist()))


def _encode_text(ids: Ids) -> tuple[NDArray[np.int32], Ids]:
    import pyarrow as pa

    found = pa.array(ids, type=pa.large_string()).dictionary_encode()
    names = np.array(found.dictionary.to_pylist(), dtype=object)
    order = np.argsort(names, kind="stable")
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[found.indices.to_numpy()], names[order]
