"""Text files of the publishers: encodings, and rows of CSV with their line numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from reeltune.data.sources import FileSet
from reeltune.errors import DataError

__all__ = ["csv_rows", "decode", "is_partly_utf8"]

_FIELD_LIMIT = 1 << 20  # characters; a longer field is damage


def decode(data: bytes, label: str) -> str:
    """Return the text; the publishers' older files are latin-1, the newer ones UTF-8.

    Args:
        data: The file's bytes.
        label: The file's name for messages.

    Raises:
        DataError: Some lines are UTF-8 and others are not.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if is_partly_utf8(data):
            line = data.count(b"\n", 0, error.start) + 1
            raise DataError(
                f"{label}:{line}: byte {data[error.start]:#04x} is not UTF-8, which other lines are; "
                "save the file in one encoding"
            ) from None
        return data.decode("latin-1")


def csv_rows(
    files: FileSet, name: str, *, delimiter: str = ",", encoding: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of each row that is not empty, the header's too.

    Args:
        files: Where the file lies.
        name: Its name.
        delimiter: What parts the fields.
        encoding: Its encoding; None for UTF-8 or latin-1, whichever fits.

    Raises:
        DataError: A field is too long, or the encodings are mixed.
    """
    data, label = files.read(name), files.label(name)
    text = decode(data, label) if encoding is None else data.decode(encoding)
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except csv.Error as error:
        raise DataError(
            f"{label}:{reader.line_num}: {error}; a field may have {_FIELD_LIMIT:,} characters"
        ) from error


def is_partly_utf8(data: bytes) -> bool:
    """Return whether some line holds UTF-8 beyond ASCII."""
    return any(map(_is_utf8_beyond_ascii, data.split(b"\n")))


def _is_utf8_beyond_ascii(line: bytes) -> bool:
    if line.isascii():
        return False
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
