"""Files that are either whole or absent: atomic writes, JSON, checksums."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from reeltune.errors import ConfigError, EngineError, ReeltuneError


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` that replaces it when the block succeeds.

    On an error the temporary file is removed and ``target`` is left as it was. The
    bytes reach the disk before the rename, so a crash leaves the old or the new file.

    Raises:
        ConfigError: There is a file where the folder should be.
        EngineError: The folder cannot be written or the disk is full.
    """
    part = part_path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch(exist_ok=False)  # with the rights that the user's umask leaves
    except OSError as error:
        raise write_error(target, error) from error
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        part.unlink(missing_ok=True)


def part_path(target: Path) -> Path:
    """Return a new name beside ``target`` for what is written until it is whole."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


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


def parse_json(text: str | bytes) -> Any:
    """Return the value that ``text`` holds.

    >>> parse_json('{"seconds": 1.5}')
    {'seconds': 1.5}

    Raises:
        ValueError: It is no JSON, or holds a NaN, an infinity or a key twice, or is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return value


def read_json(path: Path) -> Any:
    """Return the value in the JSON file ``path``; see :func:`parse_json`."""
    return parse_json(path.read_text(encoding="utf-8"))


def append_line(path: Path, value: Any) -> None:
    """Append ``value`` to the JSON-lines file ``path`` in one write and flush it to the disk.

    What a crash left of a line at the end is cut off first.
    """
    line = json.dumps(value, allow_nan=False, ensure_ascii=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            _cut_torn_line(file)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error) from error


def _cut_torn_line(file: BinaryIO) -> None:
    size = file.tell()
    if size == 0:
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def read_lines(path: Path) -> list[Any]:
    """Return the values of a JSON-lines file, none where there is no file.

    A crash may tear the last line, which is left out. Earlier versions wrote the whole line after the torn
    one, which is its beginning.

    Raises:
        ValueError: Another line is damaged; the message gives its number.
        OSError: The file cannot be read.
    """
    if not path.exists():
        return []
    *lines, torn = path.read_bytes().split(b"\n")
    values = []
    for number, line in enumerate(lines, start=1):
        try:
            values.append(parse_json(line))
        except ValueError as error:
            following = lines[number] if number < len(lines) else torn
            if not (line and following.startswith(line) and following != line):
                raise ValueError(f"line {number}: {error}") from error
    return values


SEAL = b"\nsha256 "
"""What begins the end of a sealed file, which goes on with 64 hexadecimal digits and a new line."""

SEAL_BYTES = len(SEAL) + 65


def sealed(data: bytes) -> bytes:
    """Return ``data`` with a checksum after them, which readers of zip archives and ``.npy`` files pass over.

    It is written with the file in one step: no kill leaves one without the other.
    """
    if data[-22:-18] == b"PK\x05\x06" and data[-2:] == bytes(2):  # a zip archive says how long its comment is
        data = data[:-2] + SEAL_BYTES.to_bytes(2, "little")
    return data + _seal(data)


def is_sealed(data: bytes) -> bool:
    """Return whether ``data`` end in a checksum; files of earlier versions have none.

    Raises:
        ValueError: The bytes before it have changed.
    """
    if not data[-SEAL_BYTES:].startswith(SEAL):
        return False
    if data[-SEAL_BYTES:] != _seal(data[:-SEAL_BYTES]):
        raise ValueError("its checksum does not fit its bytes")
    return True


def _seal(data: bytes) -> bytes:
    return SEAL + hashlib.sha256(data).hexdigest().encode() + b"\n"


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of the file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
