"""What storing a network's matrices in int8 costs: its figures on validation before and after."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reeltune.data.features.assemble import query_features
from reeltune.data.prepared import TuningData
from reeltune.evaluation.leaderboard import FIGURES
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import per_query
from reeltune.models.base import SequenceNetwork

__all__ = ["Compression", "measure_compression"]


@dataclass(frozen=True)
class Compression:
    """Figures on validation with float32 weights and with those of the bundle."""

    weights: str
    n_queries: int
    float32: dict[str, float]
    stored: dict[str, float]
    change: dict[str, float]  # stored minus float32
    share_of_ranks_moved: float

    def plain(self) -> dict[str, Any]:
        """Return the figures as plain Python values."""
        return asdict(self)


def measure_compression(network: SequenceNetwork, stored: SequenceNetwork, data: TuningData) -> Compression:
    """Return the validation figures of ``network`` and of what is ``stored`` of it in int8."""
    queries = query_features(network.side.config, data, data.validation)
    before, after = rank_queries(network, queries), rank_queries(stored, queries)
    figures = [{label: float(per_query(r, label).mean()) for label in FIGURES} for r in (before, after)]
    return Compression(
        weights="int8",
        n_queries=len(before),
        float32=figures[0],
        stored=figures[1],
        change={label: figures[1][label] - figures[0][label] for label in FIGURES},
        share_of_ranks_moved=float(np.mean(before != after)),
    )
