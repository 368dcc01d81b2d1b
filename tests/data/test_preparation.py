import numpy as np
import pytest
from data_parts import rows
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.prepare.preparation import encode, id_texts, prepare_sequences
from reeltune.errors import DataError

ROW = st.tuples(st.integers(1, 6), st.integers(10, 16), st.sampled_from([1.0, 4.5]), st.integers(0, 4))


def reference(values, k_core, min_user_events):
    """Return user -> [(movie, rating, time)] by plain loops."""
    seen, kept = set(), []
    for row in values:
        if row not in seen:
            kept.append(row)
        seen.add(row)
    n_items = {}
    for _, item, _, _ in kept:
        n_items[item] = n_items.get(item, 0) + 1
    users = {}
    for user, item, rating, time in kept:
        if n_items[item] >= k_core:
            users.setdefault(user, []).append((item, rating, time))
    return {u: sorted(e, key=lambda x: x[2]) for u, e in sorted(users.items()) if len(e) >= min_user_events}


@given(st.lists(ROW, min_size=1, max_size=60), st.integers(1, 4), st.integers(3, 5))
def test_preparation_equals_the_plain_reference(values, k_core, min_user_events):
    expected = reference(values, k_core, min_user_events)
    if not expected:
        with pytest.raises(DataError, match="nothing is left"):
            prepare_sequences(rows(*values), k_core=k_core, min_user_events=min_user_events)
        return
    prepared = prepare_sequences(rows(*values), k_core=k_core, min_user_events=min_user_events)
    sequences = prepared.sequences
    found = {}
    for u, user in enumerate(prepared.user_ids.tolist()):
        part = slice(sequences.offsets[u], sequences.offsets[u + 1])
        movies = prepared.item_ids[sequences.items[part] - 1].tolist()
        found[user] = list(
            zip(movies, sequences.ratings[part].tolist(), sequences.timestamps[part].tolist(), strict=True)
        )
    assert found == expected
    assert prepared.counts.n_duplicates == len(values) - len(set(values))
    left_out = prepared.counts.n_duplicates + prepared.counts.n_rare_rows + prepared.counts.n_short_rows
    assert sequences.n_events + left_out == len(values)


def test_ties_stay_in_file_order():
    prepared = prepare_sequences(
        rows((1, 30, 3, 5), (1, 10, 3, 5), (1, 20, 3, 5), (1, 40, 3, 1)), k_core=1, min_user_events=3
    )
    assert prepared.item_ids[prepared.sequences.items - 1].tolist() == [40, 30, 10, 20]


def test_int64_seconds_are_not_rounded():
    # float32 holds 24 bits: these seconds would all be equal in it.
    base = 978_300_760
    prepared = prepare_sequences(
        rows((1, 10, 3, base + 2), (1, 20, 3, base + 1), (1, 30, 3, base)), k_core=1, min_user_events=3
    )
    assert prepared.item_ids[prepared.sequences.items - 1].tolist() == [30, 20, 10]


def test_rank_is_the_order_where_timestamps_are_absent():
    interactions = rows((1, 10, 3, -1), (1, 20, 3, 99), (1, 30, 3, -1), rank=[3, 1, 2])
    prepared = prepare_sequences(interactions, k_core=1, min_user_events=3)
    assert prepared.item_ids[prepared.sequences.items - 1].tolist() == [20, 30, 10]
    assert prepared.sequences.timestamps.tolist() == [99, -1, -1]


def test_the_same_movie_at_another_time_is_no_duplicate():
    prepared = prepare_sequences(
        rows((1, 10, 3, 1), (1, 10, 3, 2), (1, 10, 4, 2), (1, 10, 3, 1)), k_core=1, min_user_events=3
    )
    assert prepared.counts.n_duplicates == 1
    assert prepared.sequences.n_events == 3


def test_short_users_are_counted():
    values = [(1, 10, 3, 1), (1, 20, 3, 2), (1, 30, 3, 3), (2, 10, 3, 1), (3, 20, 3, 1), (3, 10, 3, 2)]
    prepared = prepare_sequences(rows(*values), k_core=1, min_user_events=3)
    assert (prepared.counts.n_short_users, prepared.counts.n_short_rows) == (2, 3)
    assert prepared.user_ids.tolist() == [1]


def test_huge_time_spans_do_not_overflow():
    prepared = prepare_sequences(
        rows((1, 10, 3, 2**62), (1, 20, 3, 0), (1, 30, 3, 5), (2, 10, 3, 1), (2, 20, 3, 2), (2, 30, 3, 3)),
        k_core=1,
        min_user_events=3,
    )
    assert prepared.sequences.items.tolist() == [2, 3, 1, 1, 2, 3]
    assert prepared.sequences.items.dtype == np.int32


NUMBERS = st.lists(st.integers(-5, 50) | st.integers(0, 2**40), min_size=1, max_size=50)


@given(NUMBERS)
def test_numbers_get_codes_in_rising_order(values):
    codes, distinct = encode(np.array(values, dtype=np.int64))
    assert distinct[codes].tolist() == values
    assert distinct.tolist() == sorted(set(values))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), min_size=1, max_size=50))
def test_texts_get_codes_in_rising_order(values):
    codes, distinct = encode(np.array(values, dtype=object))
    assert distinct[codes].tolist() == values
    assert distinct.tolist() == sorted(set(values))


def test_leading_zeros_stay():
    _, distinct = encode(np.array(["007", "7"], dtype=object))
    assert id_texts(distinct) == ("007", "7")
