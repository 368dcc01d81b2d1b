from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from reeltune.errors import BundleError, UserError
from reeltune.serving.bundle import engine as engine_module
from reeltune.serving.bundle.bundle import export_bundle, load_bundle
from reeltune.serving.bundle.engine import OnnxScorer, open_scorer
from reeltune.serving.bundle.onnx_model import write_proved_onnx
from reeltune.serving.http.app import guarded
from reeltune.serving.http.service import Service
from reeltune.serving.recommend.recommender import Recommender
from serving_parts import make_parts

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")


@pytest.fixture(name="graph_dir")
def _graph_dir(tmp_path: Path) -> Path:
    parts = make_parts()
    network = parts.network
    return export_bundle(
        parts, tmp_path / "graph", extras=lambda folder: write_proved_onnx(network, network, folder)
    )


def test_both_engines_give_the_same_lists(graph_dir: Path) -> None:
    history = [("Toy Story", 4.5), "godfather", "id:510", "id:515"]
    torch_lines, onnx_lines = (
        Recommender.load(graph_dir, engine).recommend(history, k=10, is_explained=True)
        for engine in ("torch", "onnx")
    )
    assert [line.code for line in torch_lines] == [line.code for line in onnx_lines]
    assert [line.because for line in torch_lines] == [line.because for line in onnx_lines]
    assert [line.score for line in torch_lines] == pytest.approx(
        [line.score for line in onnx_lines], abs=1e-4
    )


def test_auto_takes_the_graph_where_there_is_one(
    graph_dir: Path, bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_graph, without = load_bundle(graph_dir), load_bundle(bundle_dir)
    assert isinstance(open_scorer(with_graph, "auto"), OnnxScorer)
    assert open_scorer(without, "auto") is without.scorer
    assert open_scorer(with_graph, "torch") is with_graph.scorer
    with TestClient(guarded(Service(graph_dir))) as client:
        assert client.get("/health").json()["engine"] == "onnx"
        assert client.get("/similar", params={"movie": "id:500"}).status_code == 200
    monkeypatch.setattr(engine_module, "is_runtime_available", lambda: False)
    assert open_scorer(with_graph, "auto") is with_graph.scorer
    with pytest.raises(UserError, match=r"reeltune\[onnx\]"):
        open_scorer(with_graph, "onnx")


def test_what_cannot_be_had_is_refused_in_one_line(graph_dir: Path, bundle_dir: Path) -> None:
    with pytest.raises(UserError, match="unknown engine 'onx': did you mean 'onnx'"):
        Recommender.load(bundle_dir, "onx")
    with pytest.raises(BundleError, match=r"holds no model\.onnx: export it with --onnx"):
        Recommender.load(bundle_dir, "onnx")
    bundle = load_bundle(graph_dir)
    (graph_dir / "model.onnx").write_bytes(b"of a newer bundle")
    with pytest.raises(BundleError, match="of another bundle than the rest"):
        open_scorer(bundle, "onnx")
    (graph_dir / "model.onnx").unlink()
    with pytest.raises(BundleError, match="No such file"):
        open_scorer(bundle, "onnx")


def test_tensors_outside_the_manifest_are_not_read(graph_dir: Path, tmp_path: Path, monkeypatch) -> None:
    graph = onnx.load(str(graph_dir / "model.onnx"))
    monkeypatch.chdir(tmp_path)
    onnx.save_model(graph, "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    for tensor in graph.graph.initializer:
        tensor.ClearField("data_location")
    assert (tmp_path / "w.bin").stat().st_size > 100
    with pytest.raises(BundleError, match=r"(?s)cannot be read by ONNX Runtime.*xternal"):
        OnnxScorer((tmp_path / "m.onnx").read_bytes())
