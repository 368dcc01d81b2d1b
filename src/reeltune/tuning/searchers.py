"""Optuna samplers by name, and how a space is drawn from one.

A sampler is made anew for each trial from the study's seed and the trial's number, so that
a resumed study suggests what an uninterrupted one would have suggested.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from reeltune.config import Config
from reeltune.errors import ConfigError
from reeltune.seeding import derive
from reeltune.tuning.space import Choice, FloatRange, IntRange, Space, is_active

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler

__all__ = [
    "SEARCHERS",
    "GridConfig",
    "QmcConfig",
    "RandomConfig",
    "SearcherConfig",
    "SearcherEntry",
    "TpeConfig",
    "check_searcher",
    "draw",
    "grid_values",
    "make_sampler",
    "n_points",
]


class TpeConfig(Config):
    """Tree-structured Parzen estimator (Bergstra et al., 2011; multivariate: Falkner et al., 2018)."""

    name: Literal["tpe"] = "tpe"
    """Chooses this searcher."""
    n_initial: int = Field(default=8, ge=1, le=10000)
    """Trials spread evenly over the space (Sobol points) before the estimator starts, 1 to 10000."""
    n_candidates: int = Field(default=24, ge=1, le=10000)
    """Candidates weighed for each suggestion, 1 to 10000."""


class RandomConfig(Config):
    """Independent uniform draws."""

    name: Literal["random"] = "random"
    """Chooses this searcher."""


class QmcConfig(Config):
    """Scrambled Sobol points, which fill the space more evenly than random ones."""

    name: Literal["qmc"] = "qmc"
    """Chooses this searcher."""


class GridConfig(Config):
    """Every combination of the choices and stepped ranges, in a shuffled order."""

    name: Literal["grid"] = "grid"
    """Chooses this searcher."""


SearcherConfig = Annotated[TpeConfig | RandomConfig | QmcConfig | GridConfig, Field(discriminator="name")]
"""The configuration of any searcher; the field ``name`` tells which."""


@dataclass(frozen=True)
class SearcherEntry:
    """A searcher's configuration class and the maker of its sampler."""

    config_class: type[Config]
    build: Callable[[Any, Space, int, int], BaseSampler]  # (config, space, study seed, trial number)


def _tpe(config: TpeConfig, space: Space, seed: int, number: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    if number < config.n_initial:
        return _qmc(QmcConfig(), space, seed, number)
    return TPESampler(
        n_startup_trials=config.n_initial,
        n_ei_candidates=config.n_candidates,
        multivariate=True,
        group=any(parameter.when for _, parameter in space),
        constant_liar=True,
        seed=derive(seed, "suggest", number) % 2**32,  # numpy's legacy seeding takes 32 bits
    )


def _random(config: RandomConfig, space: Space, seed: int, number: int) -> BaseSampler:
    from reeltune.tuning.samplers import UnitPoints, random_points

    return UnitPoints(list(space.space), random_points(seed))


def _qmc(config: QmcConfig, space: Space, seed: int, number: int) -> BaseSampler:
    from reeltune.tuning.samplers import UnitPoints, sobol_points

    return UnitPoints(list(space.space), sobol_points(seed))


def _grid(config: GridConfig, space: Space, seed: int, number: int) -> BaseSampler:
    from reeltune.tuning.samplers import GridPoints

    return GridPoints({name: grid_values(name, p) for name, p in space}, derive(seed, "grid"))


SEARCHERS: dict[str, SearcherEntry] = {
    "tpe": SearcherEntry(TpeConfig, _tpe),
    "random": SearcherEntry(RandomConfig, _random),
    "qmc": SearcherEntry(QmcConfig, _qmc),
    "grid": SearcherEntry(GridConfig, _grid),
}


def grid_values(name: str, parameter: FloatRange | IntRange | Choice) -> list[Any]:
    """Return the values of ``parameter`` that a grid visits.

    Raises:
        ConfigError: The parameter is a range of real numbers without a step, or has conditions.
    """
    if parameter.when:
        raise ConfigError(f"{name} has a condition (when:), which a grid cannot hold; use another searcher")
    if isinstance(parameter, Choice):
        return list(parameter.values)
    if isinstance(parameter, IntRange):
        if parameter.log:
            raise ConfigError(
                f"{name} has a logarithmic scale, which a grid cannot hold; list choices instead"
            )
        return list(range(parameter.low, parameter.high + 1, parameter.step or 1))
    if parameter.step is None:
        raise ConfigError(f"{name} has no step, so a grid over it never ends; give it a step or list choices")
    n_values = math.floor((parameter.high - parameter.low) / parameter.step + 1e-9) + 1
    return [parameter.low + i * parameter.step for i in range(n_values)]


def check_searcher(config: Config, space: Space) -> None:
    """Check that the searcher can draw from ``space``.

    Raises:
        ConfigError: A grid over a range that has no end, or over a condition.
    """
    if isinstance(config, GridConfig):
        for name, parameter in space:
            grid_values(name, parameter)


def n_points(config: Config, space: Space) -> int | None:
    """Return how many different trials the searcher can suggest, None for no limit."""
    if not isinstance(config, GridConfig):
        return None
    return math.prod(len(grid_values(name, parameter)) for name, parameter in space)


def make_sampler(config: Any, space: Space, seed: int, number: int) -> BaseSampler:
    """Return the sampler that suggests trial ``number`` of the study with ``seed``."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        # Multivariate TPE and the constant liar are experimental; tests hold what is used of them.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return SEARCHERS[config.name].build(config, space, seed, number)


def draw(space: Space, trial: optuna.Trial, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return one value a searched field, drawn through ``trial`` in the order of the space.

    A parameter whose conditions do not hold for ``base`` (flat) and the values drawn so far is left out.
    """
    params: dict[str, Any] = {}
    for name, parameter in space:
        if is_active(parameter, dict(base) | params):
            params[name] = _draw_one(name, parameter, trial)
    return params


def _draw_one(name: str, parameter: FloatRange | IntRange | Choice, trial: optuna.Trial) -> Any:
    if isinstance(parameter, Choice):
        return trial.suggest_categorical(name, parameter.values)
    if isinstance(parameter, IntRange):
        return trial.suggest_int(
            name, parameter.low, parameter.high, step=parameter.step or 1, log=parameter.log
        )
    return trial.suggest_float(name, parameter.low, parameter.high, step=parameter.step, log=parameter.log)
