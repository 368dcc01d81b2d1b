"""What computes the scores of a bundle: PyTorch, or ONNX Runtime from the bundle's graph.

Shapes: B batch, T steps, V catalogue.
"""

from __future__ import annotations

import hashlib
import os
from importlib.util import find_spec

import torch
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.errors import BundleError, UserError, first_line, unknown_name
from reeltune.models.base import Scorer
from reeltune.serving.bundle.bundle import Bundle

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
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}; export the bundle again") from error
    # The bundle may have been replaced since it was checked.
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise BundleError(f"{path} is of another bundle than the rest; load it again")
    return OnnxScorer(content, str(path))


def is_runtime_available() -> bool:
    """Return whether ONNX Runtime is installed."""
    return find_spec("onnxruntime") is not None


class OnnxScorer:
    """Scores the catalogue by a graph; safe to call from many threads."""

    def __init__(self, graph: bytes, name: str = "model.onnx") -> None:
        """Open the content of a ``model.onnx`` that ``reeltune export`` wrote; messages call it ``name``."""
        if not is_runtime_available():
            raise UserError('ONNX Runtime is not installed: pip install "reeltune[onnx]"')
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        # Tensors in other files would come from the working directory, past the manifest: no folder has them.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        # A single history is too small to share; the other cores take other requests.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            self.n_items = int(self._session.get_outputs()[0].shape[1]) - 1
        except Exception as error:  # onnxruntime has no common base of its errors
            raise BundleError(
                f"{name} cannot be read by ONNX Runtime: {first_line(error)}; export again"
            ) from error
        self._reads_ratings = "ratings" in {graph_input.name for graph_input in self._session.get_inputs()}

    def scores(self, histories: Histories) -> Tensor:
        """Return the scores after each row's last movie, float32 [B, V+1]."""
        feeds = {"items": histories.items.numpy(), "lengths": histories.lengths.numpy()}
        if self._reads_ratings:
            unrated = torch.full(histories.items.shape, torch.nan)
            feeds["ratings"] = (unrated if histories.ratings is None else histories.ratings).numpy()
        return torch.from_numpy(self._session.run(["scores"], feeds)[0])
