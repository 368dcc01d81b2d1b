import itertools

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.prepared import Queries, Sequences
from reeltune.data.sequences import n_window_batches, query_batches, to_histories, window_batches

LENGTHS = st.lists(st.integers(1, 23), min_size=1, max_size=12)


def sequences(lengths):
    """Return sequences in which every event has another item code, in order 1, 2, 3, ..."""
    n = sum(lengths)
    return Sequences(
        items=np.arange(1, n + 1, dtype=np.int32),
        ratings=np.arange(n, dtype=np.float32),
        timestamps=np.arange(n, dtype=np.int64) * 10,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


@given(LENGTHS, st.integers(1, 9), st.integers(1, 5), st.integers(0, 3))
def test_windows_train_every_position_once(lengths, history_length, batch_size, epoch):
    train = sequences(lengths)
    batches = list(
        window_batches(train, history_length=history_length, batch_size=batch_size, seed=3, epoch=epoch)
    )
    assert len(batches) == n_window_batches(train, history_length=history_length, batch_size=batch_size)
    targets = []
    for batch in batches:
        items, mask = batch.histories.items, batch.targets > 0
        assert items.shape[0] <= batch_size
        assert items.shape[1] <= history_length
        assert torch.equal(mask, items > 0)
        assert torch.equal(mask.sum(1), batch.histories.lengths)
        assert torch.equal(batch.targets[mask], items[mask] + 1)  # codes follow each other
        assert torch.equal(batch.histories.ratings[mask], (items[mask] - 1).float())
        assert torch.equal(batch.histories.timestamps[mask], (items[mask] - 1) * 10)
        assert batch.histories.ratings[~mask].isnan().all()
        assert (batch.histories.timestamps[~mask] == -1).all()
        assert torch.equal(batch.histories.asked[mask], (batch.targets[mask] - 1) * 10)
        assert (batch.histories.asked[~mask] == -1).all()
        targets += batch.targets[mask].tolist()
    starts = set((train.offsets[:-1] + 1).tolist())
    assert sorted(targets) == [code for code in range(1, train.n_events + 1) if code not in starts]


def test_the_first_window_of_a_long_history_is_the_short_one():
    (batch,) = window_batches(sequences([8]), history_length=5, batch_size=4, seed=0, epoch=0)
    rows = sorted(row[row > 0].tolist() for row in batch.histories.items)
    assert rows == [[1, 2], [3, 4, 5, 6, 7]]


def test_order_follows_seed_and_epoch_alone():
    train = sequences([9, 4, 7, 12, 5, 6])

    def order(seed, epoch):
        batches = window_batches(train, history_length=4, batch_size=2, seed=seed, epoch=epoch)
        return [batch.targets.tolist() for batch in batches]

    assert order(1, 1) == order(1, 1)
    assert order(1, 1) != order(1, 2)
    assert order(1, 1) != order(2, 1)


def test_windows_of_similar_length_share_a_batch():
    lengths = np.random.default_rng(0).integers(2, 60, 400).tolist()
    padded = real = 0
    for batch in window_batches(sequences(lengths), history_length=60, batch_size=16, seed=0, epoch=0):
        padded += batch.targets.numel()
        real += int((batch.targets > 0).sum())
    assert padded / real < 1.15


@given(LENGTHS, st.integers(1, 5), st.none() | st.integers(1, 6))
def test_queries_come_once_with_their_history(lengths, batch_size, history_length):
    full = sequences(lengths)
    queries = Queries(
        sequences=full,
        user=np.arange(full.n_users, dtype=np.int32),
        end=full.offsets[1:],
        target=np.arange(1, full.n_users + 1, dtype=np.int32),
        target_rating=np.ones(full.n_users, dtype=np.float32),
        target_timestamp=full.offsets[1:] * 10 + 3,
    )
    seen = []
    for batch in query_batches(queries, batch_size=batch_size, history_length=history_length):
        for row, length, index in zip(
            batch.histories.items, batch.histories.lengths, batch.index.tolist(), strict=True
        ):
            expected = queries.history(index).tolist()
            assert row[: int(length)].tolist() == expected[-(history_length or len(expected)) :]
            assert (row[int(length) :] == 0).all()
        rows = torch.arange(len(batch.index))
        last = batch.histories.lengths - 1
        requested = torch.from_numpy(queries.target_timestamp)[batch.index]
        assert torch.equal(batch.histories.asked[rows, last], requested)
        assert torch.equal(batch.targets, batch.index + 1)
        seen += batch.index.tolist()
    assert sorted(seen) == list(range(queries.n_queries))


@given(LENGTHS, st.integers(1, 5))
def test_several_queries_of_a_user_share_his_longest_history(lengths, batch_size):
    full = sequences(lengths)
    end = np.concatenate([np.arange(a + 1, b + 1) for a, b in itertools.pairwise(full.offsets)])
    user = np.repeat(np.arange(full.n_users), full.lengths).astype(np.int32)
    target = np.arange(1, len(end) + 1, dtype=np.int32)
    queries = Queries(full, user, end, target, np.ones(len(end), np.float32), end * 10 + 3)
    seen = []
    for batch in query_batches(queries, batch_size=batch_size):
        histories = batch.histories
        for m, index in enumerate(batch.index.tolist()):
            expected = queries.history(index).tolist()
            assert histories.items[m, : histories.lengths[m]].tolist() == expected
            if histories.whole is not None:
                assert histories.whole.items[histories.rows[m], : len(expected)].tolist() == expected
                asked = histories.whole.asked[histories.rows[m], len(expected) - 1]
                assert asked == queries.target_timestamp[index]
        seen += batch.index.tolist()
    assert sorted(seen) == list(range(len(end)))
    assert batch.histories.whole is not None or len(end) == len(np.unique(user))


def test_lists_become_a_padded_batch():
    histories = to_histories([[3, 1], [], [2]], ratings=[[4.0, 5.0], [], [1.0]])
    assert histories.items.tolist() == [[3, 1], [0, 0], [2, 0]]
    assert histories.lengths.tolist() == [2, 0, 1]
    assert histories.ratings[0].tolist() == [4.0, 5.0]
    assert histories.ratings[1].isnan().all()
    assert histories.timestamps is None
    assert to_histories([]).items.shape == (0, 1)
