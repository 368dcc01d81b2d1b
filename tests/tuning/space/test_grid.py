"""A grid visits exactly the points that conditions and constraints leave, each once."""

import itertools

import pytest
from studies_for_tests import ledger, spec

from reeltune.config import parse_yaml
from reeltune.errors import ConfigError
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.networks.lstm import LSTMConfig
from reeltune.training.config import TrainingConfig
from reeltune.tuning.search.history import History
from reeltune.tuning.search.searchers import GridConfig, check_searcher
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.space.grid import grid_points
from reeltune.tuning.space.search_space import check_point
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.storage import quiet_optuna

SECTIONS = {"model": GRUConfig(), "training": TrainingConfig()}
BASE = {name: config.plain() for name, config in SECTIONS.items()}
CONDITIONAL = """
model: gru
space:
  model.n_layers: {kind: int, low: 1, high: 3}
  model.dropout: {kind: float, low: 0.0, high: 0.5, step: 0.25, when: {model.n_layers: [2, 3]}}
  training.loss: {kind: choice, values: [softmax, gbce]}
  training.n_negatives: {kind: choice, values: [64, 256], when: {training.loss: gbce}}
  training.gbce_calibration: {kind: float, low: 0.5, high: 1.0, step: 0.5, when: {training.n_negatives: 64}}
"""
CONSTRAINED = """
model: gru
space:
  model.embedding_dim: {kind: choice, values: [16, 32, 64]}
  model.hidden_dim: {kind: choice, values: [16, 32, 64]}
constraints:
  - model.hidden_dim >= model.embedding_dim
"""
BOTH = """
model: [gru, lstm]
space:
  model.hidden_dim: {kind: choice, values: [16, 32]}
  model.dropout: {kind: choice, values: [0.0, 0.2, 0.4], when: {model.name: lstm}}
"""


def parsed(text, others=()):
    return parse_space(parse_yaml(text, "s.yaml"), SECTIONS, "gru", others)


def test_a_parameter_whose_condition_does_not_hold_is_not_multiplied():
    points = grid_points(parsed(CONDITIONAL), BASE)
    # By hand: 1 + 2 * 3 networks; softmax alone, gbce with 256, gbce with 64 and two calibrations. The
    # default of 256 negatives under softmax makes no calibration active.
    assert len(points) == (1 + 2 * 3) * (1 + 1 + 2)
    assert len({str(sorted(point.items())) for point in points}) == len(points)
    for point in points:
        check_point(parsed(CONDITIONAL), point, "here", BASE)
        assert ("model.dropout" in point) == (point["model.n_layers"] > 1)
        assert ("training.n_negatives" in point) == (point["training.loss"] == "gbce")
        assert ("training.gbce_calibration" in point) == (point.get("training.n_negatives") == 64)


def test_points_that_break_a_constraint_are_left_out():
    points = grid_points(parsed(CONSTRAINED), BASE)
    expected = [(e, h) for e, h in itertools.product([16, 32, 64], repeat=2) if h >= e]
    assert [(point["model.embedding_dim"], point["model.hidden_dim"]) for point in points] == expected


def test_each_model_has_its_own_points():
    points = grid_points(parsed(BOTH, [LSTMConfig()]), BASE)
    names = [point["model.name"] for point in points]
    assert names.count("gru") == 2
    assert names.count("lstm") == 6


@pytest.mark.parametrize("text", [CONDITIONAL, CONSTRAINED])
def test_a_study_visits_each_point_once_and_no_other(text, tmp_path):
    quiet_optuna()
    described = spec(space=text, searcher="grid", trials=1000)
    base = described.trial.plain()
    points = grid_points(described.space, base)
    assert Study.create(tmp_path / "s", described, ledger()).n_trials == len(points)
    history = History(described.space, described.study.searcher, 3, ["maximize"])
    found = [history.suggest(base, {}).params for _ in points]
    assert sorted(map(str, found)) == sorted(map(str, points))


def test_a_grid_without_a_point_is_refused():
    with pytest.raises(ConfigError, match="none of the 9 points of the grid meets all constraints; loosen"):
        check_searcher(GridConfig(), parsed(CONSTRAINED + "  - model.hidden_dim < 16\n"), BASE)


def test_a_grid_too_large_is_refused_before_it_is_made():
    lines = [
        f"  training.{name}: {{kind: int, low: 1, high: 1000}}\n"
        for name in ("batch_size", "max_epochs", "patience")
    ]
    with pytest.raises(ConfigError, match="has 1000000000 points or more, at most 1000000 are allowed"):
        grid_points(parsed("model: gru\nspace:\n" + "".join(lines)), BASE)
