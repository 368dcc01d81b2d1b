from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from reeltune.errors import BundleError, StudyError, UserError
from reeltune.evaluation.final import evaluate_study
from reeltune.files import read_json
from reeltune.serving.bundle import onnx_model
from reeltune.serving.bundle.bundle import load_bundle
from reeltune.serving.bundle.export import export_study
from reeltune.serving.recommend.recommender import Recommender
from reeltune.training.checkpoint import load_network
from reeltune.tuning.study.folder import Study


def test_the_best_trial_is_exported_and_recommends_without_the_study(study_dir: Path, tmp_path: Path) -> None:
    network = load_network(study_dir / "trials" / "00000" / "best.ckpt")
    out = export_study(study_dir, tmp_path / "bundle")
    shutil.rmtree(study_dir)
    recommender = Recommender.load(out)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(recommender.bundle.network.state_dict()[name], tensor, rtol=0, atol=0)
    counts = recommender.bundle.facts.counts
    assert counts is not None
    assert counts[0] == 0 < counts[1:].min()
    title = recommender.catalogue.titles[0]
    assert len(recommender.recommend([title], k=10)) == 10
    card = (out / "README.md").read_text()
    assert "has not been opened" in card.replace("\n", " ")
    assert title in card
    checkpoint = torch.load(out / "model.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"]["model"]["name"] == "gru"


def test_after_evaluation_its_figures_travel_along(study_dir: Path, tmp_path: Path) -> None:
    found = evaluate_study(study_dir)
    bundle = load_bundle(export_study(study_dir, tmp_path / "bundle"))
    assert bundle.metrics["test"]["metrics"]["ndcg@10"]["value"] == found.metrics["ndcg@10"].value
    assert found.verdict in (tmp_path / "bundle" / "README.md").read_text()


def test_another_trial_is_exported_without_the_evaluated_figures(study_dir: Path, tmp_path: Path) -> None:
    evaluate_study(study_dir)
    bundle = load_bundle(export_study(study_dir, tmp_path / "bundle", trial=1))
    assert bundle.metrics["trial"] == 1
    assert bundle.metrics["test"] is None


@pytest.mark.parametrize(("trial", "match"), [(7, "has no trial 7"), (2, "those with one: 0, 1")])
def test_a_trial_without_figures_is_refused(study_dir: Path, tmp_path: Path, trial: int, match: str) -> None:
    with pytest.raises(StudyError, match=match):
        export_study(study_dir, tmp_path / "bundle", trial=trial)
    assert not (tmp_path / "bundle").exists()


def test_weights_that_are_gone_are_told(study_dir: Path, tmp_path: Path) -> None:
    (study_dir / "trials" / "00001" / "best.ckpt").unlink()
    with pytest.raises(StudyError, match="weights of trial 1 are gone"):
        export_study(study_dir, tmp_path / "bundle", trial=1)


def test_a_used_name_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    with pytest.raises(BundleError, match="no reeltune bundle"):
        export_study(tmp_path / "absent", tmp_path / "mine", force=True)


@pytest.mark.parametrize("with_onnx", [None, True])
def test_onnx_travels_along_where_it_is_installed(
    study_dir: Path, tmp_path: Path, with_onnx: bool | None
) -> None:
    pytest.importorskip("onnxruntime")
    out = export_study(study_dir, tmp_path / "bundle", with_onnx=with_onnx)
    assert {"model.onnx", "parity.json"} <= set(load_bundle(out).manifest["files"])
    assert read_json(out / "parity.json")["largest_difference"] <= 1e-4


def test_onnx_is_left_out_or_refused_where_it_is_not(
    study_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "is_onnx_available", lambda: False)
    assert not (export_study(study_dir, tmp_path / "bundle") / "model.onnx").exists()
    with pytest.raises(UserError, match=r"reeltune\[onnx\]"):
        export_study(study_dir, tmp_path / "other", with_onnx=True)
    assert not (tmp_path / "other").exists()


def test_int8_weights_are_small_and_what_they_cost_is_told(study_dir: Path, tmp_path: Path) -> None:
    plain = export_study(study_dir, tmp_path / "plain", with_onnx=False)
    out = export_study(study_dir, tmp_path / "small", with_onnx=False, is_int8=True)
    sizes = [(folder / "weights.safetensors").stat().st_size for folder in (plain, out)]
    assert sizes[1] < 0.6 * sizes[0]
    assert not (out / "model.ckpt").exists()
    told = load_bundle(out).manifest["compression"]
    row = Study.open(study_dir).best()[0]
    assert told["float32"]["ndcg@10"] == pytest.approx(row.metrics["ndcg@10"])
    assert told["change"]["ndcg@10"] == pytest.approx(told["stored"]["ndcg@10"] - told["float32"]["ndcg@10"])
    assert abs(told["change"]["ndcg@10"]) < 0.02
    assert "| NDCG@10 |" in (out / "README.md").read_text().split("## Weights")[1]
    title = load_bundle(out).catalogue.titles[0]
    lists = [Recommender.load(folder).recommend([title], k=10) for folder in (plain, out)]
    assert len({line.code for line in lists[0]} & {line.code for line in lists[1]}) >= 7


def test_a_bundle_for_the_hub_has_its_header(study_dir: Path, tmp_path: Path) -> None:
    out = export_study(study_dir, tmp_path / "hub", with_onnx=False, is_hub=True)
    _, header, card = (out / "README.md").read_text().split("---\n", 2)
    told = yaml.safe_load(header)
    figures = told["model-index"][0]["results"][0]
    row = Study.open(study_dir).best()[0]
    assert {m["type"]: m["value"] for m in figures["metrics"]}["ndcg@10"] == pytest.approx(
        row.metrics["ndcg@10"], abs=1e-6
    )
    assert figures["dataset"]["split"] == "validation"
    assert card.startswith("# GRU movie recommender")
    assert "*.safetensors filter=lfs" in (out / ".gitattributes").read_text()
    assert ".gitattributes" in load_bundle(out).manifest["files"]
