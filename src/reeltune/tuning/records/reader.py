"""Reads what trials left and believes it only where it agrees: file by file, with each other and with Optuna.

Each disagreement is one line that names the file, what is wrong with it, and what to do.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from reeltune.errors import EngineError, StudyError, first_line
from reeltune.files import read_json, read_lines
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.space.search_space import flatten

T = TypeVar("T")

RESTORE = "restore it from a copy or remove the study"

StoredTrial = tuple[str, dict[int, float]]
"""State of a trial that Optuna knows as ended, and the best objective after each epoch."""

_EPOCH = TypeAdapter(EpochReport)


def damaged(path: Path, error: Exception | str, remedy: str = RESTORE) -> StudyError:
    """Return the error to raise when the file at ``path`` is damaged."""
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in problem["loc"])
        given = "" if isinstance(problem["input"], dict | list) else f", not {problem['input']!r}"
        error = f"{name}: {problem['msg']}{given}" if name else problem["msg"]
    reason = error if isinstance(error, str) else first_line(error)
    return StudyError(f"{path} is damaged ({reason}); {remedy}")


def read_record(path: Path, parse: Callable[[Any], T], remedy: str = RESTORE) -> T | None:
    """Return what ``parse`` makes of the JSON in the file ``path``, None where there is no file.

    Raises:
        StudyError: It is damaged.
    """
    if not path.exists():
        return None
    try:
        return parse(read_json(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, error, remedy) from error


def read_row(path: Path) -> TrialRow:
    """Return the row in the file ``path``, whose folder has the trial's number.

    Raises:
        StudyError: It is damaged.
    """
    try:
        row = TrialRow.from_plain(read_json(path))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if f"{row.number:05d}" != path.parent.name:
        raise damaged(path, f"number: {row.number}, but its folder is {path.parent.name}")
    return row


def read_epochs(path: Path) -> list[EpochReport]:
    """Return the epochs in the file ``path``, in order and without a gap; none where there is no file.

    Raises:
        StudyError: It is damaged otherwise than by a crash, which tears the last line.
    """
    found: list[EpochReport] = []
    try:
        for number, value in enumerate(read_lines(path), start=1):
            epoch = _EPOCH.validate_python(value)
            if found and epoch.epoch != found[-1].epoch + 1:
                raise ValueError(f"line {number}: epoch {epoch.epoch} follows epoch {found[-1].epoch}")
            found.append(epoch)
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    return found


def check_row(
    path: Path, row: TrialRow, epochs: Sequence[EpochReport], objective: str, *, is_max: bool
) -> None:
    """Check that the row at ``path`` says of the trial what its ``epochs`` say.

    Raises:
        StudyError: It does not.
    """
    if epochs and epochs[0].epoch != row.start_epoch + 1:
        raise damaged(
            path.with_name("epochs.jsonl"),
            f"it begins with epoch {epochs[0].epoch}, not {row.start_epoch + 1}",
        )
    if row.state.is_finished:
        expected = row.ended(row.state, row.reason, epochs, objective, is_max=is_max)
    else:
        expected = row.ended(row.state, row.reason, (), objective, is_max=is_max)
    for name in ("n_epochs", "best_epoch", "value", "metrics"):
        here, there = getattr(row, name), getattr(expected, name)
        if here != there:
            raise damaged(path, f"{name}: {here!r}, but its epochs say {there!r}")
    if not math.isclose(row.seconds, expected.seconds, abs_tol=1e-6):
        raise damaged(path, f"seconds: {row.seconds!r}, but its epochs say {expected.seconds!r}")
    flat = flatten(row.config)
    for name, value in row.params.items():
        if flat.get(name, value) != value:
            raise damaged(path, f"params: {name} is {value!r}, but its config says {flat[name]!r}")


def read_stored(path: Path) -> dict[int, StoredTrial] | None:
    """Return what the SQLite file ``path`` of Optuna knows of ended trials, by number; None without it.

    Read without Optuna, whose start takes a second: its tables are those of all its versions since 2.0.

    Raises:
        StudyError: It is damaged.
        EngineError: It cannot be read.
    """
    if not path.exists():
        return None
    ended = "JOIN trials AS t ON t.trial_id = a.trial_id WHERE t.state NOT IN ('RUNNING', 'WAITING')"
    try:
        rights = "" if os.access(path.parent, os.W_OK) else "?immutable=1"  # readers keep files beside it
        with closing(sqlite3.connect(f"{path.as_uri()}{rights}", timeout=60, uri=True)) as connection:
            states = connection.execute(
                f"SELECT t.number, a.value_json FROM trial_user_attributes AS a {ended} AND a.key = 'state'"
            ).fetchall()
            values = connection.execute(
                f"SELECT t.number, a.step, a.intermediate_value FROM trial_intermediate_values AS a {ended}"
            ).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # it is being made
            return {}
        raise EngineError(f"cannot read {path}: {error}; make it readable, or copy the study") from error
    except sqlite3.DatabaseError as error:
        raise damaged(path, str(error), "remove it to have it rebuilt from the rows") from error
    found: dict[int, StoredTrial] = {number: (json.loads(state), {}) for number, state in states}
    for number, epoch, value in values:
        if number in found:
            found[number][1][epoch] = value
    return found


def check_rows(
    directory: Path,
    rows: Mapping[int, TrialRow],
    epochs: Mapping[int, Sequence[EpochReport]],
    stored: Mapping[int, StoredTrial] | None,
) -> None:
    """Check that no trial is missing and that Optuna's storage knows the same of those that ended.

    Raises:
        StudyError: Two of them disagree.
    """
    copy = "restore it from a copy, or remove study.db to have it rebuilt from the rows"
    for number in range(max(rows, default=0) if stored is None else 0):
        if number not in rows:
            path = directory / f"{number:05d}" / "trial.json"
            raise StudyError(f"{path} is missing, but a later trial is there; restore it from a copy")
    for number, row in rows.items():
        if row.parent is not None and not (row.parent < number and row.parent in rows):
            path = directory / f"{number:05d}" / "trial.json"
            raise damaged(path, f"parent: {row.parent}, which is no trial before it")
    for number, (state, best) in (stored or {}).items():
        path = directory / f"{number:05d}" / "trial.json"
        if number not in rows:
            raise StudyError(f"{path} is missing, but study.db knows trial {number} as {state}; {copy}")
        if str(rows[number].state) != state:
            raise damaged(path, f"state: {rows[number].state}, but study.db says {state}", copy)
        if {epoch.epoch: epoch.best for epoch in epochs[number]} != best:
            raise damaged(path.with_name("epochs.jsonl"), "its values differ from those in study.db", copy)
