"""Columns of numbers from delimited text: fast with pyarrow, exact about the line of a fault.

The whole file is parsed at once by pyarrow. Only when that finds a fault is the file
read a second time, line by line, to name the line, the value and the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from reeltune.errors import DataError

__all__ = ["Column", "Format", "read_columns", "shorten"]

_SHOWN_CHARACTERS = 40
_LINE_LIMIT_BYTES = 1 << 20  # a longer line of a rating file is damage, and would fill the memory


@dataclass(frozen=True)
class Column:
    """A column of numbers and what it may hold."""

    name: str
    field: str | int
    """Name in the header, or position counted from 0 in a file without one."""
    kind: Literal["int32", "int64", "float32"]
    low: float
    high: float
    absent: float | None = None
    """Value that stands for an empty field; None where a field may not be empty."""


@dataclass(frozen=True)
class Format:
    """How a file is cut into fields."""

    delimiter: Literal["\t", ",", "::"]
    header: tuple[str, ...] | None
    """Names in the first line; None for a file without a header."""
    n_fields: int
    columns: tuple[Column, ...]


def read_columns(
    open_file: Callable[[], IO[bytes]], name: str, form: Format
) -> dict[str, NDArray[np.generic]]:
    """Return the columns of a delimited file by name, each of shape [N], in file order.

    Args:
        open_file: Opens the file; called a second time when a fault must be located.
        name: The file's name for messages.
        form: Delimiter, header, columns and their limits.

    Raises:
        DataError: The header, a line or a value is wrong; the message names file and line.
    """
    import pyarrow as pa
    from pyarrow import csv

    double = form.delimiter == "::"
    n_fields = form.n_fields * 2 - 1 if double else form.n_fields
    names = [str(i) for i in range(n_fields)]
    position = {column.name: _position(form, column) * (2 if double else 1) for column in form.columns}
    types = {str(position[c.name]): getattr(pa, c.kind)() for c in form.columns}
    with open_file() as stream:
        if form.header is not None:
            _check_header(stream.readline(_LINE_LIMIT_BYTES), name, form)
        try:
            table = csv.read_csv(
                stream,
                read_options=csv.ReadOptions(column_names=names, block_size=1 << 22),
                parse_options=csv.ParseOptions(
                    delimiter=form.delimiter[0], quote_char='"' if form.delimiter == "," else False
                ),
                convert_options=csv.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid as error:
            raise _locate(open_file, name, form, str(error)) from error
    columns: dict[str, NDArray[np.generic]] = {}
    for column in form.columns:
        values = table.column(str(position[column.name]))
        if values.null_count and column.absent is None:
            raise _locate(open_file, name, form, f"{column.name} is empty")
        if values.null_count:
            values = values.fill_null(pa.scalar(column.absent, values.type))
        array = _joined(values, column.kind)
        inside = (array >= column.low) & (array <= column.high)
        if column.absent is not None:
            inside |= array == column.absent
        if not inside.all():
            raise _locate(open_file, name, form, f"{column.name} is out of range")
        columns[column.name] = array
    return columns


def _joined(values: Any, kind: str) -> NDArray[Any]:
    """Return a pyarrow column without nulls as one array; its own ``to_numpy`` would load pandas."""
    array = np.empty(len(values), dtype=kind)
    start = 0
    for chunk in filter(len, values.chunks):
        stop = start + len(chunk)
        array[start:stop] = np.frombuffer(chunk.buffers()[1], dtype=kind)[chunk.offset :][: len(chunk)]
        start = stop
    return array


def shorten(text: str) -> str:
    """Return ``text`` in quotes, cut to a length that fits into a message.

    >>> shorten("abc")
    "'abc'"
    """
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return repr(cut)


def _position(form: Format, column: Column) -> int:
    if isinstance(column.field, int):
        return column.field
    assert form.header is not None
    return form.header.index(column.field)


def _check_header(line: bytes, name: str, form: Format) -> None:
    assert form.header is not None
    text = line.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    found = tuple(field.strip('"') for field in text.split(form.delimiter))
    if found != form.header:
        wanted = form.delimiter.join(form.header).replace("\t", " ")
        raise DataError(f"{name}:1: the header is {shorten(text)}; it must be {wanted!r}")


def _locate(open_file: Callable[[], IO[bytes]], name: str, form: Format, cause: str) -> DataError:
    with open_file() as stream:
        for number, line in _numbered_lines(stream, has_header=form.header is not None):
            fault = _line_fault(line, form)
            if fault:
                return DataError(f"{name}:{number}: {fault}")
    return DataError(f"{name}: {cause}")


def _numbered_lines(stream: IO[bytes], *, has_header: bool) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := stream.readline(_LINE_LIMIT_BYTES):
        number += 1
        if number == 1 and has_header:
            continue
        if line.strip():
            yield number, line


def _line_fault(line: bytes, form: Format) -> str | None:
    if len(line) >= _LINE_LIMIT_BYTES:
        return f"the line is longer than {_LINE_LIMIT_BYTES:,} bytes; the file is damaged"
    text = line.decode("utf-8", errors="replace").rstrip("\r\n")
    fields = text.split(form.delimiter)
    if len(fields) != form.n_fields:
        return (
            f"{len(fields)} fields in {shorten(text)}; {form.n_fields} fields parted by "
            f"{form.delimiter!r} are needed"
        )
    for column in form.columns:
        fault = _value_fault(fields[_position(form, column)].strip('"'), column)
        if fault:
            return fault
    return None


def _value_fault(text: str, column: Column) -> str | None:
    if text == "":
        return None if column.absent is not None else f"{column.name} is empty; a number is needed"
    try:
        value = float(text) if column.kind == "float32" else int(text)
    except ValueError:
        kind = "a number" if column.kind == "float32" else "a whole number"
        return f"{column.name} is {shorten(text)}; it must be {kind}"
    if not (column.low <= value <= column.high) or not math.isfinite(value):
        return f"{column.name} is {shorten(text)}; it must lie in {column.low:g} to {column.high:g}"
    return None
