from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reeltune.data.features.config import FeatureConfig, SideShapes
from reeltune.data.sequences import to_histories
from reeltune.errors import BundleError
from reeltune.models.base import SequenceNetwork
from reeltune.models.registry import MODELS, build_network, models_of

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from reeltune.serving.bundle.engine import OnnxScorer
from reeltune.serving.bundle.onnx_model import check_parity, write_onnx


def _network(name: str, n_layers: int) -> SequenceNetwork:
    torch.manual_seed(0)
    config = MODELS[name].config_class(embedding_dim=8, hidden_dim=12, n_layers=n_layers)
    return build_network(config, 50).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("name", sorted(models_of("network")))
def test_every_network_answers_alike_at_any_batch_and_length(
    name: str, n_layers: int, tmp_path: Path
) -> None:
    network = _network(name, n_layers)
    write_onnx(network, tmp_path / "model.onnx")
    parity = check_parity(network, tmp_path / "model.onnx")
    assert parity["largest_difference"] <= 1e-4
    assert parity["n_histories"] == 26


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    write_onnx(_network("gru", 1), tmp_path / "model.onnx")
    with pytest.raises(BundleError, match=r"model\.onnx differs from PyTorch by"):
        check_parity(_network("lstm", 1), tmp_path / "model.onnx")


def test_stars_enter_the_graph_of_a_network_that_reads_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = FeatureConfig(rating=True, taste=True, time_gap=True, genres=True)
    config = MODELS["gru"].config_class(embedding_dim=8, hidden_dim=12, inputs=inputs)
    network = build_network(config, 50, SideShapes(n_taste=4, n_item_features=3)).eval()  # type: ignore[arg-type]
    write_onnx(network, tmp_path / "model.onnx")
    assert check_parity(network, tmp_path / "model.onnx")["largest_difference"] <= 1e-4
    scorer = OnnxScorer((tmp_path / "model.onnx").read_bytes())
    unrated, rated = (
        scorer.scores(to_histories([[3, 4]], ratings=None if stars is None else [stars]))
        for stars in (None, [1.0, 5.0])
    )
    assert not torch.equal(unrated, rated)
    assert torch.equal(unrated, scorer.scores(to_histories([[3, 4]], ratings=[[float("nan")] * 2])))


def test_a_file_that_is_no_graph_is_refused_in_one_line() -> None:
    with pytest.raises(BundleError, match=r"model\.onnx cannot be read by ONNX Runtime") as caught:
        OnnxScorer(b"no graph")
    assert "\n" not in str(caught.value)
