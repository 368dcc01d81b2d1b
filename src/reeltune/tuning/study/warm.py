"""A warm start: the searcher learns from the trials of earlier studies before the first of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optuna.trial import FrozenTrial

from reeltune.errors import StudyError, first_line
from reeltune.files import read_json, write_json
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.space.parameters import Scalar, is_active
from reeltune.tuning.space.search_space import flatten
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.folders import find_study
from reeltune.tuning.study.storage import frozen_trial

PRIOR_FILE = "prior.json"
"""The trials learned from, kept with the study: the earlier studies may be removed."""


def keep_prior(study: Study, notify: Callable[[str], None] = lambda _: None) -> None:
    """Write the trials that ``study.warm_start`` names into the study's folder, unless they are there.

    A trial is taken when its searched values lie in the space and everything else about it is as in this
    study; the others are counted and reported.

    Raises:
        StudyError: An earlier study is absent, on other data or for another objective, or none of its
            trials can be taken.
    """
    path = study.directory / PRIOR_FILE
    names = study.spec.study.warm_start
    if not names or path.exists():
        return
    taken: list[dict[str, Any]] = []
    for name in names:
        other = Study.open(find_study(name, study.directory.parent))
        _check_same(study, other)
        rows = [row for row in other.rows() if row.state.is_finished]
        found = [(row, _point(study, row)) for row in rows]
        usable = [(row, point) for row, point in found if point is not None]
        notify(f"warm start: {len(usable)} of {len(rows)} trials of {name} taken")
        if not usable:
            raise StudyError(
                f"none of the {len(rows)} finished trials of {name!r} lies in the space of {study.name!r} "
                "with the same fixed fields; drop it from study.warm_start or search the same space"
            )
        for row, point in usable:
            epochs = [epoch.plain() for epoch in other.epochs(row.number)]
            taken.append({"row": row.plain() | {"params": point}, "epochs": epochs})
    write_json(path, taken)


def read_prior(study: Study) -> list[FrozenTrial]:
    """Return the trials of earlier studies as Optuna keeps them.

    Raises:
        StudyError: The file is damaged.
    """
    path = study.directory / PRIOR_FILE
    if not path.exists():
        return []
    try:
        return [
            frozen_trial(
                study.spec.space,
                TrialRow.from_plain(entry["row"]),
                [EpochReport(**epoch) for epoch in entry["epochs"]],
                study.goal,
            )
            for entry in read_json(path)
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StudyError(f"{path} is damaged ({first_line(error)}); restore it from a copy") from error


def _check_same(study: Study, other: Study) -> None:
    differences = study.ledger.differences(other.ledger)
    if differences:
        raise StudyError(
            f"study.warm_start: {other.name!r} was made on data with another {differences[0]}; "
            "its figures mean nothing here"
        )
    if other.goal.objectives != study.goal.objectives:
        raise StudyError(
            f"study.warm_start: {other.name!r} searched for {', '.join(other.goal.objectives)}, "
            f"this study for {', '.join(study.goal.objectives)}; name studies of the same objectives"
        )


def _point(study: Study, row: TrialRow) -> dict[str, Scalar] | None:
    """Return the trial as a point of the study's space, None where it is none."""
    space, base = study.spec.space, study.spec.trial.plain()
    config = flatten(row.config)
    point: dict[str, Scalar] = {}
    for name, parameter in space:
        if is_active(parameter, space.values(base, point)):
            value = config.get(name)
            if value is None or parameter.nearest(value) != value:
                return None
            point[name] = value
    if space.values(base, point) != config or space.broken(base, point) is not None:
        return None
    return point
