import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.prepared import PAD
from reeltune.data.sequences import query_batches
from reeltune.errors import DivergedError
from reeltune.metrics.evaluate import rank_queries, target_ranks, top_items, top_lists
from reeltune.models.baselines.fit import fit_baseline
from reeltune.models.networks.gru import GRUConfig, GRUNetwork


def slow_rank(scores: list[float], target: int, seen: list[int]) -> int:
    others = [i for i in range(1, len(scores)) if i != target and i not in seen]
    return 1 + sum(not scores[i] < scores[target] for i in others)


@st.composite
def rankings(draw):
    n_items = draw(st.integers(1, 8))
    # Few distinct values, so that ties are common; infinities and NaN may stand at other movies.
    value = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, float("inf"), float("-inf"), float("nan")])
    finite = st.sampled_from([-1.0, 0.0, 1.0])
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        scores = [float("-inf"), *draw(st.lists(value, min_size=n_items, max_size=n_items))]
        target = draw(st.integers(1, n_items))
        scores[target] = draw(finite)
        seen = draw(st.lists(st.integers(0, n_items), min_size=3, max_size=3))
        rows.append((scores, target, seen))
    return rows


@given(rankings())
def test_equals_a_slow_reference(rows):
    scores, targets, seen = zip(*rows, strict=True)
    ranks = target_ranks(torch.tensor(scores), torch.tensor(targets), torch.tensor(seen))
    assert ranks.dtype == torch.int64
    assert ranks.tolist() == [slow_rank(*row) for row in rows]


def test_a_constant_scorer_ranks_the_target_last():
    assert target_ranks(torch.zeros(1, 11), torch.tensor([4]), torch.tensor([[1, 2, 0]])).tolist() == [8]


def test_a_seen_target_stays_a_candidate():
    scores = torch.tensor([[0.0, 3.0, 2.0, 1.0]])
    assert target_ranks(scores, torch.tensor([2]), torch.tensor([[2, 1]])).tolist() == [1]


def test_scores_are_left_as_they_were():
    scores = torch.rand(2, 6)
    before = scores.clone()
    target_ranks(scores, torch.tensor([1, 2]), torch.tensor([[3, 4], [5, 0]]))
    assert torch.equal(scores, before)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_target_score_that_is_not_finite_is_reported(value):
    with pytest.raises(DivergedError, match=f"score of a target is {value}"):
        target_ranks(torch.full((1, 3), value), torch.tensor([1]), torch.tensor([[2]]))


class ByCode:
    """Scores a movie by its code: ranks can be counted by hand."""

    def __init__(self, n_items: int) -> None:
        self.n_items = n_items

    def scores(self, histories):
        return -torch.arange(self.n_items + 1.0).repeat(len(histories.items), 1)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_ranks_come_back_in_the_order_of_the_queries(tiny_data, batch_size):
    queries = tiny_data.validation
    expected = [
        queries.target[m] - len({i for i in queries.history(m).tolist() if i < queries.target[m]})
        for m in range(queries.n_queries)
    ]
    ranks = rank_queries(ByCode(tiny_data.n_items), queries, batch_size=batch_size)
    assert ranks.dtype == np.int32
    assert ranks.tolist() == expected


def test_a_network_is_ranked_without_dropout_and_left_in_training(tiny_data):
    network = GRUNetwork(GRUConfig(embedding_dim=8, hidden_dim=8, dropout=0.9), tiny_data.n_items).train()
    first, second = (rank_queries(network, tiny_data.validation) for _ in range(2))
    assert network.training
    assert np.array_equal(first, second)
    network.eval()
    with torch.no_grad():
        batch = next(query_batches(tiny_data.validation, batch_size=16))
        ranks = target_ranks(network.scores(batch.histories), batch.targets, batch.histories.items)
    assert np.array_equal(first[batch.index.numpy()], ranks.numpy())


score = st.sampled_from([-1.0, 0.0, 1.0, 2.0, float("-inf")])


@given(st.lists(st.lists(score, min_size=6, max_size=6), min_size=1, max_size=4), st.integers(1, 8))
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


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_lists_equal_a_slow_sort(k, seed):
    rng = np.random.default_rng(seed)
    scores = rng.permutation(5 * 9).reshape(5, 9).astype(np.float32)
    seen = rng.integers(0, 9, size=(5, 3))
    found = top_items(torch.from_numpy(scores), torch.from_numpy(seen), k).numpy()
    assert found.shape == (5, min(k, 8))
    for row, hidden, listed in zip(scores, seen, found, strict=True):
        order = [i for i in np.argsort(-row) if i != PAD and i not in hidden]
        wanted = (order + [PAD] * 12)[: len(listed)]
        assert listed.tolist() == wanted


def test_the_scores_are_left_as_they_were():
    scores = torch.arange(6.0)[None]
    top_items(scores, torch.tensor([[5]]), 2)
    assert scores.tolist() == [[0, 1, 2, 3, 4, 5]]
