import itertools

import numpy as np
import pytest
from data_parts import rows
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.config import DataConfig
from reeltune.data.interactions import RawDataset
from reeltune.data.prepare.preparation import prepare_sequences
from reeltune.data.prepare.splits import LeaveLast, LeaveOneOut, fingerprint
from reeltune.data.store import open_held_out, open_summary, open_tuning, write_dataset
from reeltune.errors import DataError

HISTORIES = st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=12), min_size=1, max_size=6)


def prepared_of(histories):
    """Return the sequences of users who saw the movies of ``histories`` one second after another."""
    values = [(u + 1, item, 3, t) for u, items in enumerate(histories) for t, item in enumerate(items)]
    return prepare_sequences(rows(*values), k_core=1, min_user_events=3)


def reference(histories, n_validation, n_test):
    """Return training items a user and (user, history, target, second) of each query, by plain loops."""
    train, validation, test = [], [], []
    for user, items in enumerate(histories):
        n_train = len(items) - n_validation - n_test
        if n_train < 1:
            train.append(items)
            continue
        train.append(items[:n_train])
        validation += [(user, items[:t], items[t], t) for t in range(n_train, n_train + n_validation)]
        test += [(user, items[:t], items[t], t) for t in range(n_train + n_validation, len(items))]
    return train, validation, test


def asked(queries, ids):
    return [
        (
            int(queries.user[m]),
            ids[queries.history(m) - 1].tolist(),
            int(ids[queries.target[m] - 1]),
            int(queries.target_timestamp[m]),
        )
        for m in range(queries.n_queries)
    ]


@given(HISTORIES, st.integers(1, 4), st.integers(1, 4))
def test_the_last_events_are_targets_and_see_all_before_and_nothing_after(histories, n_validation, n_test):
    prepared = prepared_of(histories)
    split = LeaveLast(n_validation=n_validation, n_test=n_test)
    train, validation, test = reference(histories, n_validation, n_test)
    if not test:
        with pytest.raises(DataError, match=f"need users with {n_validation + n_test + 1} events or more"):
            split.parts(prepared)
        return
    parts = split.parts(prepared)
    ids = prepared.item_ids
    offsets = parts.train.offsets
    found = [ids[parts.train.items[a:b] - 1].tolist() for a, b in itertools.pairwise(offsets)]
    assert found == train
    assert asked(parts.validation, ids) == validation
    assert asked(parts.test, ids) == test
    assert parts.n_train_only_users == len(histories) - len(test) // n_test
    # What a trial can open holds no test event, and what nobody may see as history is not stored as one.
    assert parts.validation.sequences.n_events == parts.train.n_events + len(validation) - (
        parts.test.n_queries // n_test
    )


@given(HISTORIES)
def test_leave_one_out_is_the_case_of_one(histories):
    prepared = prepared_of(histories)
    one, last = LeaveOneOut().parts(prepared), LeaveLast(n_validation=1, n_test=1).parts(prepared)
    assert one.validation.sequences is one.train
    for mine, theirs in ((one.validation, last.validation), (one.test, last.test)):
        for column in ("user", "end", "target", "target_rating", "target_timestamp"):
            np.testing.assert_array_equal(getattr(mine, column), getattr(theirs, column))
        np.testing.assert_array_equal(mine.sequences.items, theirs.sequences.items)
        assert mine.user.tolist() == list(range(len(histories)))
    assert one.n_train_only_users == 0


def test_one_query_a_user_is_the_first_or_the_last():
    parts = LeaveLast(n_validation=2, n_test=3).parts(
        prepared_of([[1, 2, 3, 4, 5, 6], [7, 8], [*range(1, 10)]])
    )
    test = parts.test
    assert (test.n_queries, test.n_users) == (6, 2)
    shuffled = test.select(np.array([4, 1, 5, 0, 2, 3]))
    for queries in (test, shuffled):
        assert sorted(queries.one_a_user("first").target_timestamp.tolist()) == [3, 6]
        assert sorted(queries.one_a_user("last").target_timestamp.tolist()) == [5, 8]
    assert shuffled.one_a_user("last").user.tolist() == [1, 0]
    once = test.one_a_user("last")
    assert once.one_a_user("first").end.tolist() == once.end.tolist()


def test_users_with_too_few_events_are_trained_on_and_counted(tmp_path):
    histories = [[1, 2, 3, 4, 5, 6, 7], [1, 2, 3], [3, 1, 4, 7]]
    values = [(u, item, 3, t) for u, items in enumerate(histories) for t, item in enumerate(items)]
    config = DataConfig.model_validate({
        "dataset": "synthetic",
        "k_core": 1,
        "split": {"name": "leave-last", "n_validation": 2, "n_test": 2},
    })  # fmt: skip
    write_dataset(tmp_path / "e", RawDataset(rows(*values)), config)
    data, test = open_tuning(tmp_path / "e"), open_held_out(tmp_path / "e").test
    assert data.ledger.split == "leave-last(n_test=2, n_validation=2)"
    assert data.ledger.n_train_only_users == 2
    assert data.train.lengths.tolist() == [3, 3, 4]
    assert (data.validation.n_queries, test.n_queries) == (2, 2)
    assert open_summary(tmp_path / "e")[0].n_train_only_users == 2
    assert data.validation.known().n_events == data.train.n_events
    assert test.known().lengths.tolist() == [5, 3, 4]


def test_the_fingerprint_follows_the_test_targets_only():
    base = [(1, 10, 3, 1), (1, 20, 3, 2), (1, 30, 3, 3), (1, 40, 3, 4)]

    def digits(values):
        prepared = prepare_sequences(rows(*values), k_core=1, min_user_events=3)
        test = LeaveOneOut().parts(prepared).test
        return fingerprint(test, prepared.user_ids, prepared.item_ids)

    assert digits(base) == digits([(1, 20, 3, 1), (1, 10, 3, 2), *base[2:]])
    assert digits(base) == digits([(1, 10, 3, 1), *base[2:], (1, 20, 5, 2)])
    assert digits(base) != digits([*base[:2], (1, 30, 3, 4), (1, 40, 3, 3)])
    assert digits(base) != digits([*base[:3], (1, 41, 3, 4)])


@given(HISTORIES, st.integers(1, 4), st.integers(1, 4))
def test_what_was_answered_is_all_that_precedes_the_test(histories, n_validation, n_test):
    prepared = prepared_of(histories)
    if all(len(items) <= n_validation + n_test for items in histories):
        return
    parts = LeaveLast(n_validation=n_validation, n_test=n_test).parts(prepared)
    known = parts.validation.answered()
    ids = np.asarray(prepared.item_ids)
    for user, items in enumerate(histories):
        is_asked = len(items) > n_validation + n_test
        expected = items[: len(items) - n_test] if is_asked else items
        own = slice(known.offsets[user], known.offsets[user + 1])
        assert ids[known.items[own] - 1].tolist() == expected
        assert known.timestamps[own].tolist() == list(range(len(expected)))
