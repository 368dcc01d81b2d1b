from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reeltune.errors import BundleError
from reeltune.models.base import SequenceNetwork
from reeltune.models.registry import NETWORKS, build_network

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from reeltune.serving.onnx_model import check_parity, write_onnx


def _network(name: str, n_layers: int) -> SequenceNetwork:
    torch.manual_seed(0)
    config = NETWORKS[name].config_class(embedding_dim=8, hidden_dim=12, n_layers=n_layers)
    return build_network(config, 50).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_answers_alike_at_any_batch_and_length(
    name: str, n_layers: int, tmp_path: Path
) -> None:
    network = _network(name, n_layers)
    write_onnx(network, tmp_path / "model.onnx")
    parity = check_parity(network, tmp_path / "model.onnx")
    assert parity.largest_difference <= 1e-4
    assert parity.n_histories == 26


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    write_onnx(_network("gru", 1), tmp_path / "model.onnx")
    with pytest.raises(BundleError, match=r"model\.onnx differs from PyTorch by"):
        check_parity(_network("lstm", 1), tmp_path / "model.onnx")
