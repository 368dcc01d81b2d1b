# ruff: noqa: E501 - one line a case reads best
"""Experiment files: what they compose, and what is said when they are wrong."""

from pathlib import Path

import pytest

from reeltune.config import parse_yaml
from reeltune.errors import ConfigError
from reeltune.experiment import tune
from reeltune.tuning.study.experiment_file import load_experiment, resolve
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Outcome

ROOT = Path(__file__).parents[1]
SPACE = """\
model: gru
space:
  model.hidden_dim: {kind: int, low: 8, high: 64}
  training.learning_rate: {kind: float, low: 1e-4, high: 0.1, log: true}
"""
GOOD = """\
question: Does it work?
data: {dataset: synthetic}
model: {n_layers: 2}
training: {max_epochs: 3}
study: {space: gru.yaml, trials: 5, objective: hr@10, seed: 4}
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "gru.yaml").write_text(SPACE)

    def write(text):
        path = tmp_path / "exp.yaml"
        path.write_text(text)
        return path

    return write


def test_a_file_is_resolved(write):
    spec = load_experiment(write(GOOD)).study_spec()
    assert spec.trial.model.name == "gru"
    assert spec.trial.model.n_layers == 2
    assert spec.trial.training.max_epochs == 3
    assert spec.trial.objective == "hr@10"
    assert spec.study.searcher.name == "tpe"
    assert spec.study.scheduler.name == "asha"
    assert list(spec.space.space) == ["model.hidden_dim", "training.learning_rate"]


def test_values_can_be_put_over_the_file(write):
    changes = [
        "model.n_layers=1",
        "study.scheduler={name: asha, grace_epochs: 2}",
        "logging.tensorboard=true",
    ]
    spec = load_experiment(write(GOOD), changes).study_spec()
    assert spec.trial.model.n_layers == 1
    assert spec.study.scheduler.grace_epochs == 2
    assert spec.logging.tensorboard


def test_a_space_may_stand_in_place(write):
    text = GOOD.replace(
        "space: gru.yaml", "space: {model: lstm, space: {model.n_layers: {kind: int, low: 1, high: 2}}}"
    )
    spec = load_experiment(write(text.replace("model: {n_layers: 2}\n", ""))).study_spec()
    assert spec.trial.model.name == "lstm"


def test_training_needs_no_study(write):
    experiment = load_experiment(write("data: {dataset: synthetic}\nmodel: {name: rnn}\n"))
    assert experiment.trial.model.name == "rnn"
    with pytest.raises(ConfigError, match="the key 'study' is missing"):
        experiment.study_spec()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("question", "qeustion", "exp.yaml:1: unknown key 'qeustion': did you mean 'question'"),
        ("dataset: synthetic", "dataset: synthetik", "exp.yaml:2: "),
        ("{dataset: synthetic}", "{}", "the key 'data.dataset' is missing"),
        ("n_layers: 2", "n_layer: 2", "exp.yaml:3: unknown key 'n_layer': did you mean 'n_layers'"),
        ("n_layers: 2", "n_layers: 99", "exp.yaml:3: n_layers: "),
        ("n_layers: 2", "name: gruu", "unknown model 'gruu': did you mean 'gru'"),
        ("n_layers: 2", "name: lstm", "model.name is 'lstm', the space"),
        ("max_epochs: 3", "max_epoch: 3", "did you mean 'max_epochs'"),
        ("max_epochs: 3", "learning_rate: 0.01", "training.learning_rate is fixed here and searched in the space"),
        ("max_epochs: 3", "learning_rate: '1e-4'", "learning_rate: Input should be a valid number"),
        ("space: gru.yaml", "space: gruu.yaml", "there is no file gruu.yaml"),
        ("trials: 5", "trials: 0", "exp.yaml:5: study.trials: "),
        ("trials: 5", "searcher: tpx", "unknown searcher 'tpx': did you mean 'tpe'"),
        ("trials: 5", "searcher: {name: [tpe]}", "unknown searcher "),
        ("trials: 5", "scheduler: ahsa", "unknown scheduler 'ahsa': did you mean 'asha'"),
        ("trials: 5", "scheduler: {grace_epochs: 3}", "the scheduler has no name"),
        ("trials: 5", "searcher: grid", "has a logarithmic scale, which a grid cannot hold"),
        ("hr@10", "hits@10", "unknown metric 'hits'"),
        ("hr@10", "hr", "exp.yaml:5: study.objective: metric 'hr' needs a cut from 1 to 999999; write hr@10"),
        ("seed: 4", "seed: 4, first: [{model.hidden_dim: 9}]", "gives no value of training.learning_rate"),
        ("seed: 4", "seed: 4, n_treads: 2", "did you mean 'n_threads'"),
        ("question: Does", "\tquestion: Does", "exp.yaml:1: not valid YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(write, old, new, message):
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        load_experiment(write(GOOD.replace(old, new, 1))).study_spec()
    assert message in str(error.value)
    assert "exp.yaml" in str(error.value) or "gru.yaml" in str(error.value) or "metric" in str(error.value)


@pytest.mark.parametrize("change", ["study.trials", "=3", "study..trials=3", "question.text=3"])
def test_a_change_of_another_form_is_refused(write, change):
    with pytest.raises(ConfigError, match="--set"):
        load_experiment(write(GOOD), [change])


# Contests have several models each; tests/contest loads them.
EXPERIMENTS = [p for p in sorted((ROOT / "experiments").glob("*.yaml")) if not p.name.startswith("paper_")]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.name)
def test_every_experiment_of_the_repository_loads(path):
    experiment = load_experiment(path)
    assert experiment.spec.question.endswith("?"), "an experiment names its question"
    spec = experiment.study_spec()
    point = spec.space.default(spec.trial.plain())
    assert spec.space.apply(spec.trial.plain(), point).keys() == spec.trial.plain().keys()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "experiments" / "fixed").glob("*.yaml")), ids=lambda path: path.name
)
def test_every_fixed_configuration_of_the_repository_is_trained_from_several_seeds(path):
    experiment = load_experiment(path)
    assert experiment.spec.question.endswith("?"), "an experiment names its question"
    assert experiment.space is None
    assert experiment.spec.final.seeds >= 3
    assert experiment.trial.model.count_prior == 0, "experiments/bars.py adds the prior itself"


@pytest.mark.parametrize("path", sorted((ROOT / "search_spaces").glob("*.yaml")), ids=lambda path: path.name)
def test_every_space_of_the_repository_is_good_and_says_why(path, write):
    experiment = load_experiment(write(f"data: {{dataset: synthetic}}\nstudy: {{space: {path}}}\n"))
    assert experiment.space is not None
    assert len(experiment.space.space) >= 2
    assert path.read_text().startswith("# "), "its head says for which data and why these bounds"


def test_a_study_keeps_its_experiment_with_the_changes_or_as_it_was_written(write, monkeypatch, tmp_path):
    monkeypatch.setattr("reeltune.experiment.run_study", lambda *_, **__: Outcome.INTERRUPTED)
    path = write(f"# a note\n{GOOD}")
    tune(load_experiment(path), tmp_path / "plain")
    assert (tmp_path / "plain" / "experiment.yaml").read_text() == path.read_text()
    tune(load_experiment(path, ["training.max_epochs=2", "study.trials=3"]), tmp_path / "changed")
    again = load_experiment(tmp_path / "changed" / "experiment.yaml")
    assert again.study_spec() == Study.open(tmp_path / "changed").spec
    assert again.trial.training.max_epochs == 2
    as_text = resolve(parse_yaml(GOOD, "a text"), path)
    assert tune(as_text, tmp_path / "text").study.spec.study.trials == 5
    assert (tmp_path / "text" / "experiment.yaml").read_text() == GOOD


def test_a_study_remembers_its_spec(write, tmp_path):
    from reeltune.data.store import open_tuning, prepare

    spec = load_experiment(write(GOOD)).study_spec()
    ledger = open_tuning(prepare(spec.data)).ledger
    Study.create(tmp_path / "s", spec, ledger)
    assert Study.open(tmp_path / "s").spec == spec
