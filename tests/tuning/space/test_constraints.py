import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.config import parse_yaml
from reeltune.errors import ConfigError
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.networks.lstm import LSTMConfig
from reeltune.training.config import TrainingConfig
from reeltune.tuning.search.history import History
from reeltune.tuning.search.searchers import SEARCHERS
from reeltune.tuning.space.constraints import broken_constraint, parse_constraint
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.space.search_space import check_point
from reeltune.tuning.study.storage import quiet_optuna

SECTIONS = {"model": GRUConfig(), "training": TrainingConfig()}
BASE = {name: config.plain() for name, config in SECTIONS.items()}
SPACE = """
model: gru
space:
  model.embedding_dim: {kind: choice, values: [16, 32, 64, 128]}
  model.hidden_dim: {kind: int, low: 16, high: 128, log: true}
  training.learning_rate: {kind: float, low: 1e-3, high: 1e-1, log: true}
  model.dropout: {kind: float, low: 0.0, high: 0.5}
constraints:
  - model.hidden_dim >= model.embedding_dim
  - training.learning_rate * model.hidden_dim <= 2 or model.dropout < 0.1
"""
BOTH = """
model: [gru, lstm]
space:
  model.hidden_dim: {kind: int, low: 16, high: 128}
  training.learning_rate: {kind: float, low: 1e-3, high: 1e-1, log: true}
  model.dropout: {kind: float, low: 0.0, high: 0.5, when: {model.name: lstm}}
"""

CONDITIONS = (
    "m.a >= m.b",
    "-9 <= m.a - m.b * 2 < m.c",
    "not (m.a < 3 and m.b == 2) or m.c > 0",
    "m.a % 2 == 0",
)


def parsed(text=SPACE, others=()):
    return parse_space(parse_yaml(text, "s.yaml"), SECTIONS, "gru", others)


@given(st.integers(-9, 9), st.integers(-9, 9), st.floats(-9, 9))
def test_conditions_mean_what_python_means(a, b, c):
    values = {"m.a": a, "m.b": b, "m.c": c}
    for text in (
        "m.a >= m.b",
        "-9 <= m.a - m.b * 2 < m.c",
        "not (m.a < 3 and m.b == 2) or m.c > 0",
        "m.a % 2 == 0",
    ):
        expected = eval(text.replace("m.", ""), {"a": a, "b": b, "c": c})  # noqa: S307 - the reference
        assert parse_constraint(text).holds(values) is bool(expected)


def test_conditions_on_absent_fields_hold_and_division_by_zero_does_not():
    assert parse_constraint("model.heads < 4").holds({"model.hidden_dim": 8})
    assert not parse_constraint("1 / m.a > 0").holds({"m.a": 0})
    assert parse_constraint("m.a == 0 or 1 / m.a > 1").holds({"m.a": 0}), "what decides comes first"
    assert broken_constraint(["m.a > 1", "m.a > 5"], {"m.a": 3}) == "m.a > 5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model.hidden_dim >=", "is no expression"),
        ("__import__('os').system('true')", "is not understood"),
        ("f(model.hidden_dim)", "is not understood"),
        ("[x for x in model.hidden_dim]", "is not understood"),
        ("model.hidden_dim ** 99999", "is not understood"),
        ("1 < 2", "names no parameter"),
        ("model.hiden_dim > 3", "did you mean 'model.hidden_dim'"),
        ("3", "put the condition into quotes"),
    ],
)
def test_a_bad_condition_is_named_with_its_line(text, message):
    written = text if text == "3" else f'"{text}"'
    with pytest.raises(ConfigError) as error:
        parsed(SPACE.split("constraints:", maxsplit=1)[0] + f"constraints:\n  - {written}\n")
    assert message in str(error.value)
    assert str(error.value).startswith("s.yaml:9: ")


def test_values_that_do_not_compare():
    with pytest.raises(ConfigError, match="cannot be computed"):
        parse_constraint("m.a > m.b").holds({"m.a": 1, "m.b": "x"})


@pytest.mark.parametrize("searcher", [name for name in SEARCHERS if name not in ("grid", "gp")])
def test_every_suggestion_meets_the_conditions(searcher):
    quiet_optuna()
    space = parsed()
    history = History(space, SEARCHERS[searcher].config_class(), 3, ["maximize"])
    points = [history.suggest(BASE, {}).params for _ in range(12)]
    assert all(space.broken(BASE, point) is None for point in points)
    assert len({str(point) for point in points}) == 12


def test_conditions_that_nothing_meets_are_told():
    quiet_optuna()
    space = parsed(SPACE + "  - model.hidden_dim > 500\n")
    history = History(space, SEARCHERS["random"].config_class(), 3, ["maximize"])
    with pytest.raises(
        ConfigError, match=r"none of \d+ points drawn for trial 0 meets .*hidden_dim > 500.* stood"
    ):
        history.suggest(BASE, {})


def test_a_given_point_knows_the_conditions():
    point = {
        "model.embedding_dim": 128, "model.hidden_dim": 16,
        "training.learning_rate": 0.001, "model.dropout": 0.0,
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"here: the point breaks the constraint 'model\.hidden_dim >= "):
        check_point(parsed(), point, "here", BASE)


def test_several_models_in_one_space():
    lstm = LSTMConfig(dropout=0.3)
    space = parsed(BOTH, [lstm])
    assert space.default(BASE)["model.name"] == "gru"
    assert "model.dropout" not in space.default(BASE)
    assert space.default(BASE, "lstm")["model.dropout"] == 0.3
    config = space.apply(BASE, {"model.name": "lstm", "model.hidden_dim": 20, "model.dropout": 0.1})
    assert config["model"] == LSTMConfig(hidden_dim=20, dropout=0.1).plain()
    assert config["training"] == BASE["training"]
    quiet_optuna()
    history = History(space, SEARCHERS["random"].config_class(), 3, ["maximize"])
    points = [history.suggest(BASE, {}).params for _ in range(16)]
    assert {point["model.name"] for point in points} == {"gru", "lstm"}
    assert all(("model.dropout" in point) == (point["model.name"] == "lstm") for point in points)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("when: {model.name: lstm}", "when: {model.name: lstn}", "unknown model.name 'lstn'"),
        ("high: 0.5, when", "high: 1.5, when", "1.5: Input should be less than"),
        ("model.hidden_dim", "model.hiden_dim", "did you mean 'model.hidden_dim'"),
    ],
)
def test_a_bad_line_among_several_models(old, new, message):
    with pytest.raises(ConfigError) as error:
        parsed(BOTH.replace(old, new), [LSTMConfig()])
    assert message in str(error.value)
