"""The mapped columns of the user's own CSV or Parquet file as text, with a way back to the line of a row.

Shapes: N rows.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.readers.columns import Columns
from reeltune.data.readers.delimited import shorten
from reeltune.data.readers.text_files import is_partly_utf8
from reeltune.data.sources import FileSet
from reeltune.errors import DataError

__all__ = ["TableFile"]

_PACKED = (b"\x1f\x8b", b"PK\x03\x04")  # gzip, zip
_FIELD_LIMIT = 1 << 20  # bytes; a longer field is damage
_LONGEST_FIELD = 2**31 - 1  # of Python's reader, which only finds the line of a fault
_BLOCK_BYTES = 1 << 24  # what pyarrow reads at once; no line may be longer


class TableFile:
    """The mapped columns, spaces around their fields cut off.

    Args:
        files: Where the file lies.
        name: Its name; Parquet when it ends in ``.parquet``.
        columns: The mapping, for delimiter and encoding.
        used: The columns to read: what they hold, and their name in the file.

    Raises:
        DataError: A column is missing or ambiguous, a line is malformed, or there is no row.
    """

    def __init__(self, files: FileSet, name: str, columns: Columns, used: dict[str, str]) -> None:
        self._files, self._name, self._columns = files, name, columns
        self.used = used
        self._is_parquet = name.endswith(".parquet")
        self.strings: dict[str, Any] = self._read_parquet() if self._is_parquet else self._read_csv()
        if not self.n_rows:
            raise DataError(f"{files.label(name)}: there is no row; at least one is needed")
        self._check_lengths()

    @property
    def n_rows(self) -> int:
        """Number of rows N."""
        return len(next(iter(self.strings.values())))

    def wrong(self, is_off: NDArray[np.bool_], what: str, must: str) -> DataError:
        """Return the error for the first row of the mask ``is_off`` [N]: its field ``what`` does not fit."""
        value = self.strings[what][int(np.flatnonzero(is_off)[0])].as_py()
        shown = f"is {shorten(value)}" if value else "is empty"
        return self.error(is_off, f"{self.used[what]} {shown}; it must {must}")

    def error(self, is_off: NDArray[np.bool_], message: str) -> DataError:
        """Return the error for the first row of the mask ``is_off`` [N], with its line."""
        row = int(np.flatnonzero(is_off)[0])
        label = self._files.label(self._name)
        if self._is_parquet:
            return DataError(f"{label}: row {row + 1}: {message}")
        reader = self._reader()
        next(reader)
        rows = (fields for fields in reader if fields)
        for _, _ in zip(range(row + 1), rows, strict=False):
            pass
        return DataError(f"{label}:{reader.line_num}: {message}")

    def _reader(self) -> Any:
        csv.field_size_limit(_LONGEST_FIELD)  # what is too long is told by _check_lengths
        return csv.reader(io.StringIO(self._text(), newline=""), delimiter=self._columns.delimiter)

    def _text(self) -> str:
        data = self._files.read(self._name)
        encoding = self._columns.encoding
        try:
            text = data.decode("utf-8-sig" if encoding.lower() in {"utf-8", "utf8"} else encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise DataError(
                f"{self._files.label(self._name)}:{line}: byte {data[error.start]:#04x} is not {encoding}; "
                f"{_remedy(data)}"
            ) from error
        except LookupError as error:
            raise DataError(
                f"columns.encoding {encoding!r} is unknown; utf-8 and latin-1 are usual"
            ) from error
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            raise DataError(
                f"{self._files.label(self._name)}:{line}: a zero byte; the file is damaged, or not "
                f"{encoding}: set columns.encoding, for example utf-16"
            )
        return text

    def _read_csv(self) -> dict[str, Any]:
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv as arrow_csv

        columns = self._columns
        names = self._check_names(next(self._reader(), []))
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(self._text().encode()),
                read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES),
                parse_options=arrow_csv.ParseOptions(delimiter=columns.delimiter, newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names.values(), pa.large_string()),
                    include_columns=list(dict.fromkeys(names.values())),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            raise self._field_count_error(str(error)) from error
        return {
            what: pc.utf8_trim_whitespace(table.column(name)).combine_chunks() for what, name in names.items()
        }

    def _read_parquet(self) -> dict[str, Any]:
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import parquet

        label = self._files.label(self._name)
        try:
            file = parquet.ParquetFile(pa.BufferReader(self._files.read(self._name)))
            names = self._check_names(file.schema_arrow.names)
            table = file.read(columns=list(dict.fromkeys(names.values())))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{label} is no Parquet file: {str(error).splitlines()[0]}") from error
        strings = {}
        for what, name in names.items():
            column = self._as_seconds(table.column(name)) if what == "timestamp" else table.column(name)
            try:
                column = column.cast(pa.large_string()).fill_null("")
            except pa.ArrowException as error:
                raise DataError(
                    f"{label}: column {name!r} for {what} holds {column.type}; numbers or text are needed"
                ) from error
            strings[what] = pc.utf8_trim_whitespace(column).combine_chunks()
        return strings

    def _as_seconds(self, column: Any) -> Any:
        """Return a column of Parquet's own times in the unit that the mapping names; others as they are."""
        import pyarrow as pa

        if not pa.types.is_timestamp(column.type):
            return column
        if self._columns.time_unit == "day":
            return column.cast(pa.date32(), safe=False)
        unit = "ms" if self._columns.time_unit == "milliseconds" else "s"
        return column.cast(pa.timestamp(unit, column.type.tz), safe=False).cast(pa.int64())

    def _check_names(self, header: list[str]) -> dict[str, str]:
        label = self._files.label(self._name)
        if not header:
            raise DataError(f"{label}: the file is empty; a line of column names is needed")
        counts = Counter(header)
        for what, name in self.used.items():
            if counts[name] > 1:
                raise DataError(
                    f"{label}:1: {counts[name]} columns are called {name!r}, which is mapped to {what}; "
                    "give each a name of its own"
                )
            if name not in counts:
                raise DataError(
                    f"{label}:1: there is no column {name!r} for {what}; columns parted by "
                    f"{self._columns.delimiter!r}: {shorten(', '.join(header))}"
                )
        return self.used

    def _field_count_error(self, cause: str) -> DataError:
        label = self._files.label(self._name)
        reader = self._reader()
        try:
            n_fields = len(next(reader))
            for fields in reader:
                if fields and len(fields) != n_fields:
                    return DataError(
                        f"{label}:{reader.line_num}: {len(fields)} fields in "
                        f"{shorten(self._columns.delimiter.join(fields))}; the header has {n_fields}"
                    )
        except csv.Error as error:
            return DataError(f"{label}:{reader.line_num}: {error}")
        return DataError(f"{label}: {cause.splitlines()[0]}")

    def _check_lengths(self) -> None:
        import pyarrow.compute as pc

        for what, strings in self.strings.items():
            lengths = pc.binary_length(strings).to_numpy(zero_copy_only=False)
            if lengths.max() > _FIELD_LIMIT:
                message = f"{self.used[what]} has {lengths.max():,} bytes; at most {_FIELD_LIMIT:,} are read"
                raise self.error(lengths > _FIELD_LIMIT, message)


def _remedy(data: bytes) -> str:
    """Return what to do about bytes that are not the encoding that they should be."""
    if data.startswith(_PACKED):
        return "the file is packed; unpack it, or let its name end in .gz"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "set columns.encoding to utf-16"
    if is_partly_utf8(data):
        return "other lines are; save the file in one encoding"
    return "set columns.encoding, for example latin-1"
