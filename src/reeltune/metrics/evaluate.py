"""Ranks of a whole set of queries, a chunk at a time.

Shapes: B batch, T steps, M queries, V catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reeltune.data.prepared import Queries
from reeltune.data.sequences import query_batches
from reeltune.metrics.ranks import target_ranks
from reeltune.models.base import Scorer

__all__ = ["evaluating", "rank_queries"]


def rank_queries(scorer: Scorer, queries: Queries, batch_size: int = 256) -> NDArray[np.int32]:
    """Return the rank of each query's target in the whole catalogue, int32 of shape [M].

    Movies in the query's history are removed; see :func:`target_ranks` for ties. Memory is that of
    one batch of scores, ``4 * batch_size * (V + 1)`` bytes, whatever M is.

    Args:
        scorer: A network (evaluated without dropout, on its own device) or a baseline.
        queries: Histories and targets.
        batch_size: Queries scored at once.

    Raises:
        DivergedError: A target's score is not finite.
    """
    ranks = np.zeros(queries.n_queries, dtype=np.int32)
    with evaluating(scorer) as device:
        for batch in query_batches(queries, batch_size=batch_size):
            histories = batch.histories.to(device)
            scores = scorer.scores(histories)  # [B, V+1]
            ranked = target_ranks(scores, batch.targets.to(device), histories.items)
            ranks[batch.index.numpy()] = ranked.cpu().numpy()
    return ranks


@contextmanager
def evaluating(scorer: Scorer) -> Iterator[torch.device]:
    """Switch off gradients and, for a network, dropout; yield the device of its parameters."""
    if not isinstance(scorer, nn.Module):
        with torch.inference_mode():
            yield torch.device("cpu")
        return
    was_training = scorer.training
    scorer.eval()
    try:
        with torch.inference_mode():
            yield next(scorer.parameters()).device
    finally:
        scorer.train(was_training)
