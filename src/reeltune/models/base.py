"""The two contracts of the models: what scores movies, and what a network must offer.

Shapes: B batch, T steps, D embedding, V catalogue.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Protocol

from torch import Tensor, nn

from reeltune.config import Config
from reeltune.data.batch import Histories
from reeltune.models.inputs import SideInputs

if TYPE_CHECKING:
    from reeltune.models.prior import CountPrior


class Scorer(Protocol):
    """Scores the whole catalogue for histories; networks and baselines alike."""

    @property
    def n_items(self) -> int:
        """Number of movies V."""

    def scores(self, histories: Histories) -> Tensor:
        """Return one score a movie, higher is better, float32 of shape [B, V+1].

        Column 0 (padding) is minus infinity. Movies already seen are *not* removed here.
        """


class SequenceNetwork(nn.Module, abc.ABC):
    """A network that turns each position of a history into a query over the catalogue.

    Position t of the output depends on positions 0..t of the input only.
    """

    config: Config
    n_items: int
    side: SideInputs
    """Reads the side information; its tables are part of the state."""
    prior: CountPrior | None
    """Counted transitions that :meth:`scores` adds; its table is part of the state. None for no prior."""

    @abc.abstractmethod
    def encode(self, histories: Histories) -> Tensor:
        """Return the state after each position, shape [B, T, D] with D the width of ``item_vectors``."""

    @abc.abstractmethod
    def item_vectors(self) -> Tensor:
        """Return the output embeddings, shape [V+1, D]; row 0 belongs to padding."""

    @abc.abstractmethod
    def item_bias(self) -> Tensor | None:
        """Return the bias of each movie, shape [V+1], or None."""

    @abc.abstractmethod
    def scores(self, histories: Histories) -> Tensor:
        """Return scores of the catalogue after the last position, [B, V+1]; see :class:`Scorer`."""


def as_network(model: object) -> SequenceNetwork | None:
    """Return ``model`` where it is a network, else None."""
    return model if isinstance(model, SequenceNetwork) else None
