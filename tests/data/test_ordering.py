import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.prepare import ordering
from reeltune.data.prepare.ordering import chronological, repeated_rows
from reeltune.data.prepare.vocabulary import encode

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
