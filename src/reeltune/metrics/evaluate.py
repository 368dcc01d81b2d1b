"""Ranks, lists and costs of a scorer: the one function that makes each, and both for a whole set of queries.

Shapes: B batch, T steps, M queries, V catalogue, K length of a list.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltune.data.prepared import PAD, Queries
from reeltune.data.sequences import query_batches
from reeltune.errors import DivergedError
from reeltune.models.base import Scorer
from reeltune.models.baselines.base import Baseline

_BYTES_PER_MEGABYTE = 1e6

_N_TIMED = 16
"""Users whose scoring is timed, from the shortest history to the longest."""


def target_ranks(scores: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
    """Return the rank of each target among the movies not seen, 1 is best, int64 of shape [B].

    Ties count against the target (pessimistic): the rank is 1 plus the number of other unseen
    movies that do not score less. So a constant scorer ranks every target last, and a score that is
    not a number never helps. A target that was seen before stays a candidate.

    Args:
        scores: [B, V+1] float; column 0 (padding) is no candidate.
        targets: [B] int64, 1..V.
        seen: [B, T] int64, movies to remove; padding is ignored, repetitions do no harm.

    Raises:
        DivergedError: A target's score is not finite.
    """
    at_target = scores.gather(1, targets[:, None])  # [B, 1]
    if not bool(torch.isfinite(at_target).all()):
        bad = at_target[~torch.isfinite(at_target)][0].item()
        raise DivergedError(f"the score of a target is {bad}, not a finite number; lower the learning rate")
    is_candidate = torch.ones_like(scores, dtype=torch.bool)  # [B, V+1]
    is_candidate[:, PAD] = False
    is_candidate.scatter_(1, seen, value=False)
    is_candidate.scatter_(1, targets[:, None], value=False)
    return 1 + (is_candidate & ~(scores < at_target)).sum(dim=1)


def top_items(scores: Tensor, seen: Tensor, k: int) -> Tensor:
    """Return the ``k`` best movies that are not ``seen``, best first, int64 of shape [B, K].

    Where fewer than ``k`` are left the row ends in PAD. Of equal scores the smaller code comes first.

    Args:
        scores: [B, V+1] float; column 0 (padding) is no candidate.
        seen: [B, T] int64, movies to remove; padding is ignored.
        k: Length of a list, cut to the catalogue.
    """
    hidden = scores.scatter(1, seen, -torch.inf)
    hidden[:, PAD] = -torch.inf
    n = min(k, scores.shape[1] - 1)
    values, items = hidden.topk(n, dim=1)
    # The library leaves open which of equal scores it takes: rows with a tie at the border are sorted whole.
    is_cut = (hidden >= values[:, -1:]).sum(dim=1) > n
    if bool(is_cut.any()):
        values[is_cut], items[is_cut] = (
            part[:, :n] for part in hidden[is_cut].sort(dim=1, descending=True, stable=True)
        )
    items, order = items.sort(dim=1)
    values, by_value = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return items.gather(1, by_value).where(values > -torch.inf, PAD)


def rank_queries(scorer: Scorer, queries: Queries, batch_size: int = 256) -> NDArray[np.int32]:
    """Return the rank of each query's target in the whole catalogue, int32 of shape [M].

    Movies in the query's history are removed; see :func:`target_ranks` for ties. Memory is that of
    one batch of scores, ``4 * batch_size * (V + 1)`` bytes, whatever M is.

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


def top_lists(scorer: Scorer, queries: Queries, k: int = 10, batch_size: int = 256) -> NDArray[np.int32]:
    """Return the k best movies of each query, best first, int32 of shape [M, K]; see :func:`top_items`.

    Movies of the query's history are left out, its target too where it was seen before. Memory is
    that of one batch of scores, whatever M is.

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


def model_megabytes(model: nn.Module | Baseline) -> float:
    """Return the size of the weights, and of tables that scoring reads, in 10^6 bytes, uncompressed."""
    parts = model.state_dict() if isinstance(model, nn.Module) else model.tables()
    return float(sum(part.nbytes for part in parts.values()) / _BYTES_PER_MEGABYTE)


def latency_ms(scorer: Scorer, queries: Queries) -> float:
    """Return the median milliseconds in which ``scorer`` scores the catalogue for one user.

    On a network's own device, with the process's threads, over users from the shortest history to the
    longest. Other work on the machine shows in it.
    """
    order = np.argsort(queries.end - queries.sequences.offsets[queries.user], kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(_N_TIMED, len(order))).astype(np.int64)]
    seconds = []
    with evaluating(scorer) as device:
        batches = [
            batch.histories.to(device) for batch in query_batches(queries.select(chosen), batch_size=1)
        ]
        scorer.scores(batches[-1]).cpu()  # the first call allocates
        for histories in batches:
            start = time.perf_counter()
            scorer.scores(histories).cpu()
            seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds)
