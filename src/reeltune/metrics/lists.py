"""The lists that a scorer makes, a chunk of queries at a time.

Shapes: B batch, M queries, V catalogue, k length of a list.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltune.data.prepared import PAD, Queries
from reeltune.data.sequences import query_batches
from reeltune.metrics.evaluate import evaluating
from reeltune.models.base import Scorer

__all__ = ["best_items", "top_lists"]


def top_lists(scorer: Scorer, queries: Queries, k: int = 10, batch_size: int = 256) -> NDArray[np.int32]:
    """Return the k best movies of each query, best first, int32 of shape [M, k].

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
            scores = scorer.scores(histories).scatter(1, histories.items, float("-inf"))  # [B, V+1]
            lists[batch.index.numpy()] = best_items(scores, k).cpu().numpy()
    return lists


def best_items(scores: Tensor, k: int) -> Tensor:
    """Return the k best columns of ``scores`` [B, V+1], best first, int64 of shape [B, k].

    Column 0 and minus infinity are no candidates; where fewer than k are left, zeros follow. Of
    equal scores the smaller column comes first.
    """
    scores = scores.clone()
    scores[:, PAD] = float("-inf")
    n = min(k, scores.shape[1] - 1)
    values, items = scores.topk(n, dim=1)
    # The library leaves open which of equal scores it takes: rows with a tie at the border are sorted whole.
    is_cut = (scores >= values[:, -1:]).sum(dim=1) > n
    if bool(is_cut.any()):
        values[is_cut], items[is_cut] = (
            part[:, :n] for part in scores[is_cut].sort(dim=1, descending=True, stable=True)
        )
    items, order = items.sort(dim=1)
    values, by_value = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    items = items.gather(1, by_value).masked_fill(values == float("-inf"), PAD)
    return torch.nn.functional.pad(items, (0, k - n), value=PAD)
