import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import ConfigError, EngineError


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_space_is_imported_and_can_be_searched(tmp_path):
    source = tmp_path / "hyper.test"
    source.write_text(
        "learning_rate loguniform -8,-2\nhidden_size choice [64,128]\nloss_type choice ['CE','BPR']\n"
    )
    shown = run("space", "import", source)
    assert shown.exit_code == 0
    assert "model.hidden_dim: {kind: choice, values: [64, 128]}" in shown.stdout
    assert "not taken: loss_type" in shown.stderr
    out = tmp_path / "mine.yaml"
    written = run("space", "import", source, "--model", "lstm", "--out", out)
    assert written.stdout == f"the space is written to {out}\n"
    experiment = tmp_path / "e.yaml"
    experiment.write_text("data: {dataset: synthetic}\nstudy: {space: mine.yaml, trials: 1}\n")
    from reeltune.tuning.study.experiment_file import load_experiment

    assert load_experiment(experiment).space.model == "lstm"
    assert isinstance(run("space", "import", source, "--model", "gruu").exception, ConfigError)


def test_several_models_and_a_wrong_address_from_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    experiment = tmp_path / "e.yaml"
    experiment.write_text(
        "question: Which?\ndata: {dataset: synthetic}\nmodel: {n_layers: 2}\nstudy:\n  trials: 2\n  space:\n"
        "    model: [gru, lstm]\n    space: {model.hidden_dim: {kind: int, low: 8, high: 16}}\n"
    )
    from reeltune.tuning.study.experiment_file import load_experiment

    spec = load_experiment(experiment).study_spec()
    assert {name: model["n_layers"] for name, model in spec.space.models.items()} == {"gru": 2, "lstm": 2}
    for address, kind in (("nowhere", ConfigError), ("127.0.0.1:1", EngineError)):
        result = run("tune", experiment, "--studies", tmp_path / "studies", "--address", address)
        assert isinstance(result.exception, kind)
        assert address in str(result.exception)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{name: gru}", "model.name is fixed here and searched in the space"),
        ("{n_lairs: 2}", "did you mean 'n_layers'"),
    ],
)
def test_a_field_fixed_for_several_models(tmp_path, model, message):
    experiment = tmp_path / "e.yaml"
    experiment.write_text(
        f"data: {{dataset: synthetic}}\nmodel: {model}\nstudy:\n  space:\n    model: [gru, lstm]\n"
        "    space: {model.hidden_dim: {kind: int, low: 8, high: 16}}\n"
    )
    from reeltune.tuning.study.experiment_file import load_experiment

    with pytest.raises(ConfigError) as error:
        load_experiment(experiment)
    assert message in str(error.value)
    assert "e.yaml:2: " in str(error.value)
