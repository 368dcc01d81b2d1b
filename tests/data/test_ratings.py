import numpy as np
import pytest
import torch

from reeltune.data.prepared import Queries, Sequences
from reeltune.data.ratings import Ratings, known_ratings, rating_batches


def sequences(seed=1, n_users=9):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 12, n_users)
    n = int(lengths.sum())
    stars = rng.integers(1, 6, n).astype(np.float32)
    stars[::7] = np.nan
    return Sequences(
        rng.integers(1, 20, n).astype(np.int32),
        stars,
        np.arange(n),
        np.concatenate(([0], np.cumsum(lengths))),
    )


@pytest.mark.parametrize("seed", [None, 5])
def test_batches_ask_every_question_once_after_what_preceded_it(seed):
    train = sequences()
    ratings = known_ratings(train)
    assert ratings.n_ratings == np.isfinite(train.ratings).sum()
    asked = []
    for batch in rating_batches(ratings, batch_size=4, seed=seed):
        assert len(batch.users) <= 4
        for n in range(len(batch.items)):
            user = int(batch.users[batch.row[n]])
            place = int(train.offsets[user] + batch.before[n])
            assert int(train.items[place]) == int(batch.items[n])
            assert float(train.ratings[place]) == float(batch.stars[n])
            own = batch.histories.items[batch.row[n]][: train.lengths[user]]
            assert own.tolist() == train.items[train.offsets[user] : train.offsets[user + 1]].tolist()
        asked += batch.index.tolist()
    assert sorted(asked) == list(range(ratings.n_ratings))


def test_the_order_follows_from_seed_and_epoch():
    ratings = known_ratings(sequences())

    def order(seed, epoch):
        return torch.cat([b.index for b in rating_batches(ratings, batch_size=2, seed=seed, epoch=epoch)])

    assert torch.equal(order(1, 1), order(1, 1))
    assert not torch.equal(order(1, 1), order(1, 2))
    assert not torch.equal(order(1, 1), order(2, 1))


def test_queries_ask_for_their_targets():
    train = sequences()
    end = train.offsets[[2, 2, 5]] + [0, 1, 1]
    queries = Queries(
        train, np.array([2, 2, 5], np.int32), end, np.array([4, 5, 6], np.int32),
        np.array([1, 2, 3], np.float32), np.zeros(3, np.int64),
    )  # fmt: skip
    ratings = Ratings.of(queries)
    assert ratings.before.tolist() == [0, 1, 1]
    assert ratings.item.tolist() == [4, 5, 6]
    (batch,) = rating_batches(ratings, batch_size=8)
    assert batch.users.tolist() == sorted(batch.users.tolist(), key=lambda u: train.lengths[u])
    assert sorted(batch.stars.tolist()) == [1, 2, 3]
