"""One set of values a parameter: samplers, checks, grids, warm starts and perturbation agree on it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies_for_tests import spec

from reeltune.errors import ConfigError
from reeltune.tuning.search.history import History, distribution
from reeltune.tuning.search.perturb import moved
from reeltune.tuning.search.searchers import SEARCHERS, Draw, random_point, sobol_point
from reeltune.tuning.space.grid import grid_points
from reeltune.tuning.space.parameters import Choice, FloatRange, IntRange
from reeltune.tuning.space.search_space import Space, check_point
from reeltune.tuning.study.storage import quiet_optuna

PARAMETERS = [
    FloatRange(low=-2.0, high=3.0),
    FloatRange(low=1e-5, high=1e2, log=True),
    FloatRange(low=0.1, high=0.9, step=0.2),
    FloatRange(low=0.0, high=0.6, step=0.1),
    IntRange(low=3, high=17),
    IntRange(low=1, high=512, log=True),
    IntRange(low=2, high=10, step=4),
    Choice(values=["a", 2, True]),
]
units = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize("parameter", PARAMETERS, ids=str)
@given(unit=units)
def test_every_unit_gives_a_value_of_the_parameter(parameter, unit):
    value = parameter.at(unit)
    assert parameter.nearest(value) == value
    kind = distribution(parameter)
    assert kind._contains(kind.to_internal_repr(value)), "Optuna takes it too"


@pytest.mark.parametrize("parameter", PARAMETERS[2:], ids=str)
def test_every_value_is_reached_its_share_of_times(parameter):
    counts = {}
    for unit in np.linspace(0, 1, 20001)[:-1].tolist():
        value = parameter.at(unit)
        counts[value] = counts.get(value, 0) + 1
    if isinstance(parameter, IntRange) and parameter.log:
        assert set(counts) == set(range(1, 513))
        below = sum(count for value, count in counts.items() if value <= 16)
        assert below / 20000 == pytest.approx(np.log(16.5 / 0.5) / np.log(512.5 / 0.5), abs=0.01)
    else:
        assert list(counts) == parameter.grid()
        assert max(counts.values()) - min(counts.values()) <= 2


STEPPED = """
model: gru
space:
  model.dropout: {kind: float, low: 0, high: 0.6, step: 0.1}
"""
WRITTEN = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def test_a_stepped_range_has_the_values_that_one_writes():
    described = spec(STEPPED, searcher="grid", scheduler="none")
    space, base = described.space, described.trial.plain()
    parameter = space.space["model.dropout"]
    assert parameter.grid() == WRITTEN
    assert [point["model.dropout"] for point in grid_points(space, base)] == WRITTEN
    assert [parameter.nearest(value) for value in WRITTEN] == WRITTEN
    assert parameter.nearest(0.1 + 0.2) == 0.3
    for value in (*WRITTEN, 0.1 + 0.2, 3 * 0.2):
        check_point(space, {"model.dropout": value}, "here", base)
    with pytest.raises(ConfigError, match=r"0\.25 is outside the space; the nearest value is 0\.2"):
        check_point(space, {"model.dropout": 0.25}, "here", base)
    assert space.default(base | {"model": base["model"] | {"dropout": 0.3}}) == {"model.dropout": 0.3}
    rng = np.random.default_rng(0)
    assert {moved(parameter, value, 0.3, rng) for value in WRITTEN for _ in range(50)} == set(WRITTEN)
    assert FloatRange(low=0.05, high=0.3, step=0.1).grid() == [0.05, 0.15, 0.25]


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_a_searcher_suggests_values_of_the_grid(searcher):
    quiet_optuna()
    text = STEPPED + "  training.weight_decay: {kind: float, low: 0, high: 0.3, step: 0.1}\n"
    described = spec(text, scheduler="none")
    settings = {"population": 3} if "nsga" in searcher else {"n_initial": 2}
    config_class = SEARCHERS[searcher].config_class
    settings = {name: value for name, value in settings.items() if name in config_class.model_fields}
    history = History(described.space, config_class(**settings), 3, ["maximize"])
    told = []
    for number in range(8):
        history.advance(told, number)
        fixed = {"model.dropout": 0.1 + 0.2, "training.weight_decay": 0.3} if number == 0 else {}
        trial = history.suggest(described.trial.plain(), fixed)
        assert trial.params["model.dropout"] in WRITTEN
        assert trial.params["training.weight_decay"] in WRITTEN[:4]
        told.append(_ended(trial, trial.params["model.dropout"]))


def _ended(trial, value):
    import optuna

    return optuna.trial.create_trial(value=value, params=trial.params, distributions=trial.distributions)


def test_too_fine_a_step_is_refused():
    with pytest.raises(ValueError, match="step 1e-30 makes more than 1000000000 values; use a wider step"):
        FloatRange(low=0.0, high=1.0, step=1e-30)


def test_equal_choices_are_one():
    assert Choice(values=[0, 0.0, 0.5]).values == [0, 0.5]
    assert Choice(values=[0.0, 0, 1, 1.0, True]).values == [0.0, 1, True]
    with pytest.raises(ValueError, match="1 values are no choice"):
        Choice(values=[1, 1.0])
    described = spec(
        "model: gru\nspace:\n  model.embedding_dropout: {kind: choice, values: [0, 0.0, 0.5]}\n",
        searcher="grid",
        scheduler="none",
    )
    base = described.trial.plain()
    assert grid_points(described.space, base) == [
        {"model.embedding_dropout": 0},
        {"model.embedding_dropout": 0.5},
    ]
    check_point(described.space, {"model.embedding_dropout": 0.0}, "here", base)
    with pytest.raises(ConfigError, match="True is outside the space"):
        check_point(spec().space, {"training.batch_size": True}, "here", base)


def draw(number, attempt=0, n=2, seed=5):
    names = {f"training.x{i}": FloatRange(low=0.0, high=1.0) for i in range(n)}
    return Draw(Space(model="gru", space=names), {}, seed, number, attempt)


@pytest.mark.parametrize("point", [random_point, sobol_point])
def test_points_depend_on_the_number_alone(point):
    forward = [point(draw(number, n=4)) for number in range(8)]
    backward = [point(draw(number, n=4)) for number in reversed(range(8))][::-1]
    assert forward == backward
    assert len({tuple(one.values()) for one in forward}) == 8
    assert point(draw(3)) != point(draw(3, attempt=1))


def test_sobol_points_fill_the_square_evenly():
    points = np.stack([list(sobol_point(draw(number)).values()) for number in range(64)])
    counts, *_ = np.histogram2d(*points.T, bins=4, range=[[0, 1], [0, 1]])
    assert (counts == 4).all()
