import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from reeltune.metrics.registry import METRICS, RANKING_METRICS, per_query, ranking_metrics

ranks_and_cut = st.tuples(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(1, 25))


@given(ranks_and_cut)
def test_metrics_equal_their_formulas(case):
    ranks, k = case
    mean = {
        "hr": sum(rank <= k for rank in ranks) / len(ranks),
        "ndcg": sum(1 / math.log2(rank + 1) for rank in ranks if rank <= k) / len(ranks),
        "mrr": sum(1 / rank for rank in ranks if rank <= k) / len(ranks),
        "precision": sum((rank <= k) / k for rank in ranks) / len(ranks),
        "recall": sum(rank <= k for rank in ranks) / len(ranks),
    }
    assert set(mean) == set(RANKING_METRICS)
    metrics = ranking_metrics(np.array(ranks, dtype=np.int32), ks=(k,), names=RANKING_METRICS)
    assert metrics == pytest.approx({f"{name}@{k}": value for name, value in mean.items()})


@pytest.mark.parametrize("rank", [1, 2, 7, 10, 11])
def test_ndcg_equals_scikit_learn(rank):
    relevance, scores = np.zeros((1, 30)), -np.arange(30.0)[None]
    relevance[0, rank - 1] = 1
    assert per_query(np.array([rank]), "ndcg@10")[0] == pytest.approx(ndcg_score(relevance, scores, k=10))


@given(ranks_and_cut)
def test_a_better_rank_never_scores_less(case):
    ranks, k = case
    for name in RANKING_METRICS:
        values = per_query(np.sort(np.array(ranks)), f"{name}@{k}")
        assert METRICS[name].higher_is_better
        assert np.all(np.diff(values) <= 0)


def test_no_ranks_have_no_mean():
    with pytest.raises(ValueError, match="no queries"):
        ranking_metrics(np.zeros(0, dtype=np.int32))
