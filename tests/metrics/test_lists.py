import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reeltune.metrics.catalogue import top_items
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.lists import top_lists
from reeltune.models.baselines.registry import fit_baseline
from reeltune.models.networks.gru import GRUConfig, GRUNetwork

score = st.sampled_from([-1.0, 0.0, 1.0, 2.0, float("-inf")])


@given(st.lists(st.lists(score, min_size=6, max_size=6), min_size=1, max_size=4), st.integers(1, 8))
@settings(deadline=None)
def test_ties_go_to_the_smaller_code(rows, k):
    expected = []
    for row in rows:
        order = sorted((i for i in range(1, 6) if row[i] > float("-inf")), key=lambda i: (-row[i], i))[:k]
        expected.append((order + [0] * k)[: min(k, 5)])
    scores = torch.tensor(rows)
    before = scores.clone()
    assert top_items(scores, torch.zeros(len(rows), 1, dtype=torch.int64), k).tolist() == expected
    assert torch.equal(scores, before)


@pytest.mark.parametrize("batch_size", [7, 1000])
def test_a_target_is_listed_where_its_rank_says(tiny_data, batch_size):
    torch.manual_seed(0)
    network = GRUNetwork(GRUConfig(embedding_dim=8, hidden_dim=8), tiny_data.n_items)
    lists = top_lists(network, tiny_data.validation, 5, batch_size=batch_size)
    queries = tiny_data.validation
    is_new = np.array([queries.target[m] not in queries.history(m) for m in range(queries.n_queries)])
    ranks = rank_queries(network, queries)
    assert is_new.any()
    assert np.array_equal((lists == queries.target[:, None]).any(1)[is_new], (ranks <= 5)[is_new])
    for m in range(queries.n_queries):
        assert not set(lists[m]) & set(queries.history(m).tolist())


def test_popularity_lists_the_most_seen(tiny_data):
    popularity = fit_baseline("popularity", tiny_data.train, tiny_data.n_items)
    counts = np.bincount(tiny_data.train.items, minlength=tiny_data.n_items + 1)
    lists = top_lists(popularity, tiny_data.validation, 3)
    for m, row in enumerate(lists):
        unseen = set(range(1, tiny_data.n_items + 1)) - set(tiny_data.validation.history(m).tolist())
        assert row.tolist() == sorted(unseen, key=lambda i: (-counts[i], i))[:3]


def test_an_empty_list_is_refused(tiny_data):
    with pytest.raises(ValueError, match="at least 1"):
        top_lists(fit_baseline("popularity", tiny_data.train, tiny_data.n_items), tiny_data.validation, 0)
