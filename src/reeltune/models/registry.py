"""The networks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from reeltune.data.features.config import NO_SIDE, SideShapes
from reeltune.errors import ConfigError, unknown_name
from reeltune.models.base import SequenceNetwork
from reeltune.models.networks.attentive_gru import AttentiveGRUConfig, AttentiveGRUNetwork
from reeltune.models.networks.catalogue import NetworkConfig
from reeltune.models.networks.gru import GRUConfig, GRUNetwork
from reeltune.models.networks.lstm import LSTMConfig, LSTMNetwork
from reeltune.models.networks.mingru import MinGRUConfig, MinGRUNetwork
from reeltune.models.networks.rnn import RNNConfig, RNNNetwork
from reeltune.models.networks.sasrec import SASRecConfig, SASRecNetwork

__all__ = ["NETWORKS", "ModelConfig", "NetworkEntry", "build_network", "network_entry"]

ModelConfig = Annotated[
    GRUConfig | LSTMConfig | RNNConfig | MinGRUConfig | AttentiveGRUConfig | SASRecConfig,
    Field(discriminator="name"),
]
"""The configuration of any network; the field ``name`` tells which."""


@dataclass(frozen=True)
class NetworkEntry:
    """A network's configuration class and its maker."""

    config_class: type[NetworkConfig]
    build: Callable[[Any, int, SideShapes], SequenceNetwork]  # (config, n_items, shapes)


NETWORKS: dict[str, NetworkEntry] = {
    "gru": NetworkEntry(GRUConfig, GRUNetwork),
    "lstm": NetworkEntry(LSTMConfig, LSTMNetwork),
    "rnn": NetworkEntry(RNNConfig, RNNNetwork),
    "mingru": NetworkEntry(MinGRUConfig, MinGRUNetwork),
    "attentive-gru": NetworkEntry(AttentiveGRUConfig, AttentiveGRUNetwork),
    "sasrec": NetworkEntry(SASRecConfig, SASRecNetwork),
}


def network_entry(name: str) -> NetworkEntry:
    """Return the entry of the network ``name``.

    Raises:
        ConfigError: No network has that name.
    """
    if name not in NETWORKS:
        raise ConfigError(unknown_name("model", name, NETWORKS))
    return NETWORKS[name]


def build_network(config: ModelConfig, n_items: int, shapes: SideShapes = NO_SIDE) -> SequenceNetwork:
    """Return a new network for a catalogue of ``n_items`` movies, drawn from torch's generator.

    Its tables of side information have the sizes ``shapes`` and are empty; ``network.side.fill`` or a
    saved state fills them.
    """
    return network_entry(config.name).build(config, n_items, shapes)
