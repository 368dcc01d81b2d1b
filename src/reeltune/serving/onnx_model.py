"""A network as ONNX, with the proof that ONNX Runtime answers as PyTorch does.

Shapes: B batch, T steps, D width of the item vectors, V catalogue.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltune.data.batch import Histories
from reeltune.errors import BundleError
from reeltune.models.base import SequenceNetwork
from reeltune.models.heads import catalogue_scores

__all__ = ["Parity", "check_parity", "is_onnx_available", "write_onnx"]

TOLERANCE = 1e-4
"""Largest difference of a score between PyTorch and ONNX Runtime."""

TOP = 20
"""Movies at the head of the list that must agree."""

_SHAPES = ((1, 1), (1, 7), (5, 33), (16, 12), (3, 200))
"""Batch sizes and lengths that are tried; an exporter may fix either silently."""


@dataclass(frozen=True)
class Parity:
    """How ONNX Runtime compared with PyTorch on random histories."""

    n_histories: int
    largest_difference: float  # of a score
    onnxruntime: str  # version
    torch: str  # version

    def plain(self) -> dict[str, Any]:
        """Return the comparison as plain Python values."""
        return asdict(self)


def is_onnx_available() -> bool:
    """Return whether the packages that ONNX needs are installed."""
    from importlib.util import find_spec

    return find_spec("onnx") is not None and find_spec("onnxruntime") is not None


class _LastScores(nn.Module):
    """Scores of the catalogue after each row's last movie, from plain tensors."""

    def __init__(self, network: SequenceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores [B, V+1] of ``items`` [B, T] with ``lengths`` [B]."""
        states = self.network.encode(Histories(items, lengths))  # [B, T, D]
        rows = (lengths - 1)[:, None, None].expand(-1, 1, states.shape[2])  # [B, 1, D]
        last = states.gather(1, rows)[:, 0]  # [B, D]
        return catalogue_scores(last, self.network.item_vectors(), self.network.item_bias())


def write_onnx(network: SequenceNetwork, path: Path) -> None:
    """Write ``network`` as ONNX, from ``items`` [B, T] and ``lengths`` [B] to ``scores`` [B, V+1].

    Batch and length are free; the inputs are int64. Rows are padded on the right with 0; each holds
    at least one movie.
    """
    model = _LastScores(network).eval()
    example = (torch.tensor([[1, 2, 1], [2, 1, 0]]), torch.tensor([3, 2]))
    with warnings.catch_warnings(), torch.no_grad():
        # NOTE: the tracing exporter is deprecated, but the one that replaces it fixes the length of a
        # recurrent layer to the example's without a word (pytorch/pytorch#126339).
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example,
            str(path),
            dynamo=False,
            input_names=["items", "lengths"],
            output_names=["scores"],
            dynamic_axes={"items": {0: "batch", 1: "steps"}, "lengths": {0: "batch"}, "scores": {0: "batch"}},
            opset_version=17,
        )


def check_parity(network: SequenceNetwork, path: Path, *, seed: int = 0) -> Parity:
    """Return how the ONNX file at ``path`` compares with ``network`` on random histories of several shapes.

    Raises:
        BundleError: A score differs by more than 1e-4, or the first 20 movies differ beyond ties.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(seed)
    largest, n_histories = 0.0, 0
    for n_rows, n_steps in _SHAPES:
        lengths = rng.integers(1, n_steps + 1, size=n_rows)
        lengths[0] = n_steps
        inside = np.arange(n_steps) < lengths[:, None]
        items = np.where(inside, rng.integers(1, network.n_items + 1, size=(n_rows, n_steps)), 0)
        with torch.inference_mode():
            expected = network.scores(Histories(torch.from_numpy(items), torch.from_numpy(lengths))).numpy()
        found = session.run(["scores"], {"items": items, "lengths": lengths})[0]
        largest = max(largest, _difference(expected, found, path))
        n_histories += n_rows
    return Parity(n_histories, largest, onnxruntime.__version__, torch.__version__)


def _difference(expected: NDArray[np.float32], found: NDArray[np.float32], path: Path) -> float:
    """Return the largest difference of a score; both are [B, V+1] with minus infinity in column 0."""
    if found.shape != expected.shape:
        raise BundleError(f"{path.name} gives scores of shape {found.shape}, PyTorch {expected.shape}")
    difference = float(np.abs(expected[:, 1:] - found[:, 1:]).max())
    if not difference <= TOLERANCE:
        raise BundleError(f"{path.name} differs from PyTorch by {difference:.2g}, more than {TOLERANCE:g}")
    for row, other in zip(expected, found, strict=True):
        ours, theirs = (np.argsort(-scores, kind="stable")[:TOP] for scores in (row, other))
        # Two movies may change places where their scores are closer than the tolerance.
        if (np.abs(row[ours] - row[theirs]) > 2 * TOLERANCE).any():
            raise BundleError(f"{path.name} ranks other movies among the first {TOP} than PyTorch")
    return difference
