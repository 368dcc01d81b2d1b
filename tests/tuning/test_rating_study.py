"""A study of ratings is a study like any other: spaces with conditions, rows, what its metrics allow."""

from pathlib import Path

import pytest

from reeltune.data.ratings import Ratings
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import ConfigError, StudyError
from reeltune.evaluation.final import evaluate_study
from reeltune.evaluation.leaderboard import make_leaderboard
from reeltune.report.study import render_report
from reeltune.serving.bundle.export import export_study
from reeltune.training.rating import load_rater
from reeltune.tuning.study.experiment_file import load_experiment
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.serial import run_serially

EXPERIMENT = """
data: {dataset: synthetic, split: {name: k-fold, n_folds: 4}, k_core: 1}
task: rating
model: {embedding_dim: 4, hidden_dim: 4, inputs: {rating: true}}
head: {factors: 4}
training: {max_epochs: 2, batch_size: 64}
study:
  space:
    model: [gru, rnn]
    space:
      training.learning_rate: {kind: float, low: 1.0e-3, high: 2.0e-2, log: true}
      head.dropout: {kind: float, low: 0.0, high: 0.6, when: {model.name: gru}}
  searcher: random
  trials: 4
  keep_checkpoints: 4
"""
BASELINE = """
data: {dataset: synthetic, split: {name: k-fold, n_folds: 4}, k_core: 1}
task: rating
study:
  space:
    model: biases
    space: {model.user_regularization: {kind: float, low: 1.0, high: 50.0, log: true}}
  trials: 3
"""


def load(folder: Path, text: str):
    path = folder / "exp.yaml"
    path.write_text(text, encoding="utf-8")
    return load_experiment(path)


def run(folder: Path, text: str) -> Study:
    spec = load(folder, text).study_spec()
    prepared = prepare(spec.data)
    study = Study.create(folder / "study", spec, open_tuning(prepared).ledger)
    run_serially(study, prepared)
    return study


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return run(tmp_path_factory.mktemp("ratings"), EXPERIMENT)


def test_the_smallest_error_wins_and_conditions_hold(study):
    rows = study.rows()
    assert [str(row.state) for row in rows] == ["complete"] * 4
    assert study.best()[0].value == min(row.value for row in rows)
    assert {row.config["model"]["name"] for row in rows} == {"gru", "rnn"}
    for row in rows:
        assert ("head.dropout" in row.params) == (row.config["model"]["name"] == "gru")
        assert row.config["task"] == "rating"
        assert row.metrics.keys() == {"rmse", "mae"}
        assert row.value == row.metrics["rmse"] == min(e.metrics["rmse"] for e in study.epochs(row.number))


def test_a_trial_left_a_model_that_predicts(study):
    asked = Ratings.of(open_tuning(prepare(study.spec.data)).validation)
    best = study.best()[0]
    predicted = load_rater(study.trial_directory(best.number) / "best.ckpt")(asked)
    assert float(((predicted - asked.stars) ** 2).mean() ** 0.5) == pytest.approx(best.value, abs=1e-6)


def test_the_same_study_again_gives_the_same_rows(study, tmp_path):
    again = run(tmp_path, EXPERIMENT)
    assert [(row.params, row.value) for row in again.rows()] == [(r.params, r.value) for r in study.rows()]


def test_a_rating_baseline_is_tuned_alike(tmp_path):
    rows = run(tmp_path, BASELINE).rows()
    assert len({row.value for row in rows}) == 3
    assert all(row.n_epochs == 1 for row in rows)


def test_its_page_is_drawn(study):
    assert "rmse" in render_report(study.directory).lower()


def test_what_needs_ranked_movies_refuses_in_one_line(study, tmp_path):
    for ask in (make_leaderboard, evaluate_study, lambda folder: export_study(folder, tmp_path / "bundle")):
        with pytest.raises(StudyError, match="predicts ratings, and this command judges ranked movies"):
            ask(study.directory)
    assert not (tmp_path / "bundle").exists()
    assert not (study.directory / "evaluation.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "searcher: random",
            "objective: ndcg@10",
            r"exp.yaml:\d+: ndcg@10 is not measured in the task rating",
        ),
        ("task: rating\n", "", r"exp.yaml:4: head belongs to the task rating; add task: rating"),
        ("task: rating", "task: stars", "task: Input should be 'next-item' or 'rating'"),
        ("model: [gru, rnn]", "model: ease", "unknown model 'ease'"),
        ("factors: 4", "factor: 4", r"exp.yaml:5: unknown key 'factor': did you mean 'factors'"),
        ("head.dropout", "head.dropuot", r"unknown parameter 'head.dropuot': did you mean 'head.dropout'"),
        (
            "inputs: {rating: true}",
            "inputs: {genres: true}",
            "a rating network reads rating and time_gap only",
        ),
        ("searcher: random", "constraints: {latency_ms: {max: 1}}", "latency_ms is not measured"),
    ],
)
def test_a_mistake_is_named(tmp_path, old, new, message):
    assert old in EXPERIMENT
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, EXPERIMENT.replace(old, new, 1)).study_spec()


def test_the_next_movie_is_not_searched_for_by_ratings(tmp_path):
    text = EXPERIMENT.replace("task: rating\n", "").replace("head: {factors: 4}\n", "")
    text = text.replace(
        "      head.dropout: {kind: float, low: 0.0, high: 0.6, when: {model.name: gru}}\n", ""
    )
    with pytest.raises(ConfigError, match="rmse is not measured in the task next-item"):
        load(tmp_path, text.replace("searcher: random", "objective: rmse")).study_spec()
