"""ItemKNN and EASE against plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.prepared import Sequences
from reeltune.data.sequences import to_histories
from reeltune.errors import DataError
from reeltune.models.baselines import ease
from reeltune.models.baselines.ease import EASEConfig
from reeltune.models.baselines.fit import fit_baseline
from reeltune.models.baselines.item_knn import ItemKNNConfig, RecentItemKNNConfig

N_ITEMS = 6
people = st.lists(st.lists(st.integers(1, N_ITEMS), min_size=1, max_size=8), min_size=2, max_size=8)
queries = st.lists(st.lists(st.integers(1, N_ITEMS), min_size=1, max_size=6), min_size=1, max_size=3)


def as_sequences(users: list[list[int]]) -> Sequences:
    items = np.array([item for user in users for item in user], dtype=np.int32)
    offsets = np.cumsum([0, *(len(user) for user in users)])
    return Sequences(items, np.full(len(items), np.nan, np.float32), np.full(len(items), -1), offsets)


def weighted(matrix, history, decay):
    return sum(decay**back * matrix[item] for back, item in enumerate(reversed(history)))


def cosines(users, n_neighbours, shrinkage):
    seen = [set(user) for user in users]
    table = np.zeros((N_ITEMS + 1, N_ITEMS + 1))
    for a in range(1, N_ITEMS + 1):
        for b in range(1, N_ITEMS + 1):
            both = sum(a in s and b in s for s in seen)
            bottom = (sum(a in s for s in seen) * sum(b in s for s in seen)) ** 0.5 + shrinkage
            table[a, b] = both / bottom if a != b and bottom else 0.0
        least = sorted(table[a, 1:])[-n_neighbours] if n_neighbours < N_ITEMS else 0.0
        table[a, np.float32(table[a]) < np.float32(least)] = 0.0
    return table


@given(people, queries, st.sampled_from([1.0, 0.6]), st.sampled_from([0.0, 10.0]))
def test_item_knn_equals_plain_loops(users, histories, decay, shrinkage):
    config = ItemKNNConfig(n_neighbours=N_ITEMS, shrinkage=shrinkage, decay=decay)
    scores = fit_baseline(config, as_sequences(users), N_ITEMS).scores(to_histories(histories))
    table = cosines(users, N_ITEMS, shrinkage)
    expected = torch.tensor(np.array([weighted(table, h, decay) for h in histories]), dtype=torch.float32)
    torch.testing.assert_close(scores[:, 1:], expected[:, 1:], rtol=1e-4, atol=1e-5)


def test_item_knn_keeps_the_nearest_of_each_movie():
    users = [[1, 2], [1, 2], [1, 3], [4, 3], [4, 3], [1, 4]]
    config = ItemKNNConfig(n_neighbours=1, shrinkage=1.0)
    scores = fit_baseline(config, as_sequences(users), N_ITEMS).scores(to_histories([[1], [4]]))
    table = cosines(users, 1, 1.0)
    expected = torch.tensor(table[[1, 4]], dtype=torch.float32)
    torch.testing.assert_close(scores[:, 1:], expected[:, 1:])
    assert np.count_nonzero(table[2]) == 1


def test_recency_is_the_plain_one_with_another_decay():
    train = as_sequences([[1, 2, 3], [2, 3, 4], [1, 4, 5]])
    histories = to_histories([[1, 2, 3]])
    recent = fit_baseline("item-knn-recency", train, N_ITEMS).scores(histories)
    same = fit_baseline(ItemKNNConfig(decay=RecentItemKNNConfig().decay), train, N_ITEMS).scores(histories)
    assert torch.equal(recent, same)
    assert not torch.equal(recent, fit_baseline("item-knn", train, N_ITEMS).scores(histories))


@given(people, queries)
def test_ease_equals_a_ridge_regression_of_each_movie_on_the_others(users, histories):
    scores = fit_baseline(EASEConfig(regularization=3.0), as_sequences(users), N_ITEMS).scores(
        to_histories(histories)
    )
    seen = np.zeros((len(users), N_ITEMS + 1))
    for row, user in enumerate(users):
        seen[row, user] = 1.0
    weights = np.zeros((N_ITEMS + 1, N_ITEMS + 1))
    for b in range(1, N_ITEMS + 1):
        others = [a for a in range(1, N_ITEMS + 1) if a != b]
        left = seen[:, others].T @ seen[:, others] + 3.0 * np.eye(len(others))
        weights[others, b] = np.linalg.solve(left, seen[:, others].T @ seen[:, b])
    expected = torch.tensor(np.array([weighted(weights, h, 1.0) for h in histories]), dtype=torch.float32)
    torch.testing.assert_close(scores[:, 1:], expected[:, 1:], rtol=1e-3, atol=1e-4)


def test_ease_refuses_a_catalogue_that_no_memory_holds(monkeypatch):
    monkeypatch.setattr(ease, "MAX_ITEMS", 5)
    with pytest.raises(DataError, match="6 are more than 5"):
        fit_baseline("ease", as_sequences([[1, 2]]), N_ITEMS)
