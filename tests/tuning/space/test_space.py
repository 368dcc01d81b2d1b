# ruff: noqa: E501 - one line a case reads best
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.config import parse_yaml
from reeltune.errors import ConfigError
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.config import TrainingConfig
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.space.parameters import Choice, FloatRange, IntRange
from reeltune.tuning.space.search_space import Space, check_point, flatten, unflatten

SECTIONS = {"model": GRUConfig(), "training": TrainingConfig()}
BASE = {name: config.plain() for name, config in SECTIONS.items()}


def parsed(*lines, head="model: gru\nspace:\n"):
    text = head + "".join(f"  {line}\n" for line in lines)
    return parse_space(parse_yaml(text, "gru.yaml"), SECTIONS, "gru")


GOOD = [
    "model.embedding_dim: {kind: choice, values: [32, 64, 128]}",
    "model.hidden_dim: {kind: int, low: 32, high: 512, log: true}",
    "training.learning_rate: {kind: float, low: 1e-4, high: 3.0e-2, log: true}",
    "training.schedule: {kind: choice, values: [one-cycle, constant]}",
    "training.warmup_fraction: {kind: float, low: 0.1, high: 0.5, when: {training.schedule: one-cycle}}",
]


def test_a_good_space_is_read():
    space = parsed(*GOOD)
    assert list(space.space) == [line.partition(":")[0] for line in GOOD]
    assert space.space["training.learning_rate"] == FloatRange(low=1e-4, high=3e-2, log=True)
    assert Space.model_validate(space.plain()) == space, "it travels through study.json"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("modle.hidden_dim: {kind: int, low: 1, high: 2}", "gru.yaml:3: unknown parameter 'modle.hidden_dim': did you mean 'model.hidden_dim'"),
        ("training.learningrate: {kind: float, low: 0.1, high: 0.2}", "did you mean 'training.learning_rate'"),
        ("model.name: {kind: choice, values: [gru, lstm]}", "unknown parameter 'model.name'"),
        ("model.dropout: {kind: float, low: 0.3, high: 0.03}", "gru.yaml:3: model.dropout: low 0.3 is above high 0.03; swap them"),
        ("model.dropout: {kind: float, low: 0.3, high: 0.3}", "low and high are both 0.3"),
        ("training.weight_decay: {kind: float, low: 0.0, high: 0.1, log: true}", "a logarithmic scale starts above 0, low is 0.0"),
        ("training.learning_rate: {kind: float, low: '1e-4', high: 0.1}", "low is the text '1e-4', not a number; write it without quotes"),
        ("training.learning_rate: {kind: float, low: tiny, high: 0.1}", "low is the text 'tiny', not a number"),
        ("model.dropout: {kind: float, low: 0.0, high: 1.5}", "model.dropout: 1.5: Input should be less than or equal to 0.95"),
        ("model.hidden_dim: {kind: float, low: 8.5, high: 64.0}", "model.hidden_dim: 8.5: Input should be a valid integer"),
        ("model.n_layers: {kind: choice, values: [1, two]}", "model.n_layers: 'two': Input should be a valid integer"),
        ("model.n_layers: {kind: choice, values: ['1', '2']}", "model.n_layers: '1': Input should be a valid integer; write it without quotes"),
        ("model.n_layers: {kind: choice, values: [1]}", "1 values are no choice"),
        ("model.n_layers: {kind: choice, values: [1, 2, 1]}", "the value 1 stands twice"),
        ("model.n_layers: {kind: choices, values: [1, 2]}", "unknown kind 'choices': did you mean 'choice'"),
        ("model.n_layers: {values: [1, 2]}", "the key 'kind' is missing"),
        ("model.n_layers: 3", "expected {kind: ..., ...}, found 3"),
        ("model.n_layers: {kind: int, lo: 1, high: 2}", "unknown key 'lo': did you mean 'low'"),
        ("model.n_layers: {kind: int, low: 1}", "the key 'high' is missing"),
        ("model.n_layers: {kind: int, low: 1, high: 4, step: 9}", "step 9 is wider than the range"),
        ("model.n_layers: {kind: int, low: 1, high: 4, step: 2, log: true}", "a step or a logarithmic scale, not both"),
        ("model.n_layers: {kind: int, low: 1, high: 4, when: {training.shedule: constant}}", "when: unknown parameter 'training.shedule'"),
        ("model.n_layers: {kind: int, low: 1, high: 4, when: {model.n_layers: 2}}", "must stand above"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named(line, message):
    with pytest.raises(ConfigError) as error:
        parsed(line)
    assert message in str(error.value)
    assert str(error.value).startswith("gru.yaml:")


@pytest.mark.parametrize("text", ["model: gru\n", "model: gru\nspace:\n", "model: gru\nspace: {}\n"])
def test_an_empty_space_is_refused(text):
    with pytest.raises(ConfigError, match="the space is empty"):
        parse_space(parse_yaml(text, "gru.yaml"), SECTIONS, "gru")


def test_an_unknown_top_key_is_refused():
    with pytest.raises(ConfigError, match="unknown key 'spaces': did you mean 'space'"):
        parse_space(parse_yaml("model: gru\nspaces: {}\n", "gru.yaml"), SECTIONS, "gru")


bounds = st.tuples(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3)).filter(lambda b: b[0] < b[1]).map(sorted)


@given(bounds, st.floats(-1e4, 1e4))
def test_the_nearest_real_number_lies_inside(ends, value):
    low, high = ends
    nearest = FloatRange(low=low, high=high).nearest(value)
    assert low <= nearest <= high
    assert nearest == value or not low <= value <= high


@given(st.integers(-50, 50), st.integers(1, 60), st.integers(1, 7), st.floats(-200, 200))
def test_the_nearest_whole_number_lies_on_a_step(low, width, step, value):
    high = low + width
    parameter = IntRange(low=low, high=high, step=min(step, width))
    nearest = parameter.nearest(value)
    assert low <= nearest <= high
    assert (nearest - low) % parameter.step == 0
    assert all(abs(nearest - value) <= abs(other - value) for other in range(low, high + 1, parameter.step))


@given(st.lists(st.integers(1, 100), min_size=2, max_size=5, unique=True), st.integers(-100, 200))
def test_the_nearest_choice_is_a_choice(values, value):
    nearest = Choice(values=values).nearest(value)
    assert nearest in values
    assert all(abs(nearest - value) <= abs(other - value) for other in values)


def test_the_default_is_the_nearest_point_to_the_configuration():
    space = parsed(*GOOD)
    base = {name: config.plain() for name, config in SECTIONS.items()}
    point = space.default(base)
    assert point == {
        "model.embedding_dim": GRUConfig().embedding_dim,
        "model.hidden_dim": 128,
        "training.learning_rate": 0.004,
        "training.schedule": "one-cycle",
        "training.warmup_fraction": TrainingConfig().warmup_fraction,
    }
    narrow = parsed(
        "model.hidden_dim: {kind: int, low: 8, high: 16}",
        "model.embedding_dim: {kind: choice, values: [8, 16]}",
    )
    assert narrow.default(base) == {"model.hidden_dim": 16, "model.embedding_dim": 16}


def test_a_condition_leaves_a_parameter_out():
    space = parsed(*GOOD)
    constant = {"model": GRUConfig().plain(), "training": TrainingConfig(schedule="constant").plain()}
    assert "training.warmup_fraction" not in space.default(constant)


def test_points_are_put_into_the_configuration():
    space = parsed(*GOOD)
    base = {"model": GRUConfig().plain(), "training": TrainingConfig().plain(), "objective": "ndcg@10"}
    config = space.apply(base, {"model.hidden_dim": 32})
    assert config["model"] == GRUConfig(hidden_dim=32).plain()
    assert config["training"] == base["training"]


@given(
    st.recursive(
        st.integers() | st.text(),
        lambda inner: st.dictionaries(st.text("abc", min_size=1), inner, min_size=1),
        max_leaves=8,
    ).filter(lambda value: isinstance(value, dict))
)
def test_flattening_loses_nothing(value):
    assert unflatten(flatten(value)) == value


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"model.hiden_dim": 64}, "did you mean 'model.hidden_dim'"),
        ({"model.hidden_dim": 1000}, "1000 is outside the space; the nearest value is 512"),
        ({"model.embedding_dim": 65}, "65 is outside the space; the nearest value is 64"),
        ({"model.embedding_dim": "64"}, "'64' is outside the space"),
        ({"model.hidden_dim": "wide"}, "'wide' is not a number"),
        ({"model.hidden_dim": True}, "True is not a number"),
        ({"model.embedding_dim": 64}, "gives no value of model.hidden_dim"),
    ],
)
def test_a_given_point_outside_the_space_is_refused(point, message):
    with pytest.raises(ConfigError, match="here: ") as error:
        check_point(parsed(*GOOD), point, "here", BASE)
    assert message in str(error.value)
