import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.config import DataConfig
from reeltune.data.interactions import Interactions
from reeltune.data.prepare import ordering
from reeltune.data.prepare.ordering import TIE_RULES, chronological, repeated_rows
from reeltune.data.prepare.preparation import encode, prepare_sequences
from reeltune.data.prepare.splits import GlobalTime
from reeltune.data.store import open_tuning, prepare

ROW = st.tuples(
    st.integers(0, 5), st.integers(0, 4), st.sampled_from([1.0, 2.0, float("nan")]), st.integers(-2, 3)
)


@pytest.fixture(params=[1, 4, 1 << 18], ids=lambda n: f"blocks of {n}")
def _blocks(request, monkeypatch):
    monkeypatch.setattr(ordering, "_BLOCK_ROWS", request.param)


def columns(values, scale=1):
    user, item, rating, time = zip(*values, strict=True)
    codes, ids = encode(np.array(user, dtype=np.int32))
    times = np.array(time, dtype=np.int64) * scale
    return codes, len(ids), np.array(item, np.int32), np.array(rating, np.float32), times


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("scale", [1, 2**59])
@given(st.lists(ROW, min_size=1, max_size=40))
def test_the_order_is_a_stable_sort_by_user_and_time(scale, values):
    user, n_users, _, _, time = columns(values, scale)
    order, offsets = chronological(user, time, n_users)
    expected = np.lexsort((time, user))
    assert np.array_equal(np.arange(len(user)) if order is None else order, expected)
    assert offsets.tolist() == [int((user < u).sum()) for u in range(n_users + 1)]


@pytest.mark.usefixtures("_blocks")
@given(st.lists(ROW, min_size=1, max_size=40))
def test_repeated_rows_equal_the_plain_reference(values):
    user, n_users, item, rating, time = columns(values)
    order, offsets = chronological(user, time, n_users)
    order = np.arange(len(user)) if order is None else order
    seen, expected = set(), []
    for place, row in enumerate(order):
        key = (user[row], item[row], np.nan_to_num(rating[row], nan=-1), time[row])
        if key in seen:
            expected.append(place)
        seen.add(key)
    found = repeated_rows(item[order], rating[order], time[order], offsets)
    assert sorted(found.tolist()) == expected


def test_rows_in_order_need_no_sorting():
    user = np.array([0, 0, 1], dtype=np.int32)
    assert chronological(user, np.array([5, 5, 1]), 2)[0] is None


def rows(values, rank=None):
    user, item, time = (np.array(column, dtype=np.int64) for column in zip(*values, strict=True))
    stars = np.full(len(user), 4.0, dtype=np.float32)
    return Interactions(user, item, stars, time, rank=None if rank is None else np.array(rank))


def order(interactions, ties):
    found = prepare_sequences(interactions, k_core=1, min_user_events=3, ties=ties)
    ids = found.item_ids[found.sequences.items - 1].tolist()
    return [ids[a:b] for a, b in zip(found.sequences.offsets[:-1], found.sequences.offsets[1:], strict=True)]


T = 978_300_032  # a multiple of 64: float32 keeps it as it is
VALUES = [(1, 9, T), (1, 5, T), (1, 7, T - 10), (1, 2, T + 100), (2, 4, T), (2, 3, T), (2, 8, T + 5)]


def test_each_rule_orders_what_shares_a_second():
    assert order(rows(VALUES), "file") == [[7, 9, 5, 2], [4, 3, 8]]
    assert order(rows(VALUES), "movie") == [[7, 5, 9, 2], [3, 4, 8]]
    assert order(rows(VALUES), "float32") == [[9, 5, 7, 2], [4, 3, 8]]


def test_whose_times_are_not_all_known_keeps_the_ranks():
    values = [(u, i, -1 if i == 8 else t) for u, i, t in VALUES]
    rank = [2, 3, 1, 4, 1, 2, 3]
    assert order(rows(values, rank), "movie") == [[7, 5, 9, 2], [4, 3, 8]]
    assert order(rows(values, rank), "float32") == [[9, 5, 7, 2], [4, 3, 8]]


def test_exact_duplicates_go_whatever_the_rule():
    values = [*VALUES, (1, 9, T)]
    for rule in TIE_RULES:
        assert sum(map(len, order(rows(values), rule))) == len(VALUES)


def test_a_rule_is_told_in_the_ledger_and_keeps_people_and_movies():
    file, movie = (
        open_tuning(prepare(DataConfig(dataset="synthetic", ties=rule))) for rule in ("file", "movie")
    )
    assert file.directory != movie.directory
    assert movie.ledger.tie_rule == TIE_RULES["movie"]
    assert (movie.train.n_users, movie.n_items) == (file.train.n_users, file.n_items)


def test_the_rule_is_part_of_what_an_entry_is_named_after():
    assert DataConfig(dataset="synthetic").protocol()["ties"] == "file"
    assert DataConfig(dataset="synthetic", ties="movie").protocol()["ties"] == "movie"


def test_rounded_times_do_not_go_with_a_split_by_time():
    with pytest.raises(ValueError, match="whole seconds"):
        DataConfig(dataset="synthetic", ties="float32", split=GlobalTime())
