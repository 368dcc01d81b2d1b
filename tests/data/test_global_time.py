import numpy as np
import pytest
from data_parts import rows
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reeltune.data.config import DataConfig
from reeltune.data.interactions import RawDataset
from reeltune.data.prepare.preparation import prepare_sequences
from reeltune.data.prepare.splits import GlobalTime
from reeltune.data.store import open_held_out, open_tuning, write_dataset
from reeltune.errors import DataError

HISTORIES = st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=12), min_size=1, max_size=6)


def prepared(histories):
    """Return sequences in which user u saw movie 100 u + t at the t-th of its times."""
    values = [
        (u + 1, 100 * (u + 1) + i, 3, t) for u, times in enumerate(histories) for i, t in enumerate(times)
    ]
    return prepare_sequences(rows(*values), k_core=1, min_user_events=3)


def reference(histories, start, stop, targets):
    """Return {(user, history, target)} of a period by plain loops."""
    expected = set()
    for u, times in enumerate(histories):
        events = sorted((t, i) for i, t in enumerate(times))
        names = [100 * (u + 1) + i for _, i in events]
        inside = [k for k, (t, _) in enumerate(events) if start <= t < stop]
        chosen = inside[-1:] if targets == "last" else inside
        expected |= {(u, tuple(names[:k]), names[k]) for k in chosen if k > 0}
    return expected


def found(queries, item_ids):
    return {
        (
            int(queries.user[m]),
            tuple(item_ids[queries.history(m) - 1].tolist()),
            int(item_ids[queries.target[m] - 1]),
        )
        for m in range(queries.n_queries)
    }


@given(HISTORIES, st.sampled_from(["last", "successive"]), st.floats(0.2, 0.6))
def test_periods_equal_the_plain_reference(histories, targets, quantile):
    data = prepared(histories)
    times = sorted(t for history in histories for t in history)
    moments = [times[int(np.ceil(q * (len(times) - 1)))] for q in (quantile, quantile + 0.2)]
    split = GlobalTime(validation_from=quantile, test_from=quantile + 0.2, targets=targets)
    expected = [
        reference(histories, *moments, targets),
        reference(histories, moments[1], times[-1] + 1, targets),
    ]
    if moments[0] >= moments[1] or not all(expected):
        with pytest.raises(DataError, match=r"global-time finds no target|is not before test_from"):
            split.parts(data)
        return
    parts = split.parts(data)
    assert parts.before == moments[0]
    for queries, wanted in zip((parts.validation, parts.test), expected, strict=True):
        assert found(queries, data.item_ids) == wanted
        assert queries.n_queries == len(wanted)
    assert parts.train.n_events == sum(t < moments[0] for t in times)
    assert (parts.train.timestamps < moments[0]).all()
    assert (parts.validation.sequences.timestamps < moments[1]).all()


def test_days_part_the_calendar(tmp_path):
    day = 86_400
    values = [(u, 10 + t, 3, t * day) for u in (1, 2) for t in range(10)]
    config = DataConfig.model_validate(
        {
            "dataset": "synthetic",
            "k_core": 1,
            "split": {"name": "global-time", "validation_from": "1970-01-05", "test_from": "1970-01-08"},
        }
    )
    write_dataset(tmp_path / "e", RawDataset(rows(*values)), config)
    data, test = open_tuning(tmp_path / "e"), open_held_out(tmp_path / "e").test
    assert data.train.timestamps.max() == 3 * day
    assert data.validation.target_timestamp.tolist() == [6 * day] * 2
    assert data.validation.history(0).tolist() == [1, 2, 3, 4, 5, 6]
    assert data.validation.sequences.n_events == 12
    assert test.target_timestamp.tolist() == [9 * day] * 2
    assert test.history(1).tolist() == list(range(1, 10))
    assert data.ledger.split.startswith("global-time(targets=last, test_from=1970-01-08")
    other = open_tuning(tmp_path / "e").ledger.model_copy(update={"k_core": 5, "split": "leave-one-out"})
    assert data.ledger.differences(other) == ("split", "k_core")
    assert data.ledger.differences(data.ledger) == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation_from": 0.9, "test_from": 0.8}, "validation_from 0.9 must come before test_from 0.8"),
        ({"validation_from": 1.5}, "a quantile must lie between 0 and 1"),
        ({"test_from": "next week"}, "'next week' is not a day such as 2019-06-30"),
        ({"targets": "first"}, "'last' or 'successive'"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate({"dataset": "synthetic", "split": {"name": "global-time", **settings}})


def test_rows_without_time_cannot_be_split_by_it():
    data = prepare_sequences(rows((1, 1, 3, -1), (1, 2, 3, 5), (1, 3, 3, 6)), k_core=1, min_user_events=3)
    with pytest.raises(DataError, match="1 of 3 rows have none: choose leave-one-out"):
        GlobalTime().parts(data)


def test_an_unknown_split_suggests_the_nearest():
    with pytest.raises(ValidationError, match="did you mean 'global-time'"):
        DataConfig.model_validate({"dataset": "synthetic", "split": {"name": "global-tim"}})


@pytest.mark.parametrize("targets", ["last", "successive"])
def test_what_may_be_counted_precedes_every_target_also_after_reading(tmp_path, targets):
    rng = np.random.default_rng(3)
    values = [(u, i, 3, int(t)) for u in range(12) for i, t in enumerate(rng.integers(0, 1000, 15))]
    split = GlobalTime(validation_from=0.6, test_from=0.8, targets=targets)
    config = DataConfig(dataset="synthetic", split=split, k_core=1)
    write_dataset(tmp_path / "entry", RawDataset(rows(*values), None), config)
    for queries in (open_tuning(tmp_path / "entry").validation, open_held_out(tmp_path / "entry").test):
        known = queries.known()
        assert 0 < known.n_events < queries.sequences.n_events + 1
        assert known.timestamps.max() < queries.target_timestamp.min()
