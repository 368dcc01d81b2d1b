"""Takes the figures of an epoch that no rank of a target tells: of the lists, of size, of speed.

Shapes: M queries, K length of a list, V catalogue.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from reeltune.data.prepared import Queries, TuningData
from reeltune.data.sequences import query_batches
from reeltune.metrics.catalogue import coverage, novelty, surprise
from reeltune.metrics.measures import ChosenMeasure, parse_measure
from reeltune.models.base import SequenceNetwork
from reeltune.training.module import NextItemModule

__all__ = ["BYTES_PER_MEGABYTE", "Meter", "latency_ms", "model_megabytes"]

BYTES_PER_MEGABYTE = 1e6

N_TIMED = 16
"""People whose scoring is timed, from the shortest history to the longest."""


class Meter:
    """Takes the asked figures of a network after each validation."""

    def __init__(self, labels: Sequence[str], data: TuningData) -> None:
        """Prepare to take ``labels`` on the validation queries of ``data``; ranking metrics are left out."""
        self._measures: list[ChosenMeasure] = [m for m in map(parse_measure, labels) if not m.is_ranking]
        self.cuts = sorted({m.k for m in map(parse_measure, labels) if m.is_ranking and m.k is not None})
        self._data = data
        self._bits = surprise(_n_people(data), data.train.n_users)  # [V+1]

    @property
    def list_length(self) -> int:
        """How many movies of each query's list the figures need; 0 for none."""
        return max((m.k or 0 for m in self._measures), default=0)

    def figures(self, module: NextItemModule, known: Mapping[str, float]) -> dict[str, float]:
        """Return the figures of ``module`` after its validation.

        ``known`` holds those of the epoch before: the time of scoring is taken once, for training does
        not change it and a trial that goes on after a kill shall not report another.
        """
        taken = {}
        for measure in self._measures:
            lists = module.lists[:, : measure.k]
            if measure.name == "coverage":
                taken[measure.label] = coverage(lists, self._data.n_items)
            elif measure.name == "novelty":
                taken[measure.label] = novelty(lists, self._bits)
            elif measure.name == "model_megabytes":
                taken[measure.label] = model_megabytes(module.network)
            elif measure.label in known:
                taken[measure.label] = known[measure.label]
            else:
                taken[measure.label] = latency_ms(module.network, self._data.validation)
        return taken


def model_megabytes(network: SequenceNetwork) -> float:
    """Return the size of the weights, and of tables that scoring reads, in 10^6 bytes, uncompressed."""
    parts = (part.numel() * part.element_size() for part in network.state_dict().values())
    return float(sum(parts) / BYTES_PER_MEGABYTE)


def latency_ms(network: SequenceNetwork, queries: Queries) -> float:
    """Return the median milliseconds in which ``network`` scores the catalogue for one person.

    On the network's device, with the process's threads, over people from the shortest history to the
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
    device = next(network.parameters()).device
    seconds = []
    with torch.inference_mode():
        batches = [batch.histories.to(device) for batch in query_batches(some, batch_size=1)]
        network.scores(batches[-1]).cpu()  # the first call allocates
        for histories in batches:
            start = time.perf_counter()
            network.scores(histories).cpu()
            seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds)


def _n_people(data: TuningData) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return how many people have each movie in their training events, [V+1]."""
    users = np.repeat(np.arange(data.train.n_users), data.train.lengths)
    pairs = np.unique(users * (data.n_items + 1) + data.train.items)
    return np.bincount(pairs % (data.n_items + 1), minlength=data.n_items + 1)
