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

import fcntl
import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import reeltune
from reeltune.data.prepared import Ledger
from reeltune.errors import EngineError, StudyError, unknown_name
from reeltune.files import append_line, read_json, read_lines, write_json
from reeltune.metrics.ranking import parse_metric
from reeltune.tuning.results import best_rows
from reeltune.tuning.rows import EpochReport, TrialRow
from reeltune.tuning.searchers import GridConfig, n_points
from reeltune.tuning.spec import StudySpec, first_difference

__all__ = [
    "LOCK_FILE",
    "LOCK_TRIES",
    "PACKAGES",
    "SCHEMA",
    "Study",
    "find_study",
    "folder_lock",
    "list_studies",
    "remove_study",
]

SCHEMA = 1
"""Version of the folder's layout; a folder of another one is refused."""

LOCK_FILE = "study.lock"
"""Held by the driver."""

LOCK_TRIES = 3
"""Attempts, a tenth of a second apart."""

PACKAGES = ("torch", "lightning", "ray", "optuna", "numpy", "pydantic")
"""Packages whose versions a study records."""


class Study:
    """A study folder. Open one with :meth:`open`, make or go on with one with :meth:`create`."""

    def __init__(self, directory: Path, record: dict[str, Any], spec: StudySpec) -> None:
        self.directory = directory
        self.spec = spec
        self._record = record

    @classmethod
    def create(cls, directory: Path, spec: StudySpec, ledger: Ledger) -> Study:
        """Return the study in ``directory``, made now or made earlier with the same spec.

        Fields that change no finished number, such as the count of trials, take their new value.

        Raises:
            StudyError: A study with another spec or other data is there.
            EngineError: The folder cannot be written.
        """
        path = directory / "study.json"
        if not path.exists() and directory.exists() and any(directory.iterdir()):
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
        study._extend(spec, ledger)
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
            summary = str(error).splitlines()[0]
            raise StudyError(
                f"{path} is damaged ({summary}); restore it from a copy or remove the study"
            ) from error
        return cls(directory, record, spec)

    def _extend(self, spec: StudySpec, ledger: Ledger) -> None:
        remedy = f"choose another --name, or remove the study with `reeltune rm {self.name}`"
        difference = first_difference(self.spec, spec)
        if difference is not None:
            name, old, new = difference
            raise StudyError(f"study {self.name!r} exists with {name} = {old!r}, now it is {new!r}; {remedy}")
        self.check_ledger(ledger)
        if spec != self.spec:
            self.spec = spec
            self._record["spec"] = spec.plain()
            write_json(self.directory / "study.json", self._record)

    def check_ledger(self, ledger: Ledger) -> None:
        """Check that ``ledger`` is that of the data the study was made on.

        Raises:
            StudyError: The data differ.
        """
        before, now = self.ledger.plain(), ledger.plain()
        for name, value in before.items():
            if now.get(name) != value:
                raise StudyError(
                    f"study {self.name!r} was made on data with {name} = {value!r}, now it is "
                    f"{now.get(name)!r}; bring the same data back, choose another --name, or remove it "
                    f"with `reeltune rm {self.name}`"
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
    def higher_is_better(self) -> bool:
        """Direction of the objective."""
        return parse_metric(self.objective).higher_is_better

    @property
    def n_trials(self) -> int:
        """Trials in all: as asked for, or fewer where the searcher has fewer different points."""
        points = n_points(self.spec.study.searcher, self.spec.space)
        return self.spec.study.trials if points is None else min(self.spec.study.trials, points)

    @property
    def max_epochs(self) -> int:
        """The most epochs that a trial of the study may run."""
        searched = self.spec.space.space.get("training.max_epochs")
        values = [self.spec.trial.training.max_epochs, *(searched.ends() if searched else [])]
        return max(int(value) for value in values)

    def given_points(self) -> list[dict[str, Any]]:
        """Return the points of the first trials: the default configuration, then those of the spec."""
        if isinstance(self.spec.study.searcher, GridConfig):
            return []  # a grid visits each of its points once, the default's neighbour among them
        return [self.spec.space.default(self.spec.trial.plain()), *self.spec.study.first]

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
            StudyError: A ``trial.json`` is damaged.
        """
        found = []
        for path in sorted((self.directory / "trials").glob("[0-9]*/trial.json")):
            try:
                found.append(TrialRow.from_plain(read_json(path)))
            except (ValueError, TypeError, KeyError) as error:
                raise StudyError(
                    f"{path} is damaged ({error}); restore it from a copy or remove the study"
                ) from error
        return sorted(found, key=lambda row: row.number)

    def write_row(self, row: TrialRow) -> None:
        """Write ``trial.json`` of a trial."""
        write_json(self.trial_directory(row.number) / "trial.json", row.plain())

    def epochs(self, number: int) -> list[EpochReport]:
        """Return the epochs of a trial, from the first on without a gap."""
        by_epoch: dict[int, EpochReport] = {}
        for value in read_lines(self.trial_directory(number) / "epochs.jsonl"):
            report = EpochReport(**value)
            by_epoch.setdefault(report.epoch, report)
        return [by_epoch[epoch] for epoch in range(1, len(by_epoch) + 1) if epoch in by_epoch]

    def append_epoch(self, number: int, report: EpochReport) -> None:
        """Append an epoch to ``epochs.jsonl`` of a trial."""
        append_line(self.trial_directory(number) / "epochs.jsonl", report.plain())

    def best(self, n: int | None = None) -> list[TrialRow]:
        """Return the trials that may win, best first, at most ``n``."""
        return best_rows(self.rows(), higher_is_better=self.higher_is_better, n=n)

    @property
    def elapsed_seconds(self) -> float:
        """Wall-clock seconds that the runs of the study took, up to the last trial that ended."""
        path = self.directory / "elapsed.json"
        return float(read_json(path)["seconds"]) if path.exists() else 0.0

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
        try:
            with (self.directory / LOCK_FILE).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False


def remove_study(directory: Path) -> None:
    """Delete a study's folder, also a damaged one's.

    Raises:
        StudyError: A driver runs the study.
        EngineError: The folder cannot be deleted.
    """
    with folder_lock(directory):
        try:
            shutil.rmtree(directory)
        except OSError as error:
            raise EngineError(f"cannot remove {directory}: {error.strerror}") from error


@contextmanager
def folder_lock(directory: Path) -> Iterator[None]:
    """Hold the folder of a study or training while the block runs; the system lets go when the process dies.

    Raises:
        StudyError: Another process holds it.
        EngineError: The folder cannot be written.
    """
    path = directory / LOCK_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror}; choose a writable folder") from error
    with file:
        if not _try_lock(file.fileno()):
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise StudyError(
                f"{directory.name!r} is being run by {holder}; wait for it, stop it, or choose another --name"
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield


def _try_lock(handle: int) -> bool:
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.1)  # `reeltune studies` looks at the lock for a moment
        else:
            return True
    return False


def find_study(name: str, root: Path) -> Path:
    """Return the folder of the study that ``name`` means: a path, or a name under ``root``.

    Raises:
        StudyError: There is none; the message names near ones.
    """
    for candidate in (root / name, Path(name)):
        if (candidate / "study.json").is_file():
            return candidate.resolve()
    known = [path.name for path in list_studies(root)]
    if not known:
        raise StudyError(
            f"no study {name!r}: there is none in {root}; start one with `reeltune tune EXPERIMENT`"
        )
    raise StudyError(f"{unknown_name('study', name, known)} (in {root})")


def list_studies(root: Path) -> list[Path]:
    """Return the study folders under ``root``, by name."""
    return sorted(path.parent for path in root.glob("*/study.json"))


def _versions() -> dict[str, str]:
    versions = {"reeltune": reeltune.__version__, "python": platform.python_version()}
    return versions | {name: importlib.metadata.version(name) for name in PACKAGES}
