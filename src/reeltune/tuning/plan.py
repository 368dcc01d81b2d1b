"""Which trials of a study are given, and which results a trial waits for."""

from __future__ import annotations

from typing import Any

from reeltune.tuning.searchers import SEARCHERS, GridConfig, n_initial
from reeltune.tuning.spec import StudySpec

__all__ = ["given_points", "horizon"]


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


def horizon(spec: StudySpec, number: int) -> int:
    """Return how many trials, from the first on, must have ended before trial ``number`` may begin."""
    settings = spec.study
    if settings.lag is None:
        return 0
    before = max(number - settings.lag, 0)
    if settings.scheduler.name != "none":
        return before
    is_learning = SEARCHERS[settings.searcher.name].learns and before >= n_initial(settings.searcher)
    return before if is_learning else 0
