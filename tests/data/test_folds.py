import itertools

import numpy as np
import pytest
from data_parts import rows
from pydantic import ValidationError

from reeltune.data.config import DataConfig
from reeltune.data.prepare.folds import KFold, OfficialFold
from reeltune.data.prepare.preparation import prepare_sequences
from reeltune.errors import DataError

VALUES = [(u, 10 + (u * t) % 17, 1 + t % 5, t) for u in range(1, 8) for t in range(9)]


def pairs(sequences, ids):
    users = np.repeat(np.arange(sequences.n_users), sequences.lengths)
    return [
        (int(u), int(ids[i - 1]), int(t))
        for u, i, t in zip(users, sequences.items, sequences.timestamps, strict=True)
    ]


def asked(queries, ids):
    columns = (queries.user, queries.target, queries.target_timestamp)
    return [(int(u), int(ids[i - 1]), int(t)) for u, i, t in zip(*columns, strict=True)]


@pytest.mark.parametrize("fold", [1, 2, 3])
def test_every_row_is_in_one_part(fold):
    data = prepare_sequences(rows(*VALUES), k_core=1, min_user_events=3)
    parts = KFold(n_folds=3, fold=fold, seed=3).parts(data)
    every = sorted(pairs(data.sequences, data.item_ids))
    three = [
        pairs(parts.train, data.item_ids),
        *(asked(q, data.item_ids) for q in (parts.validation, parts.test)),
    ]
    assert sorted(itertools.chain(*three)) == every
    assert sorted(pairs(parts.test.sequences, data.item_ids)) == sorted(three[0] + three[1])
    assert parts.test.n_queries == 21
    assert parts.validation.n_queries == 4
    for queries in (parts.validation, parts.test):
        for m in range(queries.n_queries):
            start, stop = queries.sequences.offsets[queries.user[m] : queries.user[m] + 2]
            times = queries.sequences.timestamps[start:stop]
            assert queries.end[m] - start == (times < queries.target_timestamp[m]).sum()


def test_folds_part_the_rows_and_follow_the_seed():
    data = prepare_sequences(rows(*VALUES), k_core=1, min_user_events=3)
    tests = [asked(KFold(n_folds=3, fold=f).parts(data).test, data.item_ids) for f in (1, 2, 3)]
    assert sorted(itertools.chain(*tests)) == sorted(pairs(data.sequences, data.item_ids))
    assert asked(KFold(n_folds=3, seed=1).parts(data).test, data.item_ids) != tests[0]


def test_official_folds_follow_the_publisher():
    fold = np.array([row % 5 + 1 for row in range(len(VALUES))], dtype=np.int8)
    data = prepare_sequences(rows(*VALUES), k_core=1, min_user_events=3, fold=fold)
    test = OfficialFold(fold=2).parts(data).test
    wanted = {(u - 1, i, t) for (u, i, _, t), f in zip(VALUES, fold, strict=True) if f == 2}
    assert set(asked(test, data.item_ids)) == wanted
    assert test.target_rating.tolist() == [1 + t % 5 for _, _, t in asked(test, data.item_ids)]


def test_sources_without_folds_say_so():
    data = prepare_sequences(rows(*VALUES), k_core=1, min_user_events=3)
    with pytest.raises(DataError, match=r"no official folds.*k-fold"):
        OfficialFold().parts(data)


def test_a_fold_rates_every_row():
    with pytest.raises(ValidationError, match="write k_core: 1"):
        DataConfig.model_validate({"dataset": "synthetic", "split": "k-fold"})
    with pytest.raises(ValidationError, match="fold 6 does not exist; there are 5"):
        DataConfig.model_validate(
            {"dataset": "synthetic", "k_core": 1, "split": {"name": "k-fold", "fold": 6}}
        )
