"""The weight of the count prior is chosen on validation, and judged on users that did not choose it."""

import numpy as np
import pytest

from reeltune.evaluation import count_prior as module
from reeltune.evaluation.count_prior import choose_weight
from reeltune.metrics.registry import parse_metric, per_query


def test_each_half_is_judged_at_the_weight_that_the_other_chose(tiny_data, monkeypatch):
    rng = np.random.default_rng(3)
    n = tiny_data.validation.n_queries
    ranks = {weight: rng.integers(1, 30, n).astype(np.int32) for weight in (0.0, 1.0, 2.0)}
    monkeypatch.setattr(module, "ranks_by_weight", lambda *_: ranks)
    objective = parse_metric("ndcg@10")
    found = choose_weight(None, tiny_data, objective, seed=1)
    values = {weight: per_query(of, "ndcg@10") for weight, of in ranks.items()}
    means = {weight: of.mean() for weight, of in values.items()}
    assert found.weight == max(means, key=means.get)
    assert found.values == pytest.approx({f"{weight:g}": mean for weight, mean in means.items()})
    # Noise alone: the best of three flatters itself, and its cross-fitted figure less so.
    assert found.cross_fitted < max(means.values())
    assert (
        min(v.min() for v in values.values()) <= found.cross_fitted <= max(v.max() for v in values.values())
    )


def test_where_a_weight_is_best_for_everybody_nothing_is_lost(tiny_data, monkeypatch):
    n = tiny_data.validation.n_queries
    ranks = {0.0: np.full(n, 9, np.int32), 1.0: np.full(n, 2, np.int32)}
    monkeypatch.setattr(module, "ranks_by_weight", lambda *_: ranks)
    found = choose_weight(None, tiny_data, parse_metric("ndcg@10"), seed=1)
    assert found.weight == 1.0
    assert found.cross_fitted == pytest.approx(found.values["1"])
