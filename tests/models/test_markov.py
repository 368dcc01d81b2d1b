import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.config import DataConfig
from reeltune.data.prepared import Sequences
from reeltune.data.sequences import to_histories
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import ranking_metrics
from reeltune.models.baselines.fit import fit_baseline
from reeltune.models.baselines.markov import MarkovConfig

N_ITEMS = 7


def as_sequences(users: list[list[int]]) -> Sequences:
    items = np.array([item for user in users for item in user], dtype=np.int32)
    offsets = np.cumsum([0, *(len(user) for user in users)])
    return Sequences(items, np.full(len(items), np.nan, np.float32), np.full(len(items), -1), offsets)


def slow_scores(config: MarkovConfig, users: list[list[int]], history: list[int]) -> list[float]:
    counts = np.zeros((N_ITEMS + 1, N_ITEMS + 1))
    for user in users:
        for i, a in enumerate(user):
            for lag, b in enumerate(user[i + 1 : i + 1 + config.max_lag], start=1):
                counts[a, b] += config.decay ** (lag - 1)
    sums = counts.sum(axis=1, keepdims=True) + config.shrinkage
    chances = np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)
    everything = [item for user in users for item in user]
    shares = np.bincount(everything, minlength=N_ITEMS + 1) / len(everything)
    scores = config.popularity_weight * shares
    for steps_back, item in enumerate(reversed(history[-config.n_recent :])):
        scores = scores + config.decay**steps_back * chances[item]
    return scores[1:].tolist()


histories = st.lists(st.integers(1, N_ITEMS), min_size=1, max_size=12)
configs = st.builds(
    MarkovConfig,
    max_lag=st.integers(1, 5),
    n_recent=st.integers(1, 6),
    decay=st.sampled_from([0.3, 0.7, 1.0]),
    shrinkage=st.sampled_from([0.0, 2.0, 100.0]),
    popularity_weight=st.sampled_from([0.0, 1e-3]),
)


@given(configs, st.lists(histories, min_size=1, max_size=5), st.lists(histories, min_size=1, max_size=3))
def test_equals_a_slow_reference(config, users, queries):
    scores = fit_baseline(config, as_sequences(users), N_ITEMS).scores(to_histories(queries))
    expected = torch.tensor([slow_scores(config, users, query) for query in queries])
    torch.testing.assert_close(scores[:, 1:], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_lag", 1), ("n_recent", 1), ("decay", 0.2), ("shrinkage", 1.0), ("popularity_weight", 0.1)],
)
def test_every_field_has_an_effect(field, value):
    train = as_sequences([[1, 2, 3, 4], [2, 4, 1, 5]])
    history = to_histories([[1, 2, 3]])
    moved = fit_baseline(MarkovConfig(**{field: value}), train, N_ITEMS).scores(history)
    assert not torch.equal(moved, fit_baseline(MarkovConfig(), train, N_ITEMS).scores(history))


def test_first_order_asks_the_last_movie_only():
    model = fit_baseline("markov", as_sequences([[1, 2, 3], [4, 2, 5], [6, 2, 5]]), N_ITEMS)
    one, other = model.scores(to_histories([[1, 4, 2], [7, 2]]))
    assert torch.equal(one, other)
    assert one.topk(2).indices.tolist() == [5, 3]


def test_popularity_counts():
    scores = fit_baseline("popularity", as_sequences([[1, 2], [2, 3], [2]]), N_ITEMS).scores(
        to_histories([[1], [2, 3]])
    )
    assert scores[:, 1:].tolist() == [[1, 3, 1, 0, 0, 0, 0]] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "archive", "name", "hr", "ndcg"),
    [
        ("movielens-100k", "ml-100k/ml-100k.zip", "popularity", 0.072, 0.034),
        ("movielens-100k", "ml-100k/ml-100k.zip", "windowed-markov", 0.219, 0.113),
    ],
)
def test_figures_on_real_data(shared_data, dataset, archive, name, hr, ndcg):
    """The figures of the validation targets, which these deterministic counts must give again."""
    from reeltune.data.store import open_tuning, prepare

    data = open_tuning(prepare(DataConfig(dataset=dataset), data_dir=shared_data / archive))
    metrics = ranking_metrics(rank_queries(fit_baseline(name, data.train, data.n_items), data.validation))
    assert metrics["hr@10"] == pytest.approx(hr, abs=6e-4)
    assert metrics["ndcg@10"] == pytest.approx(ndcg, abs=6e-4)
