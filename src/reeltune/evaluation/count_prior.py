"""The weight of the count prior, chosen for a trained network on validation: training does not see it.

Shapes: M queries, W weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reeltune.data.features.assemble import query_features
from reeltune.data.prepared import TuningData
from reeltune.data.sequences import query_batches
from reeltune.metrics.evaluate import target_ranks
from reeltune.metrics.registry import ChosenMetric, per_query
from reeltune.models.base import SequenceNetwork
from reeltune.models.prior import CountPrior
from reeltune.seeding import derive

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Weights that are tried; 0 is the network alone."""


@dataclass(frozen=True)
class PriorChoice:
    """The weight that does best on validation, and an estimate that this choice does not flatter."""

    weight: float
    values: dict[str, float]  # by weight, the mean of the objective over all queries
    cross_fitted: float  # each half of the users judged at the weight that the other half chose

    def plain(self) -> dict[str, Any]:
        """Return the choice as plain Python values."""
        return asdict(self)


def choose_weight(
    network: SequenceNetwork, data: TuningData, objective: ChosenMetric, *, seed: int
) -> PriorChoice:
    """Return the weight of the count prior with the best objective on the validation queries.

    Args:
        network: A trained network; its own prior is left aside.
        data: What it was trained and is validated on.
        objective: A metric of ranks.
        seed: Origin of the two halves of the users.
    """
    ranks = ranks_by_weight(network, data)
    values = np.stack([per_query(found, objective.label) for found in ranks.values()])  # [W, M]
    if not objective.higher_is_better:
        values = -values
    users, row = np.unique(data.validation.user, return_inverse=True)
    is_first = np.zeros(len(users), dtype=bool)
    order = np.random.default_rng(derive(seed, "halves")).permutation(len(users))
    is_first[order[: len(users) // 2]] = True
    total = 0.0
    for mine in (is_first[row], ~is_first[row]):  # [M]
        chosen = values[:, ~mine].mean(axis=1).argmax() if not mine.all() else 0
        total += float(values[chosen, mine].sum())
    means = values.mean(axis=1)
    sign = 1.0 if objective.higher_is_better else -1.0
    return PriorChoice(
        weight=list(ranks)[int(means.argmax())],
        values={f"{weight:g}": sign * float(mean) for weight, mean in zip(ranks, means, strict=True)},
        cross_fitted=sign * total / values.shape[1],
    )


def ranks_by_weight(
    network: SequenceNetwork, data: TuningData, weights: Sequence[float] = WEIGHTS
) -> dict[float, NDArray[np.int32]]:
    """Return the validation ranks [M] at each weight of the prior, counted on the training events.

    One pass of the network serves all weights.
    """
    queries = query_features(network.side.config, data, data.validation)
    network.prior = None
    prior = CountPrior(1.0, data.n_items)
    prior.fill(data.train)
    ranks = {weight: np.zeros(queries.n_queries, dtype=np.int32) for weight in weights}
    with torch.inference_mode():
        for batch in query_batches(queries, batch_size=256):
            scores, logs = network.scores(batch.histories), prior(batch.histories)
            for weight, found in ranks.items():
                ranked = target_ranks(scores + weight * logs, batch.targets, batch.histories.items)
                found[batch.index.numpy()] = ranked.numpy()
    return ranks
