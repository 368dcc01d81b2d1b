"""A scorer as ONNX, with the proof that ONNX Runtime answers as PyTorch does.

Shapes: B batch, T steps, D width of the item vectors, V catalogue.
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD
from reeltune.errors import BundleError, UserError
from reeltune.files import write_json
from reeltune.models.base import Scorer, SequenceNetwork
from reeltune.models.baselines.linear import LinearForm
from reeltune.models.heads import catalogue_scores
from reeltune.serving.bundle.engine import OnnxScorer, is_runtime_available

TOLERANCE = 1e-4
"""Largest difference of a score between PyTorch and ONNX Runtime."""

TOP = 20
"""Movies at the head of the list that must agree."""

MAX_MATRIX_BYTES = 1 << 30
"""Largest matrix of counts that is written into a graph, whose file may hold 2 GB: 16,383 movies."""

_SHAPES = ((1, 1), (1, 7), (5, 33), (16, 12), (3, 200))
"""Batch sizes and lengths that are tried; an exporter may fix either silently."""


def is_onnx_available() -> bool:
    """Return whether the packages that ONNX needs are installed."""
    return find_spec("onnx") is not None and is_runtime_available()


def is_onnx_wanted(with_onnx: bool | None) -> bool:
    """Return whether to write ONNX files, where None stands for: if its packages are installed."""
    is_available = is_onnx_available()
    if with_onnx and not is_available:
        raise UserError('ONNX needs packages that are not installed: pip install "reeltune[onnx]"')
    return is_available if with_onnx is None else with_onnx


def has_small_matrix(model: SequenceNetwork | LinearForm) -> bool:
    """Return whether the matrix of a baseline, or of a network's count prior, fits into a graph."""
    matrix = model.matrix if isinstance(model, LinearForm) else model.prior
    return matrix is None or 4 * (model.n_items + 1) ** 2 <= MAX_MATRIX_BYTES


class _LastScores(nn.Module):
    """Scores of the catalogue after each row's last movie, from plain tensors."""

    def __init__(self, network: SequenceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, items: Tensor, lengths: Tensor, ratings: Tensor | None = None) -> Tensor:
        """Return the scores [B, V+1] of ``items`` [B, T] with ``lengths`` [B] and ``ratings`` [B, T]."""
        states = self.network.encode(Histories(items, lengths, ratings))  # [B, T, D]
        rows = (lengths - 1)[:, None, None].expand(-1, 1, states.shape[2])  # [B, 1, D]
        last = states.gather(1, rows)[:, 0]  # [B, D]
        scores = catalogue_scores(last, self.network.item_vectors(), self.network.item_bias())
        prior = self.network.prior
        return scores if prior is None else scores + prior(Histories(items, lengths))


class _LinearScores(nn.Module):
    """Scores of a linear baseline, from plain tensors."""

    def __init__(self, form: LinearForm) -> None:
        super().__init__()
        prior = torch.tensor(form.prior)  # [V+1]
        prior[PAD] = float("-inf")
        matrix = form.dense()
        self.decay, self.n_recent = form.decay, form.n_recent
        self.prior = nn.Buffer(prior)
        self.matrix = None if matrix is None else nn.Buffer(torch.from_numpy(matrix))  # [V+1, V+1]

    def forward(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores [B, V+1] of ``items`` [B, T] with ``lengths`` [B]."""
        back = lengths[:, None] - torch.ones_like(items).cumsum(dim=1)  # [B, T] steps back from the last
        is_asked = back >= 0
        if self.n_recent is not None:
            is_asked = is_asked & (back < self.n_recent)
        weights = torch.where(is_asked, self.decay ** back.clamp(min=0).float(), 0.0)
        query = self.prior.new_zeros(1).expand(items.shape[0], len(self.prior))  # [B, V+1]
        query = query.scatter_add(1, items, weights)
        if self.matrix is None:
            return query * 0.0 + self.prior
        return query @ self.matrix + self.prior


def write_onnx(model: SequenceNetwork | LinearForm, path: Path) -> None:
    """Write ``model`` as ONNX, from ``items`` [B, T] and ``lengths`` [B] to ``scores`` [B, V+1].

    Batch and length are free; the two inputs are int64. A network that reads ratings takes ``ratings``
    [B, T] float32 as well, NaN where there are none. Rows are padded on the right with 0; each holds at
    least one movie.
    """
    names = ["items", "lengths"]
    example = [torch.tensor([[1, 2, 1], [2, 1, 0]]), torch.tensor([3, 2])]
    module: nn.Module
    if not has_small_matrix(model):
        raise BundleError(
            f"a matrix over {model.n_items:,} movies is too large for an ONNX graph "
            f"({MAX_MATRIX_BYTES >> 20} MB); leave ONNX out with --no-onnx"
        )
    if isinstance(model, LinearForm):
        module = _LinearScores(model)
    else:
        if model.prior is not None:
            model.prior.table()  # a constant of the graph; made while tracing, each call would make it
        module = _LastScores(model)
        if model.side.config.rating or model.side.config.taste:
            names.append("ratings")
            example.append(torch.tensor([[4.0, 3.5, float("nan")], [1.0, float("nan"), float("nan")]]))
    axes = {name: {0: "batch", 1: "steps"} for name in ("items", "ratings") if name in names}
    with warnings.catch_warnings(), torch.no_grad():
        # NOTE: the tracing exporter is deprecated, but the one that replaces it fixes the length of a
        # recurrent layer to the example's without a word (pytorch/pytorch#126339).
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(example),
            str(path),
            dynamo=False,
            input_names=names,
            output_names=["scores"],
            dynamic_axes=axes | {"lengths": {0: "batch"}, "scores": {0: "batch"}},
            opset_version=17,
        )


def write_proved_onnx(scorer: Scorer, form: SequenceNetwork | LinearForm, folder: Path) -> None:
    """Write ``form``, the graph of ``scorer``, as model.onnx, and parity.json that compares the two."""
    write_onnx(form, folder / "model.onnx")
    write_json(folder / "parity.json", check_parity(scorer, folder / "model.onnx"))


def check_parity(scorer: Scorer, path: Path, *, seed: int = 0) -> dict[str, Any]:
    """Return how the ONNX file at ``path`` compares with ``scorer`` on random histories of several shapes.

    Raises:
        BundleError: A score differs by more than 1e-4, or the first 20 movies differ beyond ties.
    """
    import onnxruntime

    other = OnnxScorer(path.read_bytes(), path.name)
    rng = np.random.default_rng(seed)
    largest, n_histories = 0.0, 0
    for n_rows, n_steps in _SHAPES:
        lengths = rng.integers(1, n_steps + 1, size=n_rows)
        lengths[0] = n_steps
        inside = np.arange(n_steps) < lengths[:, None]
        items = np.where(inside, rng.integers(1, scorer.n_items + 1, size=(n_rows, n_steps)), PAD)
        ratings = np.where(inside, rng.integers(0, 11, size=(n_rows, n_steps)) / 2.0, 0.0)
        ratings[ratings == 0.0] = np.nan  # some events are not rated
        histories = Histories(
            torch.from_numpy(items), torch.from_numpy(lengths), torch.from_numpy(ratings).float()
        )
        with torch.inference_mode():
            expected = scorer.scores(histories).numpy()
        largest = max(largest, _difference(expected, other.scores(histories).numpy(), path))
        n_histories += n_rows
    return {
        "n_histories": n_histories,
        "largest_difference": largest,  # of a score
        "onnxruntime": onnxruntime.__version__,
        "torch": torch.__version__,
    }


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
