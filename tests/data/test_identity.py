"""Data are known again by their digits: columns with borders, whole ids, older records by their scheme."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from data_parts import rows

from reeltune.data.config import DataConfig
from reeltune.data.interactions import Interactions, RawDataset
from reeltune.data.prepare.preparation import prepare_sequences
from reeltune.data.prepare.splits import LeaveOneOut, fingerprint
from reeltune.data.prepared import Ledger
from reeltune.data.scale import RatingScale
from reeltune.data.store import open_tuning, write_dataset
from reeltune.data.texts import Texts

PLAIN = rows(*[(u, 10 + t, 3, t) for u in (1, 2) for t in range(6)])
PLAIN_1 = "3cb0a2ca32e366fce8baefa0ce52c9f060d535e760865d73e33bf9bd0342c0a8"


def with_ids(user, item):
    return Interactions(
        user=np.array(user, dtype=object),
        item=np.array(item, dtype=object),
        rating=np.full(len(user), 3, dtype=np.float32),
        timestamp=np.arange(len(user)),
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (with_ids(["a", "b"], ["cd", "e"]), with_ids(["a", "bc"], ["d", "e"])),
        (with_ids(["a\nb", "c"], ["x", "y"]), with_ids(["a", "b\nc"], ["x", "y"])),
        (replace(PLAIN, user=PLAIN.user.astype(np.int64)), replace(PLAIN, user=PLAIN.user + np.int64(2**32))),
        (
            replace(PLAIN, rank=np.arange(12)),
            replace(PLAIN, rank=np.arange(12) + 2**32),
        ),
        (
            replace(PLAIN, review=Texts.of(["ab", *[""] * 11])),
            replace(PLAIN, review=Texts.of(["a", "b", *[""] * 10])),
        ),
        (
            replace(PLAIN, rank=np.zeros(12, np.int64)),
            replace(PLAIN, label=np.zeros(12, np.int8)),
        ),
    ],
    ids=["border of columns", "border of ids", "wide ids", "wide ranks", "border of texts", "other column"],
)
def test_other_rows_have_other_digits(one, other):
    assert one.sha256() != other.sha256()


def test_the_width_of_a_column_is_no_part_of_its_digits():
    wide = replace(PLAIN, user=PLAIN.user.astype(np.int64), item=PLAIN.item.astype(np.int64))
    assert wide.sha256() == PLAIN.sha256()


def test_digits_of_scheme_1_are_those_of_older_records():
    assert PLAIN.sha256(1) == PLAIN_1


def test_an_older_ledger_knows_the_same_data_and_refuses_others(tmp_path):
    config = DataConfig(dataset="synthetic", k_core=1)
    write_dataset(tmp_path / "new", RawDataset(PLAIN), config)
    new = open_tuning(tmp_path / "new").ledger
    fields = new.plain()
    for name in ("source_scheme", "source_sha256_1", "rating_scale", "n_train_only_users"):
        del fields[name]
    older = Ledger.model_validate(fields | {"source_sha256": PLAIN_1})
    assert (new.source_scheme, older.source_scheme) == (2, 1)
    assert older.differences(new) == new.differences(older) == ()
    assert new.differences(new) == older.differences(older) == ()
    ten = RatingScale(lowest=1, highest=10, step=1)
    assert new.model_copy(update={"rating_scale": ten}).differences(new) == ("rating_scale",)
    assert new.model_copy(update={"rating_scale": ten}).differences(older) == ()
    stranger = older.model_copy(update={"source_sha256": "0" * 64})
    assert stranger.differences(new) == ("source_sha256",)
    assert new.model_copy(update={"source_sha256": "0" * 64}).differences(new) == ("source_sha256",)


def test_ids_with_tabs_do_not_share_a_fingerprint():
    def digits(user, item):
        data = with_ids([user] * 3, ["x", "y", item])
        prepared = prepare_sequences(data, k_core=1, min_user_events=3)
        return fingerprint(LeaveOneOut().parts(prepared).test, prepared.user_ids, prepared.item_ids)

    assert digits("a\tb", "c") != digits("a", "b\tc")


@pytest.mark.parametrize(
    ("config", "digits"),
    [
        ({"dataset": "synthetic"}, "10154da0df89"),
        ({"dataset": "movielens-100k", "split": "leave-one-out"}, "fec34bf7edb4"),
        (
            {
                "dataset": "movielens-1m",
                "split": {"name": "global-time", "targets": "successive"},
                "ties": "movie",
            },
            "5dd01598e99c",
        ),
        ({"dataset": "movielens-100k", "split": {"name": "k-fold", "fold": 2}, "k_core": 1}, "3f01ec7e7a70"),
        (
            {"dataset": "csv", "path": "r.csv", "columns": {"user": "u", "item": "i", "rating": "r"}},
            "e6fc9507403e",
        ),
    ],
)
def test_older_configs_keep_the_names_of_their_prepared_data(config, digits):
    plain = json.dumps(DataConfig.model_validate(config).protocol(), sort_keys=True)
    assert hashlib.sha256(plain.encode()).hexdigest()[:12] == digits
