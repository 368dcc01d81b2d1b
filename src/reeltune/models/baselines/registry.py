"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from reeltune.data.prepared import Sequences
from reeltune.errors import ConfigError, unknown_name
from reeltune.models.baselines.linear import Baseline
from reeltune.models.baselines.markov import Markov, MarkovConfig
from reeltune.models.baselines.popularity import Popularity

__all__ = ["BASELINES", "fit_baseline", "restore_baseline"]

# Many counts of one lag are equal: float32 tells this weight apart, and a transition outweighs it.
FIRST_ORDER = MarkovConfig(max_lag=1, n_recent=1, shrinkage=0.0, popularity_weight=1e-3)

BASELINES: dict[str, Callable[[Sequences, int], Baseline]] = {
    "popularity": Popularity,
    "markov": lambda train, n_items: Markov(FIRST_ORDER, train, n_items),
    "windowed-markov": lambda train, n_items: Markov(MarkovConfig(), train, n_items),
}
"""Makers of fitted baselines, given training sequences and the number of movies."""


def fit_baseline(name: str, train: Sequences, n_items: int) -> Baseline:
    """Return the baseline ``name``, fitted to ``train``.

    Raises:
        ConfigError: No baseline has that name.
    """
    if name not in BASELINES:
        raise ConfigError(unknown_name("baseline", name, BASELINES))
    return BASELINES[name](train, n_items)


def restore_baseline(name: str, tables: Mapping[str, NDArray[Any]]) -> Baseline:
    """Return the baseline ``name`` from the tables that it gave when it was fitted.

    Raises:
        ConfigError: No baseline has that name.
        KeyError: A table is missing.
        ValueError: The tables do not fit each other.
    """
    if name not in BASELINES:
        raise ConfigError(unknown_name("baseline", name, BASELINES))
    if name == "popularity":
        return Popularity.from_tables(tables)
    return Markov.from_tables(FIRST_ORDER if name == "markov" else MarkovConfig(), tables)
