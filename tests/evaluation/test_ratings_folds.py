import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.data.config import DataConfig
from reeltune.data.prepare.folds import KFold
from reeltune.data.ratings import Ratings
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import ConfigError, DataError
from reeltune.evaluation import ratings as module
from reeltune.evaluation.ratings import evaluate_ratings, load_rating_spec

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[2]
SMALL = """
dataset: synthetic
folds: {name: k-fold, n_folds: 3, which: [1, 3]}
network:
  model: {name: rnn, embedding_dim: 4, hidden_dim: 4, inputs: {rating: true}}
  training: {max_epochs: 1, batch_size: 64}
baselines: [{name: global-mean}, {name: biases}]
"""


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def test_every_predictor_is_told_over_the_folds(experiment):
    lines = []
    found = evaluate_ratings(load_rating_spec(experiment), notify=lines.append)
    assert list(found["models"]) == ["RNN", "global mean", "biases"]
    assert [fold["split"] for fold in found["folds"]] == [
        f"k-fold(fold={fold}, n_folds=3, seed=17)" for fold in (1, 3)
    ]
    n_test = sum(fold["n_test"] for fold in found["folds"])
    for name, model in found["models"].items():
        mean = sum(fold["errors"][name]["rmse"] for fold in found["folds"]) / 2
        assert model["rmse"]["mean"] == pytest.approx(mean)
        assert sum(map(sum, model["decisions"]["matrix"])) == n_test
        assert sum(map(sum, model["decisions"]["star_matrix"])) == n_test
    assert json.loads(json.dumps(found)) == found
    assert any("rmse" in line for line in lines)
    assert found["folds"][0]["fingerprint"] != found["folds"][1]["fingerprint"]


def test_the_command_prints_tables_and_writes_the_figures(experiment, tmp_path):
    out, page = tmp_path / "found.json", tmp_path / "found.html"
    result = CliRunner().invoke(
        app,
        ["ratings", str(experiment), "--out", str(out), "--report", str(page), "--set", "folds.which=[2]"],
    )
    assert result.exit_code == 0, result.output
    assert "majority class" in result.output
    assert "actually liked" in result.output
    assert "actually 5" in result.output
    assert json.loads(out.read_text())["spec"]["folds"]["which"] == [2]
    drawn = page.read_text(encoding="utf-8")
    assert drawn.count('class="matrix"') == 2
    assert "majority class" in drawn
    assert "http://" not in drawn.replace("http://www.w3.org", "")


def test_data_without_ratings_are_refused(experiment, monkeypatch):
    data = open_tuning(prepare(DataConfig(dataset="synthetic", split=KFold(n_folds=3), k_core=1)))
    none = Ratings.of(data.validation.select(np.zeros(0, dtype=int)))
    monkeypatch.setattr(module.Ratings, "of", lambda queries: none)
    with pytest.raises(DataError, match="synthetic has too few ratings"):
        evaluate_ratings(load_rating_spec(experiment))


def test_bad_values_name_file_and_line(experiment):
    with pytest.raises(ConfigError, match=r"network\.training\.max_epochs"):
        load_rating_spec(experiment, ["network.training.max_epochs=0"])
    with pytest.raises(ConfigError, match="fold 4 does not exist"):
        load_rating_spec(experiment, ["folds.which=[4]"])
    with pytest.raises(ConfigError, match="no folds but 5"):
        load_rating_spec(experiment, ["folds.name=official-fold"])


@pytest.mark.parametrize(
    "path", sorted((ROOT / "experiments" / "ratings").glob("*.yaml")), ids=lambda p: p.name
)
def test_the_experiments_of_the_repository_can_be_read(path):
    assert load_rating_spec(path).question
