"""The graph of a bundle as a scorer: ONNX Runtime in the place of PyTorch.

Shapes: B batch, T steps, V catalogue.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reeltune.data.batch import Histories
from reeltune.errors import BundleError, UserError, first_line

__all__ = ["OnnxScorer"]


class OnnxScorer:
    """Scores the catalogue by ``model.onnx``; safe to call from many threads."""

    def __init__(self, path: Path, *, n_threads: int = 1) -> None:
        """Open the graph at ``path``.

        Args:
            path: A ``model.onnx`` that ``reeltune export`` wrote.
            n_threads: Threads that one pass may use.

        Raises:
            BundleError: The file is absent or no such graph.
            UserError: ONNX Runtime is not installed.
        """
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise UserError(
                'ONNX Runtime is not installed: pip install "reeltune[onnx]", or serve with --engine torch'
            ) from error
        if not path.is_file():
            raise BundleError(
                f"{path.parent} holds no {path.name}: export it with --onnx, or serve with --engine torch"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            self.n_items = int(self._session.get_outputs()[0].shape[1]) - 1
        except Exception as error:  # onnxruntime has no common base of its errors
            raise BundleError(
                f"{path} cannot be read by ONNX Runtime: {first_line(error)}; export again"
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
