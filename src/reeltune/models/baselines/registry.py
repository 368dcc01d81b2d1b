"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable

from reeltune.data.prepared import Sequences
from reeltune.errors import ConfigError, unknown_name
from reeltune.models.base import Scorer
from reeltune.models.baselines.markov import Markov, MarkovConfig
from reeltune.models.baselines.popularity import Popularity

__all__ = ["BASELINES", "fit_baseline"]

# Many counts of one lag are equal: float32 tells this weight apart, and a transition outweighs it.
FIRST_ORDER = MarkovConfig(max_lag=1, n_recent=1, shrinkage=0.0, popularity_weight=1e-3)

BASELINES: dict[str, Callable[[Sequences, int], Scorer]] = {
    "popularity": Popularity,
    "markov": lambda train, n_items: Markov(FIRST_ORDER, train, n_items),
    "windowed-markov": lambda train, n_items: Markov(MarkovConfig(), train, n_items),
}
"""Makers of fitted baselines, given training sequences and the number of movies."""


def fit_baseline(name: str, train: Sequences, n_items: int) -> Scorer:
    """Return the baseline ``name``, fitted to ``train``.

    Raises:
        ConfigError: No baseline has that name.
    """
    if name not in BASELINES:
        raise ConfigError(unknown_name("baseline", name, BASELINES))
    return BASELINES[name](train, n_items)
