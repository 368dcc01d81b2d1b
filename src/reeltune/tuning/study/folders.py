"""Folders of studies: found, listed, removed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from reeltune.errors import ConfigError, EngineError, StudyError, unknown_name
from reeltune.locks import folder_lock


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
