"""What storing a network's matrices in int8 costs: its figures on validation before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from reeltune.data.features.assemble import query_features
from reeltune.data.prepared import TuningData
from reeltune.evaluation.leaderboard import FIGURES
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import per_query
from reeltune.models.base import SequenceNetwork

__all__ = ["measure_compression"]


def measure_compression(
    network: SequenceNetwork, stored: SequenceNetwork, data: TuningData
) -> dict[str, Any]:
    """Return the validation metrics of ``network``, of what is ``stored`` of it in int8, and their change."""
    queries = query_features(network.side.config, data, data.validation)
    before, after = rank_queries(network, queries), rank_queries(stored, queries)
    own, kept = ({label: float(per_query(r, label).mean()) for label in FIGURES} for r in (before, after))
    return {
        "weights": "int8",
        "n_queries": len(before),
        "float32": own,
        "stored": kept,
        "change": {label: kept[label] - own[label] for label in FIGURES},
        "share_of_ranks_moved": float(np.mean(before != after)),
    }
