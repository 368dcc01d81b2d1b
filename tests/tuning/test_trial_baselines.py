"""A baseline is a trial like any other: run, compared, tested and exported by the same code."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltune.data.config import DataConfig
from reeltune.data.sequences import to_histories
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import ConfigError, StudyError, UserError
from reeltune.evaluation.final import evaluate_study
from reeltune.evaluation.leaderboard import make_leaderboard
from reeltune.experiment import train
from reeltune.metrics.evaluate import rank_queries
from reeltune.models.baselines.fit import fit_to_data
from reeltune.models.baselines.item_knn import ItemKNNConfig
from reeltune.models.registry import MODELS, models_of
from reeltune.serving.bundle.bundle import load_bundle
from reeltune.serving.bundle.export import export_study
from reeltune.training.checkpoint import load_model, load_network
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.space.parameters import FloatRange, IntRange
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study.experiment_file import load_experiment
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.spec import FinalConfig, StudySettings, StudySpec
from reeltune.tuning.trial.config import TrialConfig, one_go
from reeltune.tuning.trial.job import count_parameters
from reeltune.tuning.trial.run import run_trial

pytestmark = pytest.mark.slow


EXPERIMENT = """
data: {dataset: synthetic}
study:
  space:
    model: item-knn
    space:
      model.n_neighbours: {kind: int, low: 5, high: 100, log: true}
      model.decay: {kind: float, low: 0.3, high: 1.0}
  trials: 4
"""


@pytest.mark.parametrize("name", models_of("baseline"))
def test_a_trial_keeps_what_was_fitted_and_its_ranks(name, tiny_data, tmp_path):
    epochs = []
    config = TrialConfig(model=MODELS[name].default(), training=one_go("next-item"), objective="hr@5")
    result = run_trial(config, tiny_data, epochs.append, directory=tmp_path, seed=3)
    assert result.state is TrialState.COMPLETE
    assert [epoch.epoch for epoch in epochs] == [1]
    assert epochs[0].best == epochs[0].metrics["hr@5"] == result.metrics["hr@5"]
    assert {"ndcg@10", "hr@5"} <= result.metrics.keys()
    model = load_model(tmp_path / "best.ckpt")
    assert model.config == config.model
    ranks = np.load(tmp_path / "validation_ranks.npy")
    assert np.array_equal(rank_queries(model, tiny_data.validation), ranks)
    assert count_parameters(config.plain(), tiny_data.n_items) == 0
    with pytest.raises(StudyError, match="holds the baseline"):
        load_network(tmp_path / "best.ckpt")


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    """Return the folder of a study over ItemKNN with two trials."""
    data_config = DataConfig(dataset="synthetic")
    data = open_tuning(prepare(data_config))
    configs = [
        TrialConfig(model=ItemKNNConfig(n_neighbours=n, decay=decay), training=one_go("next-item"))
        for n, decay in ((50, 1.0), (20, 0.5))
    ]
    space = {"model.n_neighbours": IntRange(low=5, high=100), "model.decay": FloatRange(low=0.3, high=1.0)}
    spec = StudySpec(
        data=data_config,
        trial=configs[0],
        space=Space(model="item-knn", space=space),
        study=StudySettings(trials=2),
        final=FinalConfig(seeds=1),
        baselines=["windowed-markov"],
    )
    study = Study.create(tmp_path / "studies" / "knn", spec, data.ledger)
    for number, config in enumerate(configs):
        folder = study.trial_directory(number)
        folder.mkdir(parents=True)
        report = functools.partial(study.append_epoch, number)
        result = run_trial(config, data, report, directory=folder, seed=number)
        params = {"model.n_neighbours": config.model.n_neighbours, "model.decay": config.model.decay}
        row = TrialRow(number, result.state, result.reason, params, config.plain(), number)
        epochs = study.epochs(number)
        study.write_row(row.ended(result.state, result.reason, epochs, "ndcg@10", is_max=True))
    return study.directory


def test_a_study_over_a_baseline_is_compared_tested_and_exported(tuned, tmp_path):
    board = make_leaderboard(tuned)
    assert {entry.name for entry in board.entries} == {"trial 0", "trial 1", "windowed Markov"}
    found = evaluate_study(tuned)
    assert list(found.baselines) == ["windowed Markov"]
    data = open_tuning(prepare(DataConfig(dataset="synthetic")))
    row = next(r for r in Study.open(tuned).rows() if r.number == found.trial)
    bundle = load_bundle(export_study(tuned, tmp_path / "bundle", with_onnx=False))
    assert bundle.model == row.config["model"]
    config = ItemKNNConfig.model_validate(row.config["model"])
    histories = to_histories([[3, 1, 7], [5]])
    assert torch.equal(bundle.scorer.scores(histories), fit_to_data(config, data).scores(histories))
    with pytest.raises(UserError, match="no int8 or hub form"):
        export_study(tuned, tmp_path / "other", is_int8=True)


def test_an_experiment_may_search_a_baselines_settings(tmp_path):
    path = tmp_path / "knn.yaml"
    path.write_text(EXPERIMENT, encoding="utf-8")
    experiment = load_experiment(path)
    assert experiment.trial.model == ItemKNNConfig()
    assert experiment.study_spec().space.default(experiment.trial.plain()) == {
        "model.n_neighbours": 50,
        "model.decay": 1.0,
    }
    row = train(experiment, tmp_path / "run")
    assert row.state is TrialState.COMPLETE
    assert row.n_parameters > 0
    with pytest.raises(ConfigError, match="is fitted in one go; leave the key training out"):
        load_experiment(path, ["training.max_epochs=3"])
    with pytest.raises(ConfigError, match="shrinkage: Input should be greater"):
        load_experiment(path, ["model.shrinkage=-1.0"])
    with pytest.raises(ConfigError, match="did you mean 'popularity'"):
        load_experiment(path, ["baselines=[popularty]"])
    with pytest.raises(ConfigError, match="stands twice"):
        load_experiment(path, ["baselines=[ease, ease]"])


def test_training_fields_are_no_part_of_a_baselines_space(tmp_path):
    path = tmp_path / "knn.yaml"
    path.write_text(EXPERIMENT.replace("model.decay:", "training.batch_size:"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"unknown parameter 'training\.batch_size'"):
        load_experiment(path)
