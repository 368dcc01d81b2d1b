from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from reeltune.errors import BundleError
from reeltune.models.registry import MODELS, build_network, models_of
from reeltune.serving.bundle.bundle import export_bundle, load_bundle
from reeltune.serving.bundle.weights import (
    as_stored,
    read_baseline,
    read_weights,
    write_baseline,
    write_weights,
)
from serving_parts import make_parts


@pytest.mark.parametrize("name", sorted(models_of("network")))
def test_int8_is_within_half_a_step_of_each_row(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = MODELS[name].config_class(embedding_dim=6, hidden_dim=5, n_layers=2)
    network = build_network(config, 30).eval()  # type: ignore[arg-type]
    loaded = load_bundle(
        export_bundle(make_parts(network=network, weight_format="int8"), tmp_path / "b")
    ).network
    expected = as_stored(network, "int8")
    for tensor_name, tensor in network.state_dict().items():
        found = loaded.state_dict()[tensor_name]
        torch.testing.assert_close(found, expected.state_dict()[tensor_name], rtol=0, atol=0)
        step = tensor.abs().amax(dim=-1, keepdim=True) / 127 if tensor.ndim == 2 else torch.zeros(1)
        assert bool(((found - tensor).abs() <= 0.5001 * step).all()), tensor_name
    stored = load_file(tmp_path / "b" / "weights.safetensors")
    assert stored["embedding.table.weight"].dtype is torch.int8
    assert bool((loaded.item_vectors()[0] == 0).all())
    assert as_stored(network, "float32") is network


def test_a_file_of_the_other_format_or_of_nothing_is_refused(tmp_path: Path) -> None:
    network = make_parts().network
    path = tmp_path / "w.safetensors"
    write_weights(network, path, "int8")
    with pytest.raises(BundleError, match=r"holds torch.int8, not torch.float32"):
        read_weights(network, path)
    path.write_bytes(b"x")
    for weight_format in ("float32", "int8"):
        with pytest.raises(BundleError, match="does not hold"):
            read_weights(network, path, weight_format)  # type: ignore[arg-type]


@pytest.mark.parametrize("weight_format", ["float32", "int8"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.float() * math.nan, "not finite|torch.float32, not torch.int8"),
        (lambda t: t.float() + math.inf, "not finite|torch.float32, not torch.int8"),
        (lambda t: t.to(torch.int64), "holds torch.int64, not"),
        (lambda t: t.double(), "holds torch.float64, not"),
    ],
)
def test_numbers_that_are_none_are_refused(weight_format, change, told: str, tmp_path: Path) -> None:
    network = make_parts().network
    path = tmp_path / "w.safetensors"
    write_weights(network, path, weight_format)
    tensors = load_file(path)
    for name in tensors:
        save_file(tensors | {name: change(tensors[name]).contiguous()}, path)
        with pytest.raises(BundleError, match=told) as caught:
            read_weights(network, path, weight_format)
        assert name in str(caught.value)


@pytest.mark.parametrize("wrong", [[0.0, np.nan], [0.0, -np.inf], [np.inf, 1.0]])
def test_counts_of_a_baseline_that_are_not_finite_are_refused(tmp_path: Path, wrong: list[float]) -> None:
    write_baseline({"counts": np.array(wrong, dtype=np.float32)}, tmp_path / "w")
    with pytest.raises(BundleError, match="counts holds a number that is not finite"):
        read_baseline({"name": "popularity"}, tmp_path / "w")
