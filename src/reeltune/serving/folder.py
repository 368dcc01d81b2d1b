"""Folders that are either whole or absent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltune.errors import EngineError

__all__ = ["atomic_folder"]


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside ``target`` that takes its place when the block succeeds.

    On an error the new folder is removed and ``target`` is left as it was. A folder that
    is replaced is moved aside first and removed last, so that no moment mixes the two.

    Raises:
        EngineError: The folder cannot be written or the disk is full.
    """
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        yield part
        for path in part.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        part.chmod(0o755)
        _swap(part, target)
    except OSError as error:
        raise EngineError(
            f"cannot write {target}: {error.strerror or error}; free space or choose a writable folder"
        ) from error
    finally:
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
