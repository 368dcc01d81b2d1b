"""Files that are either whole or absent: atomic writes, JSON, checksums."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError, EngineError, ReeltuneError

__all__ = [
    "append_line",
    "atomic_path",
    "read_json",
    "read_lines",
    "sha256_file",
    "write_error",
    "write_json",
    "write_text",
]


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` that replaces it when the block succeeds.

    On an error the temporary file is removed and ``target`` is left as it was. The
    bytes reach the disk before the rename, so a crash leaves the old or the new file.

    Raises:
        ConfigError: There is a file where the folder should be.
        EngineError: The folder cannot be written or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise write_error(target, error) from error
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        part.unlink(missing_ok=True)


def write_error(target: Path, error: OSError) -> ReeltuneError:
    """Return the error to raise when ``target`` cannot be written."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return ConfigError(f"cannot write {target}: a file stands where its folder should be; choose another")
    reason = error.strerror or str(error)
    return EngineError(f"cannot write {target}: {reason}; free space or choose a writable folder")


def write_text(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` as UTF-8, atomically."""
    with atomic_path(target) as part:
        part.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` to ``target`` as indented JSON, atomically; NaN and infinity are refused."""
    write_text(target, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the value in the JSON file ``path``."""
    return json.loads(path.read_text(encoding="utf-8"))


def append_line(path: Path, value: Any) -> None:
    """Append ``value`` to the JSON-lines file ``path`` in one write and flush it to the disk.

    A line torn by a crash is healed: the new line starts on a line of its own.
    """
    line = json.dumps(value, allow_nan=False, ensure_ascii=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error) from error


def read_lines(path: Path) -> list[Any]:
    """Return the values of a JSON-lines file; lines torn by a crash are left out."""
    if not path.exists():
        return []
    values = []
    for line in path.read_bytes().split(b"\n"):
        try:
            values.append(json.loads(line))
        except ValueError:
            continue
    return values


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of the file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
