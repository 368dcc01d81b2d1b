"""What evaluation asks of a study: its data, its selected trial, and the protocol of its figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from reeltune.data.prepared import TuningData
from reeltune.data.store import find_prepared, open_tuning, prepare
from reeltune.errors import StudyError
from reeltune.evaluation.repeats import read_repeats
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.search.results import has_figures
from reeltune.tuning.study.folder import Study

Notify = Callable[[str], None]
"""Receives lines of progress."""


def silent(_: str) -> None:
    """Receive a line of progress and do nothing."""


def open_study_data(study: Study, *, data_dir: Path | None, notify: Notify) -> tuple[Path, TuningData]:
    """Return the prepared folder and the tuning data of the study.

    The cache is searched first, by the study's ledger, so that a study on data from a folder of
    the user needs that folder no more; else they are prepared again.

    Raises:
        DataError: The data cannot be found.
        StudyError: The data found differ from those of the study.
    """
    prepared = find_prepared(study.ledger) or prepare(study.spec.data, data_dir=data_dir, notify=notify)
    data = open_tuning(prepared)
    study.check_ledger(data.ledger)
    return prepared, data


def selected_trial(study: Study, number: int | None = None) -> TrialRow:
    """Return trial ``number``, or the winner: of the repeats where there are any, else the best trial.

    Raises:
        StudyError: No trial has a figure yet, or trial ``number`` is absent or has none.
    """
    ranked = study.best()
    if number is None:
        if not ranked:
            _refuse_broken(study)
            raise StudyError(
                f"study {study.name!r}: none of its {len(study.rows())} trials has ended with a figure; "
                f"resume with: reeltune resume {study.name}"
            )
        repeats = read_repeats(study)
        return ranked[0] if repeats is None else study.row(repeats.winner)
    for row in ranked:
        if row.number == number:
            return row
    known = ", ".join(str(row.number) for row in sorted(ranked, key=lambda row: row.number)) or "none"
    raise StudyError(f"study {study.name!r} has no trial {number} with a figure; those with one: {known}")


def default_trial(study: Study) -> TrialRow | None:
    """Return the first trial with the default configuration and a figure, None where none had it."""
    point = study.spec.default_point
    rows = (row for row in study.rows() if row.params == point and row.parent is None)
    return next((row for row in rows if row.value is not None), None)


def _refuse_broken(study: Study) -> None:
    """Refuse with the limits that keep every trial from winning.

    Raises:
        StudyError: There are trials with figures, and each breaks a limit.
    """
    rows = [row for row in study.rows() if has_figures(row, study.goal)]
    if rows:
        nearest = min(rows, key=lambda row: study.goal.violation(row.metrics))
        raise StudyError(
            f"study {study.name!r}: each of its {len(rows)} trials with figures breaks a limit; the nearest, "
            f"trial {nearest.number}, has {'; '.join(study.goal.broken(nearest.metrics))}; "
            "loosen study.constraints in a new study, or search smaller networks"
        )


def check_task(study: Study) -> None:
    """Check that the study ranks movies, which leaderboards, tests and bundles are made of.

    Raises:
        StudyError: It predicts ratings.
    """
    if study.spec.trial.task != "next-item":
        raise StudyError(
            f"study {study.name!r} predicts ratings, and this command judges ranked movies; see its trials "
            f"with: reeltune trials {study.name}, or test ratings over folds with: reeltune ratings"
        )


def protocol(study: Study) -> dict[str, Any]:
    """Return all that a reader must know to compare the study's figures with others."""
    return {
        "data": study.ledger.plain(),
        "candidates": "the whole catalogue",
        "seen_filter": "movies of the history are removed before ranking",
        "ties": "pessimistic: a tie counts against the target",
        "objective": study.objective,
        "repeats": study.spec.study.repeats.seeds,
        "n_trials": sum(row.state.is_finished for row in study.rows()),
        "seed": study.spec.study.seed,
        "versions": study.versions,
    }
