"""Searchers by name, each with its configuration: Optuna's samplers, and points that follow from a seed.

A sampler is made afresh for each trial from the study's seed and the trial's number, so that
a resumed study suggests what an uninterrupted one would have suggested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reeltune.config import Config
from reeltune.errors import ConfigError
from reeltune.seeding import derive
from reeltune.tuning.space.grid import grid_points
from reeltune.tuning.space.parameters import Choice, Scalar
from reeltune.tuning.space.search_space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class _Learner(Config):
    n_initial: int = Field(default=8, ge=1, le=10000)
    """Results that are gathered on points spread evenly over the space (Sobol) first, 1 to 10000."""


class TpeConfig(_Learner):
    """Tree-structured Parzen estimator (Bergstra et al., 2011; multivariate: Falkner et al., 2018)."""

    name: Literal["tpe"] = "tpe"
    """Chooses this searcher."""
    n_candidates: int = Field(default=24, ge=1, le=10000)
    """Candidates weighed for each suggestion, 1 to 10000."""


class CmaesConfig(_Learner):
    """CMA-ES with margin for ranges (Hamano et al., 2022); choices and conditional fields are TPE's."""

    name: Literal["cmaes"] = "cmaes"
    """Chooses this searcher."""
    population: int = Field(default=8, ge=3, le=1000)
    """Trials between two updates of the distribution, 3 to 1000."""


class GpConfig(_Learner):
    """Gaussian process with a Matern 5/2 kernel and log expected improvement (Ament et al., 2023)."""

    name: Literal["gp"] = "gp"
    """Chooses this searcher."""


class _Genetic(Config):
    population: int = Field(default=16, ge=2, le=1000)
    """Trials of one generation, 2 to 1000; the first is drawn at random."""


class Nsga2Config(_Genetic):
    """NSGA-II (Deb et al., 2002), a genetic algorithm for one or several objectives."""

    name: Literal["nsga2"] = "nsga2"
    """Chooses this searcher."""


class Nsga3Config(_Genetic):
    """NSGA-III (Deb and Jain, 2014), a genetic algorithm for many objectives."""

    name: Literal["nsga3"] = "nsga3"
    """Chooses this searcher."""


class RandomConfig(Config):
    """Independent uniform draws."""

    name: Literal["random"] = "random"
    """Chooses this searcher."""


class QmcConfig(Config):
    """Scrambled Sobol points, which fill the space more evenly than random ones."""

    name: Literal["qmc"] = "qmc"
    """Chooses this searcher."""


class GridConfig(Config):
    """Every combination of the choices and stepped ranges that conditions and constraints leave, shuffled."""

    name: Literal["grid"] = "grid"
    """Chooses this searcher."""


SearcherConfig = Annotated[
    TpeConfig | CmaesConfig | GpConfig | Nsga2Config | Nsga3Config | RandomConfig | QmcConfig | GridConfig,
    Field(discriminator="name"),
]
"""The configuration of any searcher; the field ``name`` says which."""


@dataclass(frozen=True)
class Draw:
    """The suggestion that is to be made."""

    space: Space
    base: Mapping[str, Any]  # the configuration whose fields are searched, nested plain values
    seed: int  # of the study
    number: int  # of the trial
    attempt: int = 0  # times that a suggestion for this trial was rejected

    @property
    def sampler_seed(self) -> int:
        """Return the seed of this suggestion; numpy's legacy seeding takes 32 bits."""
        keys = ("suggest", self.number, self.attempt) if self.attempt else ("suggest", self.number)
        return derive(self.seed, *keys) % 2**32


@dataclass(frozen=True)
class SearcherEntry:
    """A searcher's configuration class, and the maker of its sampler or of its points."""

    config_class: type[Config]
    sampler: Callable[[Any, Draw], BaseSampler] | None = None
    """Of a searcher that learns from results."""
    point: Callable[[Draw], Mapping[str, Scalar]] | None = None
    """Of one whose suggestion depends on the seed and the number alone."""
    takes_pruned: bool = False  # Optuna's sampler understands trials that were stopped early

    @property
    def learns(self) -> bool:
        """Whether it learns from results."""
        return self.sampler is not None


def _tpe(config: TpeConfig, draw: Draw) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(
        n_startup_trials=1,
        n_ei_candidates=config.n_candidates,
        multivariate=True,
        group=any(parameter.when for _, parameter in draw.space),
        constant_liar=True,
        seed=draw.sampler_seed,
    )


def _cmaes(config: CmaesConfig, draw: Draw) -> BaseSampler:
    from optuna.samplers import CmaEsSampler

    return CmaEsSampler(
        seed=draw.sampler_seed,
        popsize=config.population,
        with_margin=True,
        independent_sampler=_tpe(TpeConfig(), draw),
        warn_independent_sampling=False,
    )


def _gp(config: GpConfig, draw: Draw) -> BaseSampler:
    from optuna.samplers import GPSampler

    return GPSampler(
        seed=draw.sampler_seed,
        n_startup_trials=1,
        independent_sampler=_tpe(TpeConfig(), draw),
        warn_independent_sampling=False,
    )


def _genetic(config: Nsga2Config | Nsga3Config, draw: Draw) -> BaseSampler:
    from optuna.samplers import NSGAIIISampler, NSGAIISampler

    make = NSGAIISampler if config.name == "nsga2" else NSGAIIISampler
    return make(seed=draw.sampler_seed, population_size=config.population)


def random_point(draw: Draw) -> Mapping[str, Scalar]:
    """Return a uniform value of each parameter, other ones for each attempt."""
    keys = ("point", draw.number, draw.attempt) if draw.attempt else ("point", draw.number)
    return _at(draw.space, np.random.default_rng(derive(draw.seed, *keys)).random(len(draw.space.space)))


def sobol_point(draw: Draw) -> Mapping[str, Scalar]:
    """Return the trial's point of a scrambled Sobol sequence, which fills the space evenly.

    Of the sequence one point belongs to a trial: further attempts are uniform.
    """
    from torch.quasirandom import SobolEngine

    if draw.attempt:
        return random_point(draw)
    seed = derive(draw.seed, "sobol")
    engine: Any = SobolEngine(len(draw.space.space), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    engine.fast_forward(draw.number)
    return _at(draw.space, engine.draw(1).double().numpy()[0])


def _at(space: Space, units: NDArray[np.float64]) -> dict[str, Scalar]:
    pairs = zip(space, units.tolist(), strict=True)
    return {name: parameter.at(unit) for (name, parameter), unit in pairs}


def _grid_point(draw: Draw) -> Mapping[str, Scalar]:
    """Return the point that comes at the trial's number in an order drawn from the seed."""
    points = grid_points(draw.space, draw.base)
    order = np.random.default_rng(derive(draw.seed, "grid")).permutation(len(points))
    return points[int(order[draw.number % len(points)])]


SEARCHERS: dict[str, SearcherEntry] = {
    "tpe": SearcherEntry(TpeConfig, _tpe, takes_pruned=True),
    "cmaes": SearcherEntry(CmaesConfig, _cmaes),
    "gp": SearcherEntry(GpConfig, _gp),
    "nsga2": SearcherEntry(Nsga2Config, _genetic),
    "nsga3": SearcherEntry(Nsga3Config, _genetic),
    "random": SearcherEntry(RandomConfig, point=random_point),
    "qmc": SearcherEntry(QmcConfig, point=sobol_point),
    "grid": SearcherEntry(GridConfig, point=_grid_point),
}


def n_initial(config: Any) -> int:
    """Return how many results the searcher gathers on evenly spread points before it learns from them."""
    return int(getattr(config, "n_initial", getattr(config, "population", 0)))


def check_searcher(config: Config, space: Space, base: Mapping[str, Any]) -> None:
    """Check that the searcher can draw from ``space``, whose fields are those of ``base``.

    Raises:
        ConfigError: A grid over a range that has no end or without a point that meets the constraints, or
            CMA-ES on less than two ranges.
    """
    if isinstance(config, GridConfig):
        grid_points(space, base)
    ranges = [name for name, parameter in space if not isinstance(parameter, Choice) and not parameter.when]
    if isinstance(config, CmaesConfig) and len(ranges) < 2:
        raise ConfigError(
            f"CMA-ES searches ranges without a condition (when:) and needs 2, the space has {len(ranges)}; "
            "use another searcher"
        )


def n_points(config: Config, space: Space, base: Mapping[str, Any]) -> int | None:
    """Return how many different trials the searcher can suggest, None for no limit."""
    return len(grid_points(space, base)) if isinstance(config, GridConfig) else None
