"""What computes the scores of a bundle: PyTorch, or ONNX Runtime from the bundle's graph."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reeltune.errors import BundleError, UserError, unknown_name
from reeltune.models.base import Scorer
from reeltune.serving.bundle.bundle import Bundle
from reeltune.serving.bundle.onnx_scorer import OnnxScorer, is_runtime_available

__all__ = ["ENGINES", "open_scorer"]

ENGINES = ("auto", "onnx", "torch")
"""``auto`` takes ONNX Runtime where it is installed and the bundle holds a graph, else PyTorch."""


def open_scorer(bundle: Bundle, engine: str) -> Scorer:
    """Return what scores movies for ``bundle``.

    A graph answers as PyTorch does within 1e-4, which was shown when it was exported; for a single short
    history it needs about a tenth of the time.

    Raises:
        UserError: The engine is unknown, or ONNX Runtime is wanted and not installed.
        BundleError: A graph is wanted and the bundle holds none, or the file is damaged.
    """
    if engine not in ENGINES:
        raise UserError(unknown_name("engine", engine, ENGINES))
    expected = bundle.manifest["files"].get("model.onnx")
    if engine == "torch" or (engine == "auto" and (expected is None or not is_runtime_available())):
        return bundle.scorer
    path = bundle.directory / "model.onnx"
    if expected is None:
        raise BundleError(
            f"{bundle.directory} holds no model.onnx: export it with --onnx, or take the engine torch"
        )
    return OnnxScorer(_content(path, expected["sha256"]), str(path))


def _content(path: Path, expected: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}; export the bundle again") from error
    # The bundle may have been replaced since it was checked.
    if hashlib.sha256(content).hexdigest() != expected:
        raise BundleError(f"{path} is of another bundle than the rest; load it again")
    return content
