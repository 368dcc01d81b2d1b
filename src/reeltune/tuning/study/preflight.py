"""What follows from a study's settings: first trials, what a trial waits for, what cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reeltune.config import Document
from reeltune.errors import ConfigError
from reeltune.models.registry import is_network
from reeltune.tuning.search.searchers import SEARCHERS, GridConfig, check_searcher, n_initial
from reeltune.tuning.space.search_space import MODEL_NAME, Space, check_point, flatten
from reeltune.tuning.study.spec import StudySettings, StudySpec
from reeltune.tuning.trial.config import RatingTrialConfig, TrialConfig


def given_points(spec: StudySpec) -> list[dict[str, Any]]:
    """Return the points of the first trials: each model's default configuration, then those of the spec.

    A default that the constraints forbid is left out, and a grid visits each of its points once, the
    default's neighbour among them.
    """
    if isinstance(spec.study.searcher, GridConfig):
        return []
    space, base = spec.space, spec.trial.plain()
    defaults = [space.default(base, name) for name in space.models] or [space.default(base)]
    return [*(point for point in defaults if space.broken(base, point) is None), *spec.study.first]


def horizon(spec: StudySpec, number: int, n_prior: int = 0) -> int:
    """Return how many trials, from the first on, must have ended before trial ``number`` may begin.

    ``n_prior`` results of earlier studies are known to the searcher.
    """
    settings = spec.study
    if spec.population is not None:
        return spec.population.generation(number).start
    if settings.lag is None:
        return 0
    before = max(number - settings.lag, 0)
    if settings.scheduler.name != "none":
        return before
    if not SEARCHERS[settings.searcher.name].learns or before + n_prior < n_initial(settings.searcher):
        return 0
    return before


def check_fixed(space: Space, fixed_fields: Mapping[str, Any], document: Document) -> None:
    """Check that no field is both fixed and searched.

    Raises:
        ConfigError: One is; the message gives the line of ``document``.
    """
    fixed = flatten(fixed_fields)
    for name, _ in space:
        if name in fixed and name != MODEL_NAME:
            raise ConfigError(
                f"{document.at(*name.split('.'))}: {name} is fixed here and searched in the space; drop one"
            )


def check_settings(
    space: Space, study: StudySettings, trial: TrialConfig | RatingTrialConfig, document: Document
) -> None:
    """Check that the searcher can draw from the space, the first points lie in it, and nothing waits in vain.

    Raises:
        ConfigError: It cannot be so; the message gives the line of ``document``.
    """
    try:
        check_searcher(study.searcher, space, trial.plain())
    except ConfigError as error:
        raise ConfigError(f"{document.at('study', 'searcher')}: {error}") from error
    for index, point in enumerate(study.first):
        check_point(space, point, document.at("study", "first", index), trial.plain())
    if study.warm_start and not SEARCHERS[study.searcher.name].learns:
        learners = ", ".join(name for name, entry in SEARCHERS.items() if entry.learns)
        raise ConfigError(
            f"{document.at('study', 'warm_start')}: the searcher {study.searcher.name} learns from no trial; "
            f"use {learners}, or drop warm_start"
        )
    population = study.population(space, trial)
    if population is not None:
        try:
            population.check(
                model=trial.model.name,
                has_epochs=is_network(trial.model.name),
                searcher=study.searcher.name,
                n_trials=study.trials,
                n_first=1 + len(study.first),
            )
        except ConfigError as error:
            raise ConfigError(f"{document.at('study', 'scheduler')}: {error}") from error
    elif study.lag is not None and study.concurrency > study.lag + 1:
        raise ConfigError(
            f"{document.at('study', 'concurrency')}: study.concurrency is {study.concurrency}, but with "
            f"study.lag {study.lag} a trial waits for all but the {study.lag} trials before it; set lag to "
            f"{study.concurrency - 1} or more, or to null for a study whose results depend on timing"
        )
