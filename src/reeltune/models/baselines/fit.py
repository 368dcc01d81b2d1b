"""Fits any baseline of the registry, and brings a fitted one back from its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from reeltune.data.features.assemble import query_features
from reeltune.data.prepared import Queries, Sequences, TuningData
from reeltune.data.ratings import Ratings
from reeltune.models.base import Scorer, SequenceNetwork
from reeltune.models.baselines.base import Baseline, BaselineConfig, Known
from reeltune.models.baselines.content import content_terms
from reeltune.models.rating.baselines import RatingBaseline, RatingBaselineConfig
from reeltune.models.registry import check_packages, model_entry


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
    config = model_entry(model, "baseline").default() if isinstance(model, str) else model
    check_packages([config.name])
    entry = model_entry(config.name, "baseline")
    baseline: Baseline = entry.model.fit(config, Known(train, n_items, seed, terms))
    return baseline


def fit_to_data(
    model: str | BaselineConfig, data: TuningData, known: Sequences | None = None, *, seed: int = 0
) -> Baseline:
    """Return a baseline fitted to ``known`` with what the data say of the movies.

    Args:
        model: Its name, or its configuration.
        data: The catalogue and what is known beside it.
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
    entry = model_entry(str(plain.get("name")), "baseline")
    baseline: Baseline = entry.model.from_tables(entry.config_class.model_validate(plain), tables)
    return baseline


def scorer_for(
    model: SequenceNetwork | Baseline, data: TuningData, queries: Queries, *, seed: int
) -> tuple[Scorer, Queries]:
    """Return what scores held-out ``queries``, and the queries as it reads them.

    A network is what was trained. Fitting a baseline costs little, so it is fitted again, from ``seed``, to
    all that precedes the targets.
    """
    if isinstance(model, SequenceNetwork):
        return model, query_features(model.side.config, data, queries)
    return fit_to_data(model.config, data, queries.known(), seed=seed), queries


def fit_rating_baseline(
    model: str | RatingBaselineConfig, train: Ratings, n_items: int, *, seed: int = 0
) -> RatingBaseline:
    """Return a rating baseline fitted to ``train``.

    Args:
        model: Its name, or its configuration.
        train: Questions whose answers are known; their order in time is not used.
        n_items: Movies V of the catalogue.
        seed: Origin of all randomness.

    Raises:
        ConfigError: No rating baseline has that name, or its package is not installed.
    """
    config = model_entry(model, "rating baseline").default() if isinstance(model, str) else model
    check_packages([config.name])
    entry = model_entry(config.name, "rating baseline")
    baseline: RatingBaseline = entry.model(config, train, n_items, seed)
    return baseline
