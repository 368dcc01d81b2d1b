"""Counted transitions beside a network: a signal of its own, added to the scores.

Shapes: B batch, T steps, R recent steps, E counted pairs of movies, V catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD, Sequences
from reeltune.models.baselines.base import Known
from reeltune.models.baselines.markov import Markov, MarkovConfig

_COUNTING = MarkovConfig()
"""The windowed Markov baseline as it stands in every table of results."""
_FLOOR = 1e-3
"""Added before the logarithm: what a movie counts that never followed the recent ones."""
_DENSE_CELLS = 1 << 26
"""Largest table that is held as a full matrix (256 MB): looking rows up is seven times as fast as a sparse
product at V = 3,416."""


class CountPrior(nn.Module):
    """The log of the windowed Markov scores, weighted: ``weight * log(score + .001)``.

    The table is counted on training events (:meth:`fill`) and is no parameter: it takes no part in the
    training, where it would know the answers it was counted from. It is added where histories are scored,
    so it enters validation, test, bundles and ONNX files alike.

    The counts lie in buffers, so a checkpoint or bundle holds all that it takes to score; buffers take the
    sizes of a state that is loaded.
    """

    transitions: Tensor  # [E] weight of each counted pair of movies, row by row
    columns: Tensor  # [E] int32, the later movie of the pair
    row_starts: Tensor  # [V+2] int64
    prior: Tensor  # [V+1] what popularity adds

    def __init__(self, weight: float, n_items: int) -> None:
        super().__init__()
        self.weight = weight
        self.n_items = n_items
        self.register_buffer("transitions", torch.zeros(0))
        self.register_buffer("columns", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("row_starts", torch.zeros(n_items + 2, dtype=torch.int64))
        self.register_buffer("prior", torch.zeros(n_items + 1))
        self._dense: Tensor | None = None  # [V+1, V+1], made when it is first needed

    @property
    def n_recent(self) -> int:
        """Last movies of a history that the scores depend on."""
        return _COUNTING.n_recent

    def fill(self, train: Sequences) -> None:
        """Count the transitions of the training events."""
        self._take(Markov.fit(_COUNTING, Known(train, self.n_items)).tables())

    def forward(self, histories: Histories) -> Tensor:
        """Return what is added to the scores after each row's last movie, [B, V+1]; 0 for padding."""
        if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            # An exporter knows no sparse product, and would fix whether a history is longer than R.
            weights = _weights(histories)
            query = weights.new_zeros(weights.shape[0], self.n_items + 1)  # len() would fix B
            found = query.scatter_add(1, histories.items, weights) @ self.table() + self.prior
        elif (self.n_items + 1) ** 2 <= _DENSE_CELLS:
            recent = histories.last(self.n_recent)
            found = nn.functional.embedding_bag(
                recent.items, self.table(), per_sample_weights=_weights(recent), mode="sum"
            )
            found += self.prior
        else:
            found = self._markov().scores(histories.to("cpu")).to(self.prior.device)
            found[:, PAD] = 0.0
        logs = self.weight * torch.log(found + _FLOOR)
        return logs * (torch.arange(self.n_items + 1, device=logs.device) != PAD)

    def table(self) -> Tensor:
        """Return the transitions as a full matrix, [V+1, V+1]; it is made once."""
        if self._dense is None or self._dense.device != self.prior.device:
            shape = (self.n_items + 1, self.n_items + 1)
            rows = torch.repeat_interleave(
                torch.arange(shape[0], device=self.prior.device), self.row_starts.diff()
            )
            dense = self.prior.new_zeros(shape)
            dense[rows, self.columns.long()] = self.transitions
            self._dense = dense
        return self._dense

    def _markov(self) -> Markov:
        tables = {name: buffer.cpu().numpy() for name, buffer in self.named_buffers()}
        return Markov.from_tables(_COUNTING, tables)

    def _take(self, tables: Mapping[str, NDArray[Any]]) -> None:
        for name, buffer in list(self.named_buffers()):
            self.register_buffer(name, torch.from_numpy(tables[name]).to(buffer))
        self._dense = None

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name, buffer in list(self.named_buffers()):
            saved = state_dict.get(prefix + name)
            if saved is not None and saved.shape != buffer.shape and name in {"transitions", "columns"}:
                self.register_buffer(name, buffer.new_empty(saved.shape))
        self._dense = None
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _weights(histories: Histories) -> Tensor:
    """Return the weight of each step's movie, ``decay ** (steps back)`` for the last R, else 0; [B, T]."""
    columns = torch.arange(histories.items.shape[1], device=histories.items.device)
    back = histories.lengths[:, None] - 1 - columns  # [B, T]
    is_recent = (back >= 0) & (back < _COUNTING.n_recent)
    weights: Tensor = torch.pow(_COUNTING.decay, back.clamp(min=0).float()) * is_recent
    return weights
