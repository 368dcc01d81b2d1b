from data_parts import rows
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.prepare.preparation import prepare_sequences
from reeltune.data.prepare.splits import LeaveOneOut, fingerprint


@given(st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=12), min_size=1, max_size=6))
def test_leave_one_out_parts_each_history_once(histories):
    values = [(u + 1, item, 3, t) for u, items in enumerate(histories) for t, item in enumerate(items)]
    prepared = prepare_sequences(rows(*values), k_core=1, min_user_events=3)
    codes = {int(item): code for code, item in enumerate(prepared.item_ids, start=1)}
    parts = LeaveOneOut().parts(prepared)
    for u, items in enumerate(histories):
        expected = [codes[item] for item in items]
        assert parts.validation.history(u).tolist() == expected[:-2]
        assert parts.validation.target[u] == expected[-2]
        assert parts.validation.target_timestamp[u] == len(items) - 2
        assert parts.test.history(u).tolist() == expected[:-1]
        assert parts.test.target[u] == expected[-1]
        train = parts.train.items[parts.train.offsets[u] : parts.train.offsets[u + 1]]
        assert train.tolist() == expected[:-2]


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
