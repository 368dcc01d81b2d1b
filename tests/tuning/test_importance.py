import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study import importance as module
from reeltune.tuning.study.importance import shares_of

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
    assert max(of.share for of in shares.pairs.values()) < 0.05


def test_a_pair_explains_what_depends_on_both_together():
    found = points(200)
    values = [
        float((point["model.dropout"] > 0.5) != (point["training.learning_rate"] > 1e-3)) for point in found
    ]
    shares = shares_of(SPACE, found, values)
    pair, of = next(iter(shares.pairs.items()))
    assert set(pair) == {"model.dropout", "training.learning_rate"}
    assert of.share > 0.5 > max(other.share for other in shares.fields.values())
    assert of.low <= of.high
    assert shares.plain()["pairs"][" x ".join(pair)] == of.plain()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_two_fields_and_their_pair_explain_everything(seed):
    two = SPACE.model_copy(update={"space": dict(list(SPACE)[:2])})
    chance = random.Random(seed)
    shares = shares_of(two, points(20, seed), [chance.random() for _ in range(20)])
    total = sum(of.share for of in [*shares.fields.values(), *shares.pairs.values()])
    assert total == pytest.approx(1.0)


def test_shares_agree_with_a_grid_over_the_forest():
    import numpy as np
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(3)
    places = rng.random((30, 2))
    tree = DecisionTreeRegressor(random_state=0).fit(places, np.sin(6 * places[:, 0]) * places[:, 1])
    found = module._of_tree(*module._leaves(tree.tree_, 2), [(0,), (1,), (0, 1)])
    middle = (np.arange(400) + 0.5) / 400
    grid = tree.predict(np.stack(np.meshgrid(middle, middle, indexing="ij"), -1).reshape(-1, 2)).reshape(
        400, 400
    )
    first, second = grid.mean(axis=1), grid.mean(axis=0)
    assert found[0,] == pytest.approx(first.var() / grid.var(), abs=0.01)
    assert found[1,] == pytest.approx(second.var() / grid.var(), abs=0.01)
    both = (grid - first[:, None] - second[None] + grid.mean()).var() / grid.var()
    assert found[0, 1] == pytest.approx(both, abs=0.01)


def test_too_little_says_nothing():
    assert shares_of(SPACE, points(3), [1.0, 2.0, 3.0]).fields == {}
    assert shares_of(SPACE, points(6), [1.0] * 6).pairs == {}
    assert shares_of(SPACE, [], []).fields == {}


def test_fields_that_some_trial_lacks_are_left_out():
    found = points(10)
    del found[0]["model.dropout"]
    shares = shares_of(SPACE, found, [float(i) for i in range(10)])
    assert set(shares.fields) == {"training.learning_rate", "training.batch_size"}
