"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from numpy.typing import NDArray
from pydantic import Field

from reeltune.data.prepared import Sequences, TuningData
from reeltune.errors import ConfigError, unknown_name
from reeltune.models.baselines.base import Baseline, BaselineConfig, Known
from reeltune.models.baselines.content import Content, ContentConfig, content_terms
from reeltune.models.baselines.ease import EASE, EASEConfig
from reeltune.models.baselines.factors import BPR, IALS, BPRConfig, IALSConfig
from reeltune.models.baselines.item_knn import ItemKNN, ItemKNNConfig, RecentItemKNN, RecentItemKNNConfig
from reeltune.models.baselines.markov import FirstOrderConfig, FirstOrderMarkov, Markov, MarkovConfig
from reeltune.models.baselines.popularity import Popularity, PopularityConfig

__all__ = [
    "BASELINES",
    "BaselineEntry",
    "BaselineModelConfig",
    "baseline_entry",
    "fit_baseline",
    "fit_to_data",
    "restore_baseline",
]

BaselineModelConfig = Annotated[
    PopularityConfig
    | FirstOrderConfig
    | MarkovConfig
    | ItemKNNConfig
    | RecentItemKNNConfig
    | EASEConfig
    | ContentConfig
    | IALSConfig
    | BPRConfig,
    Field(discriminator="name"),
]
"""The configuration of any baseline; the field ``name`` tells which."""


@dataclass(frozen=True)
class BaselineEntry:
    """A baseline's configuration class and the class that is fitted with it."""

    config_class: type[BaselineConfig]
    model: type[Baseline]

    def default(self) -> BaselineConfig:
        """Return the default configuration."""
        return self.config_class.model_validate({})

    @property
    def label(self) -> str:
        """How a table or sentence names the baseline."""
        return self.model.LABEL


BASELINES: dict[str, BaselineEntry] = {
    "windowed-markov": BaselineEntry(MarkovConfig, Markov),
    "markov": BaselineEntry(FirstOrderConfig, FirstOrderMarkov),
    "popularity": BaselineEntry(PopularityConfig, Popularity),
    "item-knn": BaselineEntry(ItemKNNConfig, ItemKNN),
    "item-knn-recency": BaselineEntry(RecentItemKNNConfig, RecentItemKNN),
    "ease": BaselineEntry(EASEConfig, EASE),
    "tf-idf": BaselineEntry(ContentConfig, Content),
    "ials": BaselineEntry(IALSConfig, IALS),
    "bpr": BaselineEntry(BPRConfig, BPR),
}


def baseline_entry(name: str) -> BaselineEntry:
    """Return the entry of the baseline ``name``.

    Raises:
        ConfigError: No baseline has that name.
    """
    if name not in BASELINES:
        raise ConfigError(unknown_name("baseline", name, BASELINES))
    return BASELINES[name]


def fit_baseline(
    model: str | BaselineConfig,
    train: Sequences,
    n_items: int,
    *,
    seed: int = 0,
    terms: Callable[[], Sequence[Sequence[str]]] | None = None,
) -> Baseline:
    """Return a baseline fitted to ``train``.

    Args:
        model: Its name, or its configuration.
        train: The events that it may use.
        n_items: Movies V of the catalogue.
        seed: Origin of all randomness of those that are trained.
        terms: Gives the words, genres and people of each movie; ``tf-idf`` needs them, see
            :func:`reeltune.models.baselines.content.content_terms`.

    Raises:
        ConfigError: No baseline has that name, or its package is not installed.
        DataError: The data do not have what it needs.
    """
    config = baseline_entry(model).default() if isinstance(model, str) else model
    return BASELINES[config.name].model.fit(config, Known(train, n_items, seed, terms))


def fit_to_data(
    model: str | BaselineConfig, data: TuningData, known: Sequences | None = None, *, seed: int = 0
) -> Baseline:
    """Return a baseline fitted to ``known`` with what the data tell of the movies.

    Args:
        model: Its name, or its configuration.
        data: The catalogue and what is told beside it.
        known: The events that it may use; None for what precedes the validation.
        seed: Origin of all randomness of those that are trained.

    Raises:
        ConfigError: No baseline has that name, or its package is not installed.
        DataError: The data do not have what it needs.
    """
    events = data.validation.known() if known is None else known

    def terms() -> Sequence[Sequence[str]]:
        from reeltune.data.store import open_side

        return content_terms(data.catalogue, events, open_side(data.directory))

    return fit_baseline(model, events, data.n_items, seed=seed, terms=terms)


def restore_baseline(model: str | Mapping[str, Any], tables: Mapping[str, NDArray[Any]]) -> Baseline:
    """Return a baseline from the tables that it gave when it was fitted.

    Args:
        model: Its name where it has the default configuration, or its plain configuration.
        tables: What :meth:`Baseline.tables` returned.

    Raises:
        ConfigError: No baseline has that name.
        KeyError: A table is missing.
        ValueError: The tables do not fit each other, or the configuration is damaged.
    """
    plain = {"name": model} if isinstance(model, str) else dict(model)
    entry = baseline_entry(str(plain.get("name")))
    return entry.model.from_tables(entry.config_class.model_validate(plain), tables)
