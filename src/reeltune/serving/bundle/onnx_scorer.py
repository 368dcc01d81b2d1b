"""The graph of a bundle as a scorer: ONNX Runtime in the place of PyTorch.

Shapes: B batch, T steps, V catalogue.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.errors import BundleError, UserError, first_line

__all__ = ["OnnxScorer", "is_runtime_available"]


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
            ratings = histories.ratings
            feeds["ratings"] = (
                np.full(histories.items.shape, np.nan, dtype=np.float32)
                if ratings is None
                else ratings.numpy()
            )
        return torch.from_numpy(self._session.run(["scores"], feeds)[0])
