"""The lists that a scorer makes for a whole set of queries, a chunk at a time.

Shapes: M queries, V catalogue, K length of a list.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Queries
from reeltune.data.sequences import query_batches
from reeltune.metrics.catalogue import top_items
from reeltune.metrics.evaluate import evaluating
from reeltune.models.base import Scorer

__all__ = ["top_lists"]


def top_lists(scorer: Scorer, queries: Queries, k: int = 10, batch_size: int = 256) -> NDArray[np.int32]:
    """Return the k best movies of each query, best first, int32 of shape [M, K].

    Movies of the query's history are left out, its target too where it was seen before. A list
    that is shorter than k, because so few movies are left, ends in zeros. Of equal scores the
    smaller code comes first. Memory is that of one batch of scores, whatever M is.

    Raises:
        ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"cannot list {k} movies; ask for at least 1")
    lists = np.zeros((queries.n_queries, k), dtype=np.int32)
    with evaluating(scorer) as device:
        for batch in query_batches(queries, batch_size=batch_size):
            histories = batch.histories.to(device)
            best = top_items(scorer.scores(histories), histories.items, k).cpu().numpy()
            lists[batch.index.numpy(), : best.shape[1]] = best
    return lists
