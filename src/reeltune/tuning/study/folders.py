"""Folders of studies: found, listed, locked by their one driver, removed."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltune.errors import ConfigError, EngineError, StudyError, unknown_name

__all__ = [
    "LOCK_FILE",
    "LOCK_TRIES",
    "check_is_folder",
    "find_study",
    "folder_lock",
    "is_folder_locked",
    "list_studies",
    "remove_study",
]

LOCK_FILE = "study.lock"
"""Held by the driver."""

LOCK_TRIES = 3
"""Attempts, a tenth of a second apart."""


def check_is_folder(path: Path) -> Path:
    """Return ``path`` unless it is an address such as ``s3://bucket/studies``.

    Raises:
        ConfigError: It is one.

    >>> check_is_folder(Path("studies/a:b")).name
    'a:b'
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+-]+:", path.parts[0] if path.parts else ""):
        return path
    address = f"{path.parts[0]}//{'/'.join(path.parts[1:])}"
    raise ConfigError(
        f"{address} is an address, a study needs a folder: its SQLite file and its lock work on file "
        "systems alone; give one on a disk or on shared storage (NFS, EFS, Filestore), and the address to "
        "`--storage`, which mirrors the study there; `reeltune resume ADDRESS/NAME` brings it back"
    )


def find_study(name: str, root: Path) -> Path:
    """Return the folder of the study that ``name`` means: a path, or a name under ``root``.

    Raises:
        StudyError: There is none; the message names near ones.
        ConfigError: It is the address of a bucket.
    """
    check_is_folder(Path(name))
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
        StudyError: Another process holds it, or there is a file where the folder should be.
        EngineError: The folder cannot be written.
    """
    path = directory / LOCK_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except (FileExistsError, NotADirectoryError) as error:
        raise StudyError(f"{directory} is a file or lies below one; choose another folder") from error
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


def is_folder_locked(directory: Path) -> bool:
    """Return whether a process holds the folder now."""
    try:
        with (directory / LOCK_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
