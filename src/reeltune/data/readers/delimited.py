"""Delimited text: the one reader of rows and the one number parser.

Every row must be as wide as the first; a fault names file and line.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from reeltune.errors import DataError

_SHOWN_CHARACTERS = 40
_FIELD_LIMIT = 1 << 20  # characters; a longer field is damage
_LINE_LIMIT = 1 << 24  # characters; a longer line is damage, and would fill the memory
_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_PACKED = (b"\x1f\x8b", b"PK\x03\x04")  # gzip, zip


def shorten(text: str) -> str:
    """Return ``text`` in quotes, cut to a length that fits into a message.

    >>> shorten("abc")
    "'abc'"
    """
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return repr(cut)


def as_number(text: str) -> float | None:
    """Return the number that ``text`` is, or None: digits of ASCII, a decimal point, an exponent.

    >>> [as_number(text) for text in ("4.5", "1e3", "1_0", "4,5", "nan", "\uff14")]
    [4.5, 1000.0, None, None, None, None]
    """
    return float(text) if _NUMBER.fullmatch(text) else None


def decode(data: bytes, label: str, encoding: str | None = None, *, key: str = "") -> str:
    """Return the text in ``data``.

    Without an ``encoding`` it is UTF-8, or latin-1 where no line is UTF-8 beyond ASCII, as the publishers'
    older files are. ``key`` is the config key that sets the encoding; empty where none does.
    """
    try:
        is_utf8 = (encoding or "utf-8").lower() in {"utf-8", "utf8"}
        text = data.decode("utf-8-sig" if is_utf8 else encoding or "")
    except UnicodeDecodeError as error:
        if encoding is None and not _is_partly_utf8(data):
            return data.decode("latin-1")
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{label}:{line}: byte {data[error.start]:#04x} is not {encoding or 'UTF-8'}; "
            + _remedy(data, key)
        ) from None
    except LookupError:
        raise DataError(f"{key} {encoding!r} is unknown; utf-8 and latin-1 are usual") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{label}:{line}: a zero byte; the file is damaged, or not {encoding or 'UTF-8'}: "
            + (f"set {key}, for example utf-16" if key else "save it as UTF-8")
        )
    return text


def _remedy(data: bytes, key: str) -> str:
    if data.startswith(_PACKED):
        return "the file is packed; unpack it, or let its name end in .gz"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"set {key} to utf-16" if key else "it is UTF-16; save it as UTF-8"
    if _is_partly_utf8(data):
        return "other lines are; save the file in one encoding"
    return f"set {key}, for example latin-1" if key else "save the file as UTF-8"


def _is_partly_utf8(data: bytes) -> bool:
    """Return whether some line holds UTF-8 beyond ASCII."""
    for line in data.split(b"\n"):
        if not line.isascii():
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                continue
            return True
    return False


def rows(
    text: str | TextIO,
    label: str,
    *,
    delimiter: str = ",",
    is_quoted: bool = True,
    n_fields: int | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of each row that is not empty, the header's too.

    ``text`` is the file's text, or the file opened with ``newline=""``. A delimiter of several characters
    goes with ``is_quoted=False``. Without ``n_fields`` every row must be as wide as the first.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    lines = _lines(io.StringIO(text, newline="") if isinstance(text, str) else text, label)
    reader = csv.reader(lines, delimiter=delimiter, strict=True) if is_quoted else None
    found: Iterator[list[str]] = reader or (
        line.rstrip("\r\n").split(delimiter) if line.strip() else [] for line in lines
    )
    number = 0
    try:
        for number, fields in enumerate(found, start=1):
            if fields:
                line = number if reader is None else reader.line_num
                n_fields = n_fields or len(fields)
                if len(fields) != n_fields:
                    raise DataError(
                        f"{label}:{line}: {len(fields)} fields in {shorten(delimiter.join(fields))}; "
                        f"{n_fields} parted by {delimiter!r} are needed"
                    )
                yield line, fields
    except csv.Error as error:
        line = number if reader is None else reader.line_num
        raise DataError(f"{label}:{line}: {error}; a field may have {_FIELD_LIMIT:,} characters") from error


def _lines(stream: TextIO, label: str) -> Iterator[str]:
    number = 0
    while line := stream.readline(_LINE_LIMIT):
        number += 1
        if len(line) >= _LINE_LIMIT:
            raise DataError(f"{label}:{number}: the line is longer than {_LINE_LIMIT:,} characters")
        yield line


def records(
    text: str | TextIO, label: str, needed: Sequence[str], *, delimiter: str = ","
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield ``file:line`` and the trimmed fields by column of each row below the header."""
    found = rows(text, label, delimiter=delimiter)
    line, header = next(found, (1, []))
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{label}:{line}: the column {twice!r} is there {header.count(twice)} times")
    missing = next((name for name in needed if name not in header), None)
    if missing is not None:
        raise DataError(
            f"{label}:{line}: there is no column {missing!r}; the header is {shorten(delimiter.join(header))}"
        )
    for line, fields in found:
        yield f"{label}:{line}", dict(zip(header, map(str.strip, fields), strict=True))
