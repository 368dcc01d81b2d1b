import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reeltune.evaluation.analyses import importance as module
from reeltune.evaluation.analyses.importance import shares_of
from reeltune.tuning.space.search_space import Space

SPACE = Space.model_validate({
    "model": "gru",
    "space": {
        "model.dropout": {"kind": "float", "low": 0.0, "high": 1.0},
        "training.learning_rate": {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True},
        "training.batch_size": {"kind": "choice", "values": [16, 32, 64]},
    },
})  # fmt: skip


def points(n: int, seed: int = 0):
    chance = random.Random(seed)
    return [
        {
            "model.dropout": chance.random(),
            "training.learning_rate": 10 ** chance.uniform(-4, -2),
            "training.batch_size": chance.choice([16, 32, 64]),
        }
        for _ in range(n)
    ]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(module, "N_RESAMPLES", 5)
    monkeypatch.setattr(module, "N_TREES", 8)


def test_a_field_alone_explains_what_depends_on_it_alone():
    found = points(80)
    shares = shares_of(SPACE, found, [point["model.dropout"] for point in found])
    assert next(iter(shares.fields)) == "model.dropout"
    assert shares.fields["model.dropout"].share > 0.9
    assert sum(of.share for of in shares.fields.values()) <= 1.0 + 1e-9


def test_what_two_explain_together_is_credited_to_neither():
    found = points(200)
    values = [
        float((point["model.dropout"] > 0.5) != (point["training.learning_rate"] > 1e-3)) for point in found
    ]
    shares = shares_of(SPACE, found, values)
    assert max(of.share for of in shares.fields.values()) < 0.5


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_a_share_lies_within_its_range_and_one_field_explains_everything(seed):
    chance = random.Random(seed)
    values = [chance.random() for _ in range(20)]
    shares = shares_of(SPACE, points(20, seed), values)
    assert all(0 <= of.low <= of.share <= of.high <= 1 + 1e-9 for of in shares.fields.values())
    one = SPACE.model_copy(update={"space": dict(list(SPACE)[:1])})
    assert shares_of(one, points(20, seed), values).fields["model.dropout"].share == pytest.approx(1.0)


def test_shares_agree_with_a_grid_over_the_forest():
    import numpy as np
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(3)
    places = rng.random((30, 2))
    tree = DecisionTreeRegressor(random_state=0).fit(places, np.sin(6 * places[:, 0]) * places[:, 1])
    found = module._of_tree(*module._leaves(tree.tree_, 2))
    middle = (np.arange(400) + 0.5) / 400
    grid = tree.predict(np.stack(np.meshgrid(middle, middle, indexing="ij"), -1).reshape(-1, 2)).reshape(
        400, 400
    )
    first, second = grid.mean(axis=1), grid.mean(axis=0)
    assert found[0] == pytest.approx(first.var() / grid.var(), abs=0.01)
    assert found[1] == pytest.approx(second.var() / grid.var(), abs=0.01)


def test_too_little_says_nothing():
    assert shares_of(SPACE, points(3), [1.0, 2.0, 3.0]).fields == {}
    assert shares_of(SPACE, points(6), [1.0] * 6).fields == {}
    assert shares_of(SPACE, [], []).fields == {}


def test_fields_that_some_trial_lacks_are_left_out():
    found = points(10)
    del found[0]["model.dropout"]
    shares = shares_of(SPACE, found, [float(i) for i in range(10)])
    assert set(shares.fields) == {"training.learning_rate", "training.batch_size"}
