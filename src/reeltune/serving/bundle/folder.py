"""Folders that are either whole or absent."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltune.files import part_path, write_error
from reeltune.locks import try_lock

__all__ = ["atomic_folder"]

ABANDONED_SECONDS = 60.0
"""Age from which an unfinished folder that no process holds was left by one that was killed."""


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside ``target`` that takes its place when the block succeeds.

    On an error the new folder is removed and ``target`` is left as it was. A folder that
    is replaced is moved aside first and removed last, so that no moment mixes the two. What a process
    left that was killed on the way is put back or removed by the next one.
    """
    part: Path | None = None
    handle: int | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _tidy(target)
        part = part_path(target)
        part.mkdir()
        handle = _held(part)
        yield part
        for path in part.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.chmod(part.stat().st_mode & 0o666)  # some writers let their owner alone read
        _swap(part, target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        if handle is not None:
            os.close(handle)
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _swap(part: Path, target: Path) -> None:
    if not target.exists():
        part.rename(target)
        return
    old = part.with_suffix(".old")
    target.rename(old)
    try:
        part.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _tidy(target: Path) -> None:
    """Put back or remove what killed processes left beside ``target``."""
    name = glob.escape(target.name)
    for old in target.parent.glob(f".{name}.*.old"):
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(target)
    for part in target.parent.glob(f".{name}.*.part"):
        handle = _held(part)
        if handle is not None:
            if part.exists() and time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(part, ignore_errors=True)
            os.close(handle)


def _held(folder: Path) -> int | None:
    """Return a handle that locks ``folder``; None if it is taken, gone or on a system without such locks."""
    try:
        return try_lock(folder, is_made=False)
    except OSError:
        return None
