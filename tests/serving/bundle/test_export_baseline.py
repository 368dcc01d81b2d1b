from __future__ import annotations

from pathlib import Path

import pytest
import torch
from starlette.testclient import TestClient

from reeltune.data.sequences import to_histories
from reeltune.errors import BundleError, ConfigError, UserError
from reeltune.files import read_json
from reeltune.models.registry import models_of
from reeltune.serving.bundle import onnx_model
from reeltune.serving.bundle.bundle import load_bundle
from reeltune.serving.bundle.engine import OnnxScorer
from reeltune.serving.bundle.export import export_baseline
from reeltune.serving.http.app import guarded
from reeltune.serving.http.service import Service
from reeltune.serving.recommend.recommender import Recommender
from reeltune.serving.recommend.rerank import Reranking


@pytest.mark.parametrize("name", sorted(models_of("baseline")))
def test_a_baseline_recommends_as_a_network_does(study_dir: Path, tmp_path: Path, name: str) -> None:
    recommender = Recommender.load(export_baseline(study_dir, tmp_path / "b", name, with_onnx=False))
    assert not (tmp_path / "b" / "model.onnx").exists()
    titles = list(recommender.catalogue.titles[:3])
    found = recommender.recommend(titles, k=5, is_explained=True)
    state = recommender.start()
    for title in titles:
        state.add(title)
    assert [line.code for line in state.recommend(k=5)] == [line.code for line in found]
    assert len(recommender.similar(titles[0], k=4)) == 4
    assert recommender.recommend(titles, k=5, rerank=Reranking(popularity=-1.0, calibration=0.5))
    with pytest.raises(UserError, match="no embeddings"):
        recommender.recommend(titles, rerank=Reranking(novelty=0.5))
    with pytest.raises(BundleError, match="holds a baseline"):
        _ = recommender.bundle.network
    assert 0 <= recommender.bundle.metrics["validation"]["ndcg@10"] < 1  # generated titles tell nothing


@pytest.mark.parametrize("name", sorted(models_of("baseline")))
def test_a_linear_baseline_has_a_graph_that_answers_alike(study_dir: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("onnxruntime")
    out = export_baseline(study_dir, tmp_path / "b", name)
    bundle = load_bundle(out)
    if not (out / "model.onnx").exists():
        with pytest.raises(UserError, match="not linear in the history"):
            export_baseline(study_dir, tmp_path / "c", name, with_onnx=True)
        return
    assert {"model.onnx", "parity.json"} <= set(bundle.manifest["files"])
    assert read_json(out / "parity.json")["largest_difference"] <= 1e-4
    histories = to_histories([[3, 9, 1], [5], list(range(1, 41))])
    found = OnnxScorer((out / "model.onnx").read_bytes()).scores(histories)
    torch.testing.assert_close(found, bundle.scorer.scores(histories))


def test_a_matrix_that_no_graph_can_hold_is_left_out_or_refused(
    study_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnx_model, "MAX_MATRIX_BYTES", 1000)
    told: list[str] = []
    assert not (
        export_baseline(study_dir, tmp_path / "b", "markov", notify=told.append) / "model.onnx"
    ).exists()
    assert "too large for its graph" in told[-1]
    with pytest.raises(BundleError, match="too large for an ONNX graph"):
        export_baseline(study_dir, tmp_path / "c", "markov", with_onnx=True)
    assert (export_baseline(study_dir, tmp_path / "d", "popularity") / "model.onnx").exists()


def test_the_service_answers_from_a_baseline(study_dir: Path, tmp_path: Path) -> None:
    out = export_baseline(study_dir, tmp_path / "b", "windowed-markov", with_onnx=False)
    with TestClient(guarded(Service(out))) as client:
        health = client.get("/health").json()
        assert (health["model"], health["has_embeddings"]) == ("windowed-markov", False)
        body = {"history": [{"movie": "id:3"}], "k": 3, "explain": True}
        assert len(client.post("/recommend", json=body).json()["movies"]) == 3
        refused = client.post("/recommend", json=body | {"novelty": 0.5})
        assert refused.status_code == 422
        assert "leave novelty at 0" in refused.json()["detail"][0]["msg"]
        assert len(client.get("/similar", params={"movie": "id:3"}).json()["movies"]) == 10


def test_an_unknown_baseline_is_refused(study_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'markov'"):
        export_baseline(study_dir, tmp_path / "b", "markow")
