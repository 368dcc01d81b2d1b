"""What a scorer costs: its size and the time in which it scores."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median

import numpy as np
from torch import nn

from reeltune.data.prepared import Queries
from reeltune.data.sequences import query_batches
from reeltune.metrics.evaluate import evaluating
from reeltune.models.base import Scorer
from reeltune.models.baselines.base import Baseline

__all__ = ["BYTES_PER_MEGABYTE", "latency_ms", "model_megabytes"]

BYTES_PER_MEGABYTE = 1e6

N_TIMED = 16
"""Users whose scoring is timed, from the shortest history to the longest."""


def model_megabytes(model: nn.Module | Baseline) -> float:
    """Return the size of the weights, and of tables that scoring reads, in 10^6 bytes, uncompressed."""
    parts = model.state_dict() if isinstance(model, nn.Module) else model.tables()
    return float(sum(part.nbytes for part in parts.values()) / BYTES_PER_MEGABYTE)


def latency_ms(scorer: Scorer, queries: Queries) -> float:
    """Return the median milliseconds in which ``scorer`` scores the catalogue for one user.

    On a network's own device, with the process's threads, over users from the shortest history to the
    longest. Other work on the machine shows in it.
    """
    order = np.argsort(queries.end - queries.sequences.offsets[queries.user], kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(N_TIMED, len(order))).astype(np.int64)]
    some = replace(
        queries,
        user=queries.user[chosen],
        end=queries.end[chosen],
        target=queries.target[chosen],
        target_rating=queries.target_rating[chosen],
        target_timestamp=queries.target_timestamp[chosen],
    )
    seconds = []
    with evaluating(scorer) as device:
        batches = [batch.histories.to(device) for batch in query_batches(some, batch_size=1)]
        scorer.scores(batches[-1]).cpu()  # the first call allocates
        for histories in batches:
            start = time.perf_counter()
            scorer.scores(histories).cpu()
            seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds)
