"""All models by name: the one list that the rest of the package asks.

To add a model, write its file and one line of :data:`MODELS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from importlib.util import find_spec
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from reeltune.config import Config
from reeltune.data.features.config import NO_SIDE, SideShapes
from reeltune.errors import ConfigError, unknown_name
from reeltune.models.base import SequenceNetwork
from reeltune.models.baselines.base import BaselineConfig
from reeltune.models.baselines.content import Content, ContentConfig
from reeltune.models.baselines.ease import EASE, EASEConfig
from reeltune.models.baselines.factors import BPR, IALS, BPRConfig, IALSConfig
from reeltune.models.baselines.item_knn import ItemKNN, ItemKNNConfig, RecentItemKNN, RecentItemKNNConfig
from reeltune.models.baselines.markov import FirstOrderConfig, FirstOrderMarkov, Markov, MarkovConfig
from reeltune.models.baselines.popularity import Popularity, PopularityConfig
from reeltune.models.networks.attentive_gru import AttentiveGRUConfig, AttentiveGRUNetwork
from reeltune.models.networks.catalogue import NetworkConfig
from reeltune.models.networks.gru import GRUConfig, GRUNetwork
from reeltune.models.networks.lstm import LSTMConfig, LSTMNetwork
from reeltune.models.networks.mingru import MinGRUConfig, MinGRUNetwork
from reeltune.models.networks.rnn import RNNConfig, RNNNetwork
from reeltune.models.networks.sasrec import SASRecConfig, SASRecNetwork
from reeltune.models.rating.baselines import (
    BiasesConfig,
    GlobalMeanConfig,
    RatingBaselineConfig,
    SVDConfig,
    SVDPlusPlusConfig,
    fit_biases,
    fit_factors,
    fit_global_mean,
)

ModelKind = Literal["network", "baseline", "rating baseline"]
"""What a model is. A network scores the catalogue, and under a rating head predicts ratings too; a baseline
scores the catalogue and is fitted in one go; a rating baseline predicts ratings and is fitted in one go."""


@dataclass(frozen=True)
class Package:
    """A package that only some models need."""

    module: str
    extra: str  # of reeltune, by which pip installs it

    @property
    def is_installed(self) -> bool:
        """Whether it can be imported."""
        return find_spec(self.module) is not None


IMPLICIT = Package("implicit", "baselines")
SURPRISE = Package("surprise", "ratings")


@dataclass(frozen=True)
class ModelEntry:
    """What the package knows of a model without making one."""

    label: str
    """How a table or sentence names it."""
    kind: ModelKind
    config_class: type[Config]
    model: Any
    """A network's class takes (config, n_items, shapes), a baseline's has ``fit`` and ``from_tables``; of a
    rating baseline it is the function (config, train, n_items, seed) that fits one."""
    is_seeded: bool = False
    """Whether another seed gives another model."""
    requires: Package | None = None
    is_slow: bool = False
    """Whether fitting it passes over all events many times."""

    def default(self) -> Any:
        """Return the default configuration."""
        return self.config_class.model_validate({})


def _network(label: str, config_class: type[NetworkConfig], model: type[SequenceNetwork]) -> ModelEntry:
    return ModelEntry(label, "network", config_class, model, is_seeded=True)


MODELS: dict[str, ModelEntry] = {
    "gru": _network("GRU", GRUConfig, GRUNetwork),
    "lstm": _network("LSTM", LSTMConfig, LSTMNetwork),
    "rnn": _network("RNN", RNNConfig, RNNNetwork),
    "mingru": _network("MINGRU", MinGRUConfig, MinGRUNetwork),
    "attentive-gru": _network("ATTENTIVE-GRU", AttentiveGRUConfig, AttentiveGRUNetwork),
    "sasrec": _network("SASREC", SASRecConfig, SASRecNetwork),
    "windowed-markov": ModelEntry("windowed Markov", "baseline", MarkovConfig, Markov),
    "markov": ModelEntry("first-order Markov", "baseline", FirstOrderConfig, FirstOrderMarkov),
    "popularity": ModelEntry("popularity", "baseline", PopularityConfig, Popularity),
    "item-knn": ModelEntry("ItemKNN", "baseline", ItemKNNConfig, ItemKNN),
    "item-knn-recency": ModelEntry("ItemKNN with recency", "baseline", RecentItemKNNConfig, RecentItemKNN),
    "ease": ModelEntry("EASE", "baseline", EASEConfig, EASE),
    "tf-idf": ModelEntry("TF-IDF content", "baseline", ContentConfig, Content),
    "ials": ModelEntry("iALS", "baseline", IALSConfig, IALS, True, IMPLICIT, is_slow=True),
    "bpr": ModelEntry("BPR", "baseline", BPRConfig, BPR, True, IMPLICIT, is_slow=True),
    "global-mean": ModelEntry("global mean", "rating baseline", GlobalMeanConfig, fit_global_mean),
    "biases": ModelEntry("biases", "rating baseline", BiasesConfig, fit_biases),
    "svd": ModelEntry("biased MF (SVD)", "rating baseline", SVDConfig, fit_factors, True, SURPRISE),
    "svd++": ModelEntry(
        "SVD++", "rating baseline", SVDPlusPlusConfig, fit_factors, True, SURPRISE, is_slow=True
    ),
}

DEFAULT_NETWORK = "gru"
"""The network of a configuration that names none."""


def models_of(*kinds: ModelKind) -> dict[str, ModelEntry]:
    """Return the models of ``kinds`` by name, in the order of the registry."""
    return {name: entry for name, entry in MODELS.items() if entry.kind in kinds}


def is_network(name: str) -> bool:
    """Return whether ``name`` is a network's; an unknown one is not."""
    return name in models_of("network")


def model_entry(name: str, *kinds: ModelKind) -> ModelEntry:
    """Return the entry of the model ``name``, one of ``kinds`` (none given: of any).

    Raises:
        ConfigError: No such model has that name.
    """
    known = models_of(*kinds) if kinds else MODELS
    if name not in known:
        raise ConfigError(unknown_name(kinds[0] if len(kinds) == 1 else "model", name, known))
    return known[name]


def check_packages(names: Iterable[str]) -> None:
    """Check that the packages of the models ``names`` are installed.

    Raises:
        ConfigError: One is not; the message says what to install.
    """
    for name in names:
        package = MODELS[name].requires
        if package is not None and not package.is_installed:
            raise ConfigError(
                f"the {MODELS[name].kind} {name} needs a package that is not installed: "
                f'pip install "reeltune[{package.extra}]", or leave it out'
            )


def build_network(config: NetworkConfig, n_items: int, shapes: SideShapes = NO_SIDE) -> SequenceNetwork:
    """Return a new network for a catalogue of ``n_items`` movies, drawn from torch's generator.

    Its tables of side information have the sizes ``shapes`` and are empty; ``network.side.fill`` or a
    saved state fills them.
    """
    network: SequenceNetwork = model_entry(config.name, "network").model(config, n_items, shapes)
    return network


if TYPE_CHECKING:
    AnyNetworkConfig = NetworkConfig
    AnyBaselineConfig = BaselineConfig
    AnyRatingBaselineConfig = RatingBaselineConfig
    AnyModelConfig = NetworkConfig | BaselineConfig
    AnyRatingModelConfig = NetworkConfig | RatingBaselineConfig
else:

    def _config_of(*kinds: ModelKind) -> Any:
        """Return the type of a config field that holds any model of ``kinds``; ``name`` chooses."""
        classes = [entry.config_class for entry in models_of(*kinds).values()]
        return Annotated[reduce(or_, classes), Field(discriminator="name")]

    AnyNetworkConfig = _config_of("network")
    AnyBaselineConfig = _config_of("baseline")
    AnyRatingBaselineConfig = _config_of("rating baseline")
    AnyModelConfig = _config_of("network", "baseline")
    AnyRatingModelConfig = _config_of("network", "rating baseline")
