import numpy as np

from reeltune.data.store import open_held_out, open_tuning
from reeltune.data.synthetic import synthetic_data
from synthetic_parts import synthetic_tuning_data


def synthetic_interactions(**size):
    return synthetic_data(**size).raw.interactions


def test_the_same_seed_gives_the_same_rows():
    first, second = (synthetic_interactions(n_users=30, n_items=60, mean_length=12) for _ in range(2))
    assert first.sha256() == second.sha256()
    assert first.sha256() != synthetic_interactions(n_users=30, n_items=60, mean_length=12, seed=18).sha256()


def test_no_movie_comes_twice_and_ties_exist():
    interactions = synthetic_interactions()
    pairs = interactions.user.astype(np.int64) * 1000 + interactions.item
    assert len(np.unique(pairs)) == len(pairs)
    same = (np.diff(interactions.user) == 0) & (np.diff(interactions.timestamp) == 0)
    assert 0.2 < same.mean() < 0.4


def test_popularity_is_far_below_the_optimum(tmp_path):
    data = synthetic_data()
    directory = synthetic_tuning_data(tmp_path)
    held_out = open_held_out(directory)
    counts = np.bincount(held_out.test.sequences.items, minlength=201).astype(float)
    hits = 0
    for query in range(held_out.test.n_queries):
        scores = counts.copy()
        scores[held_out.test.history(query)] = -1
        hits += (scores >= scores[held_out.test.target[query]]).sum() <= 10
    assert hits / held_out.test.n_queries < 0.4 * data.optimum["hr@10"]
    assert 0 < data.optimum["mrr@10"] < data.optimum["ndcg@10"] < data.optimum["hr@10"] < 1


def test_prepared_data_of_any_size(tmp_path):
    data = open_tuning(synthetic_tuning_data(tmp_path, n_users=20, n_items=50, mean_length=10))
    assert (data.train.n_users, data.n_items <= 50) == (20, True)
    assert data.catalogue.titles[0].startswith("Synthetic Film")
    assert synthetic_tuning_data(tmp_path, n_users=20, n_items=50, mean_length=10) == data.directory
