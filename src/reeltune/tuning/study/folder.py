"""A study is a folder; the folder is the only truth about it.

::

    study.json     the resolved spec, the ledger of the data, versions
    study.db       Optuna's storage, open to optuna-dashboard while the study runs
    study.lock     held by the one driver
    elapsed.json   seconds that runs of the study took
    trials/00000/  trial.json, epochs.jsonl (by the driver); last.ckpt, best.ckpt,
                   validation_ranks.npy (by the trial)
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from reeltune.data.prepared import Ledger
from reeltune.errors import StudyError, first_line
from reeltune.files import append_line, read_json, write_json
from reeltune.locks import folder_lock, is_folder_locked
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.reader import check_row, check_rows, damaged, read_epochs, read_row, read_stored
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.search.results import best_rows, search_warnings
from reeltune.tuning.search.searchers import QmcConfig, n_points
from reeltune.tuning.study.folders import check_is_folder
from reeltune.tuning.study.spec import StudySpec, first_difference
from reeltune.version import __version__

T = TypeVar("T")

SCHEMA = 1
"""Version of the folder's layout; a folder of another one is refused."""

PACKAGES = ("torch", "lightning", "ray", "optuna", "numpy", "pydantic")
"""Packages whose versions a study records."""


class Study:
    """A study folder. Open one with :meth:`open`, make or go on with one with :meth:`create`."""

    def __init__(self, directory: Path, record: dict[str, Any], spec: StudySpec) -> None:
        self.directory = directory.absolute()  # workers have a working directory of their own
        self.spec = spec
        self._record = record
        self._known: dict[Path, tuple[tuple[int, int, int], Any]] = {}

    @classmethod
    def create(cls, directory: Path, spec: StudySpec, ledger: Ledger) -> Study:
        """Return the study in ``directory``, made now or made earlier with the same spec.

        Fields that change no finished number, such as the count of trials, take their new value.

        Raises:
            StudyError: A study with another spec or other data is there.
            ConfigError: ``directory`` is the address of a bucket.
            EngineError: The folder cannot be written.
        """
        path = check_is_folder(directory) / "study.json"
        if not path.exists() and directory.exists() and not _is_empty(directory):
            raise StudyError(f"{directory} is a folder but no study; choose another --name")
        if not path.exists():
            record = {
                "schema": SCHEMA,
                "name": directory.name,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "versions": _versions(),
                "ledger": ledger.plain(),
                "spec": spec.plain(),
            }
            write_json(path, record)
            return cls(directory, record, spec)
        study = cls.open(directory)
        if study._changes(spec, ledger):
            with study.lock():
                study = cls.open(directory)  # another process may have changed it before the lock was held
                if study._changes(spec, ledger):
                    study._record["spec"] = spec.plain()
                    write_json(path, study._record)
                    study.spec = spec
        return study

    @classmethod
    def open(cls, directory: Path) -> Study:
        """Return the study in ``directory``.

        Raises:
            StudyError: There is none, or it is damaged or of another version.
        """
        path = directory / "study.json"
        if not path.is_file():
            raise StudyError(f"no study in {directory}; `reeltune studies` lists those there are")
        try:
            record = read_json(path)
            schema = record["schema"]
            if schema != SCHEMA:
                raise StudyError(
                    f"{path} has schema {schema!r}, this version of reeltune reads {SCHEMA}; "
                    "use the version that made it or start a new study"
                )
            spec = StudySpec.model_validate(record["spec"])
            Ledger.model_validate(record["ledger"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise damaged(path, error) from error
        return cls(directory, record, spec)

    def _changes(self, spec: StudySpec, ledger: Ledger) -> bool:
        """Return whether ``spec`` differs from the study's own in fields that may change."""
        difference = first_difference(self.spec, spec)
        if difference is not None:
            name, old, new = difference
            raise StudyError(
                f"study {self.name!r} exists with {name} = {old!r}, now it is {new!r}; "
                f"choose another --name, or remove the study with `reeltune rm {self.name}`"
            )
        self.check_ledger(ledger)
        return spec != self.spec

    def check_ledger(self, ledger: Ledger) -> None:
        """Check that ``ledger`` is that of the data the study was made on.

        Raises:
            StudyError: The data differ.
        """
        for name in self.ledger.differences(ledger):
            raise StudyError(
                f"study {self.name!r} was made on data with {name} = {getattr(self.ledger, name)!r}, "
                f"now it is {getattr(ledger, name)!r}; bring the same data back, "
                f"choose another --name, or remove it with `reeltune rm {self.name}`"
            )

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.directory.name

    @property
    def ledger(self) -> Ledger:
        """The ledger of the data."""
        return Ledger.model_validate(self._record["ledger"])

    @property
    def first_name(self) -> str:
        """Name that the folder was made under; Optuna keeps it when the folder is renamed."""
        return str(self._record["name"])

    @property
    def created(self) -> str:
        """When the study was made, ISO 8601 in UTC."""
        return str(self._record["created"])

    @property
    def versions(self) -> dict[str, str]:
        """Versions of Python and the packages that the study was made with."""
        return dict(self._record["versions"])

    @property
    def objective(self) -> str:
        """Spelling of the objective, e.g. ``ndcg@10``."""
        return self.spec.study.objective

    @property
    def goal(self) -> Goal:
        """Objectives and limits."""
        return self.spec.study.goal

    @property
    def higher_is_better(self) -> bool:
        """Direction of the objective."""
        return self.goal.higher_is_better[0]

    @property
    def n_trials(self) -> int:
        """Trials in all: as asked for, or fewer where a grid or a population has fewer."""
        population = self.spec.population
        points = n_points(self.spec.study.searcher, self.spec.space, self.spec.trial.plain())
        limits = [self.spec.study.trials] + ([] if points is None else [points])
        return min(limits + ([] if population is None else [population.n_segments]))

    def warnings(self) -> list[str]:
        """Return in words what keeps the study from searching, empty where nothing does."""
        of = self.spec.study
        is_exempt = of.warm_start or self.spec.population is not None  # learns at once, or from nothing
        searcher = QmcConfig() if is_exempt else of.searcher
        return search_warnings(
            self.rows(), n_trials=self.n_trials, searcher=searcher, scheduler=of.scheduler, lag=of.lag
        )

    @property
    def max_epochs(self) -> int:
        """The most epochs that a trial of the study may run."""
        searched = self.spec.space.space.get("training.max_epochs")
        values = [self.spec.trial.training.max_epochs, *(searched.ends() if searched else [])]
        return max(int(value) for value in values)

    @property
    def storage_path(self) -> Path:
        """The Optuna storage, an SQLite file."""
        return self.directory / "study.db"

    def trial_directory(self, number: int) -> Path:
        """Return the folder of trial ``number``."""
        return self.directory / "trials" / f"{number:05d}"

    def rows(self) -> list[TrialRow]:
        """Return the trials known so far, by number.

        Raises:
            StudyError: A file of a trial is damaged, or disagrees with another or with ``study.db``.
        """
        stored = read_stored(self.storage_path)  # first: a driver writes rows before it tells Optuna
        rows: dict[int, TrialRow] = {}
        epochs: dict[int, list[EpochReport]] = {}
        for path in sorted((self.directory / "trials").glob("[0-9]*/trial.json")):
            row = self._read(path, read_row)
            rows[row.number] = row
            epochs[row.number] = self.epochs(row.number)
            check_row(path, row, epochs[row.number], self.objective, is_max=self.higher_is_better)
        check_rows(self.directory / "trials", rows, epochs, stored)
        return [rows[number] for number in sorted(rows)]

    def _read(self, path: Path, read: Callable[[Path], T]) -> T:
        """Return what ``read`` finds in a file, read again when the file has changed."""
        try:
            status = path.stat()
        except FileNotFoundError:
            return read(path)
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = (stamp, read(path))
        value: T = known[1]
        return value

    def row(self, number: int) -> TrialRow:
        """Return the row of trial ``number``.

        Raises:
            StudyError: There is none.
        """
        for row in self.rows():
            if row.number == number:
                return row
        raise StudyError(f"study {self.name!r} has no trial {number}")

    def write_row(self, row: TrialRow) -> None:
        """Write ``trial.json`` of a trial."""
        write_json(self.trial_directory(row.number) / "trial.json", row.plain())

    def epochs(self, number: int) -> list[EpochReport]:
        """Return the epochs of a trial, from its first on without a gap.

        Raises:
            StudyError: ``epochs.jsonl`` is damaged otherwise than by a crash, which tears the last line.
        """
        return list(self._read(self.trial_directory(number) / "epochs.jsonl", read_epochs))

    def append_epoch(self, number: int, report: EpochReport) -> None:
        """Append an epoch to ``epochs.jsonl`` of a trial."""
        append_line(self.trial_directory(number) / "epochs.jsonl", report.plain())

    def best(self, n: int | None = None) -> list[TrialRow]:
        """Return the trials that may win, best first, at most ``n``."""
        return best_rows(self.rows(), self.goal, n)

    @property
    def elapsed_seconds(self) -> float:
        """Wall-clock seconds that the runs of the study took, up to the last trial that ended.

        Raises:
            StudyError: ``elapsed.json`` is damaged.
        """
        path = self.directory / "elapsed.json"
        try:
            seconds = read_json(path)["seconds"] if path.exists() else 0.0
            if not isinstance(seconds, int | float) or seconds < 0:
                raise ValueError(f"seconds: {seconds!r} is no time")
            return float(seconds)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StudyError(
                f"{path} is damaged ({first_line(error)}); remove it, and the study's time counts from 0"
            ) from error

    def write_elapsed(self, seconds: float) -> None:
        """Write the seconds that the runs of the study took."""
        write_json(self.directory / "elapsed.json", {"seconds": round(seconds, 3)})

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to run: all trials ended, or the time limit is spent."""
        rows = self.rows()
        n_finished = sum(row.state.is_finished for row in rows)
        if n_finished >= self.n_trials:
            return True
        limit = self.spec.study.study_seconds
        return limit is not None and self.elapsed_seconds >= limit and n_finished == len(rows)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the study while the block runs; the system lets go of it when the process dies.

        Raises:
            StudyError: Another process holds it.
            EngineError: The folder cannot be written.
        """
        with folder_lock(self.directory):
            yield

    def is_locked(self) -> bool:
        """Return whether a driver runs the study now."""
        return is_folder_locked(self.directory)


def _is_empty(directory: Path) -> bool:
    """Return whether the folder holds nothing, or only the part of a ``study.json`` that a kill cut off."""
    return all(path.name.startswith(".study.json.") for path in directory.iterdir())


def _versions() -> dict[str, str]:
    versions = {"reeltune": __version__, "python": platform.python_version()}
    return versions | {name: importlib.metadata.version(name) for name in PACKAGES}
