"""A population of real networks: what is reported, trained again and exported follows its whole course."""

import shutil
from pathlib import Path

import pytest

from reeltune.cli.app import main
from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.evaluation.across import compare_studies
from reeltune.evaluation.final import evaluate_study, read_evaluation
from reeltune.files import read_json, read_lines
from reeltune.models.networks.gru import GRUConfig
from reeltune.report.study import render_report
from reeltune.serving.bundle.export import export_study
from reeltune.training.checkpoint import read_checkpoint
from reeltune.training.config import TrainingConfig
from reeltune.tuning.search.population import lineage, schedule
from reeltune.tuning.space.parameters import FloatRange, IntRange
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.serial import run_serially
from reeltune.tuning.study.spec import FinalConfig, StudySettings, StudySpec
from reeltune.tuning.trial.config import TrialConfig

pytestmark = pytest.mark.slow

SPACE = Space(
    model="gru",
    space={
        "model.hidden_dim": IntRange(low=4, high=16, log=True),
        "training.learning_rate": FloatRange(low=1e-4, high=3e-2, log=True),
    },
)


@pytest.fixture(scope="module")
def study_dir(tmp_path_factory) -> Path:
    """Train three networks in three legs of one epoch."""
    data_config = DataConfig(dataset="synthetic")
    prepared = prepare(data_config)
    spec = StudySpec(
        question="Does a population learn what generated film-goers do?",
        data=data_config,
        trial=TrialConfig(
            model=GRUConfig(embedding_dim=8, hidden_dim=8),
            training=TrainingConfig(batch_size=64, max_epochs=3, learning_rate=2e-2),
        ),
        space=SPACE,
        study=StudySettings(
            trials=100,
            scheduler={"name": "pbt", "population": 3, "interval_epochs": 1, "resample_probability": 0.0},
            concurrency=1,
        ),
        final=FinalConfig(seeds=2),
        baselines=["popularity"],
    )
    directory = tmp_path_factory.mktemp("studies") / "population"
    study = Study.create(directory, spec, open_tuning(prepared).ledger)
    run_serially(study, prepared)
    return directory


def test_each_leg_goes_on_from_its_parents_weights(study_dir):
    study = Study.open(study_dir)
    rows = {row.number: row for row in study.rows()}
    assert sorted(rows) == list(range(9))
    assert all(row.reason == f"ran epochs {n // 3 + 1} to {n // 3 + 1} of 3" for n, row in rows.items())
    best = study.best()[0]
    chain = lineage(rows, best.number)
    assert [row.start_epoch for row in chain] == list(range(len(chain)))
    widths = {row.params["model.hidden_dim"] for row in chain}
    assert len(widths) == 1, "weights keep their shape"
    values = [row.value for row in chain]
    assert values[0] < values[-1], "and go on learning"
    weights = read_checkpoint(study.trial_directory(best.number) / "best.ckpt")
    assert weights["hyper_parameters"]["training"] == best.config["training"]


def test_the_page_shows_how_the_winner_was_trained(study_dir):
    page = render_report(study_dir)
    assert "How the winner was trained" in page
    assert "A population of 3 networks, compared every 1 epochs" in page
    assert "the share of a searched value cannot be given" in page
    study = Study.open(study_dir)
    for leg in schedule({row.number: row for row in study.rows()}, study.best()[0].number):
        assert f"<td>{leg['first_epoch']} to {leg['last_epoch']}</td>" in page
    assert "resumes trial" in page


def test_the_winner_is_trained_again_along_its_course(study_dir, tmp_path, capsys, monkeypatch):
    evaluation = evaluate_study(study_dir)
    study = Study.open(study_dir)
    rows = {row.number: row for row in study.rows()}
    expected = schedule(rows, evaluation.trial)
    assert len(expected) == evaluation.trial // 3 + 1 > 1
    assert list(evaluation.schedule) == expected
    assert read_evaluation(study_dir) == evaluation
    assert len(evaluation.seeds) == 2
    for k in (1, 2):
        folder = study_dir / "final" / f"trial-{evaluation.trial:05d}" / f"refit-{k}"
        assert [line["epoch"] for line in read_lines(folder / "epochs.jsonl")] == list(
            range(1, rows[evaluation.trial].best_epoch + 1)
        )
        assert not list(folder.glob("segment-*"))
        config = read_checkpoint(folder / "best.ckpt")["hyper_parameters"]["training"]
        assert config == rows[evaluation.trial].config["training"]
    bundle = export_study(study_dir, tmp_path / "bundle", with_onnx=False)
    assert read_json(bundle / "manifest.json")["schedule"] == expected
    assert "its parameters changed while it trained" in (bundle / "README.md").read_text().lower()
    other = shutil.copytree(study_dir, tmp_path / "other")
    assert [line.trial for line in compare_studies([study_dir, other]).lines] == [evaluation.trial] * 2
    monkeypatch.setattr("sys.argv", ["reeltune", "trials", str(study_dir)])
    with pytest.raises(SystemExit):
        main()
    lines = capsys.readouterr().out.splitlines()
    assert "after" in lines[0]
    assert f"{rows[evaluation.trial].parent}" in lines[1].split()
