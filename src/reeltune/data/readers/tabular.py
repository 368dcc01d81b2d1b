"""A delimited or Parquet table as columns, whole or chunk by chunk, with a way back to the line of a row.

pyarrow reads it; only where that finds a fault is the file read a second time, row by row, to find
the line. Training and lists of many users read tables alike: the same ids, numbers and errors.
Only an empty field is unknown.

Shapes: N rows.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import IO, Any

import numpy as np

from reeltune.data.readers.delimited import as_number, decode, rows, shorten
from reeltune.data.readers.values import Rows
from reeltune.errors import DataError

_ID_COLUMNS = ("user", "item")
_BLOCK_BYTES = 1 << 24  # what pyarrow reads at once; no line may be longer
_PARQUET_ROWS = 1 << 17  # of a chunk
_LAST_WHOLE = 2**53  # up to here every whole number is a float64

Kinds = Mapping[str, str]  # names of types of pyarrow by what a column holds
NO_KINDS: Kinds = {}


def _joined(column: Any) -> Any:
    import pyarrow as pa

    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _is_of_kind(text: str, kind: str) -> bool:
    number = as_number(text)
    if number is None or kind == "float32":
        return number is not None
    return text.lstrip("-").isdecimal() and abs(number) < 2 ** (int(kind[3:]) - 1)


class Table:
    """A table that is opened as often as needed.

    Delimited text must be UTF-8; ``delimiter`` is one character, or ``::``. ``names`` are the columns where
    the file has no header.
    """

    def __init__(
        self,
        label: str,
        open_file: Callable[[], IO[bytes]],
        *,
        delimiter: str = ",",
        names: tuple[str, ...] = (),
        is_quoted: bool = True,
    ) -> None:
        self.label = label
        self._open, self._delimiter, self._names, self._is_quoted = open_file, delimiter, names, is_quoted
        self._is_parquet = label.endswith(".parquet")
        if not self.header:
            raise DataError(f"{label}: the file is empty; a line of column names is needed")

    @cached_property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        if not self._is_parquet:
            return self._names or tuple(next(self._rows(), (1, []))[1])
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with self._open() as stream:
                return tuple(parquet.read_schema(stream).names)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.label} is no Parquet file: {str(error).splitlines()[0]}") from error

    def whole(self, used: Mapping[str, str], kinds: Kinds = NO_KINDS) -> Rows:
        """Return all rows.

        ``used`` gives the name in the file by what a column holds, ``kinds`` those that are numbers, such as
        ``int32``; the others are text.
        """
        found = list(self._parts(used, kinds, is_whole=True))
        if not found:
            raise DataError(f"{self.label}: there is no row; at least one is needed")
        return found[0]

    def chunks(self, used: Mapping[str, str]) -> Iterator[Rows]:
        """Yield the rows some at a time, as text; see :meth:`whole`."""
        return self._parts(used, NO_KINDS, is_whole=False)

    def where(self, row: int) -> str:
        """Return ``file:line`` of a row counted from 0, ``file: row`` in Parquet."""
        if self._is_parquet:
            return f"{self.label}: row {row + 1}"
        found = self._rows()
        line = 1 if self._names else next(found, (1, []))[0]
        for _, (line, _fields) in zip(range(row + 1), found, strict=False):  # noqa: B007
            pass
        return f"{self.label}:{line}"

    def _parts(self, used: Mapping[str, str], kinds: Kinds, *, is_whole: bool) -> Iterator[Rows]:
        import pyarrow as pa

        self._check(used)
        names = list(dict.fromkeys(used.values()))
        first_row = 0
        try:
            with self._open() as stream:
                read = self._read_parquet if self._is_parquet else self._read_text
                for part in read(stream, names, {used[w]: kind for w, kind in kinds.items()}, is_whole):
                    if part.num_rows:
                        columns = {what: _joined(part.column(name)) for what, name in used.items()}
                        texts = {
                            what: column
                            if what in kinds
                            else self._as_text(column, what, used[what], first_row)
                            for what, column in columns.items()
                        }
                        found = Rows(self.where, used, texts, first_row)
                        found.check_lengths()
                        yield found
                        first_row += part.num_rows
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error, used, kinds) from error

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        with self._open() as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
            yield from rows(
                text,
                self.label,
                delimiter=self._delimiter,
                is_quoted=self._is_quoted,
                n_fields=len(self._names) or None,
            )

    def _check(self, used: Mapping[str, str]) -> None:
        counts = Counter(self.header)
        for what, name in used.items():
            if counts[name] > 1:
                raise DataError(
                    f"{self.label}:1: {counts[name]} columns are called {name!r}, which is mapped to {what}; "
                    "give each a name of its own"
                )
            if name not in counts:
                raise DataError(
                    f"{self.label}:1: there is no column {name!r} for {what}; columns parted by "
                    f"{self._delimiter!r}: {shorten(', '.join(self.header))}"
                )

    def _read_text(self, stream: Any, names: list[str], kinds: Kinds, is_whole: bool) -> Iterable[Any]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        columns = list(self._names)
        if self._delimiter == "::":  # pyarrow parts by one character: there is an empty column between two
            columns = [part for name in columns for part in (name, f"after {name}")][:-1]
        types = {name: getattr(pa, kinds.get(name, "large_string"))() for name in names}
        found = (arrow_csv.read_csv if is_whole else arrow_csv.open_csv)(
            stream,
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES, column_names=columns),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._delimiter[0],
                quote_char='"' if self._is_quoted else False,
                newlines_in_values=self._is_quoted and len(kinds) < len(names),  # costs a quarter of the time
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=names, null_values=[""], strings_can_be_null=False
            ),
        )
        return [found] if is_whole else found

    def _read_parquet(self, stream: Any, names: list[str], _: Kinds, is_whole: bool) -> Iterable[Any]:
        from pyarrow import parquet

        file = parquet.ParquetFile(stream)
        return [file.read(columns=names)] if is_whole else file.iter_batches(_PARQUET_ROWS, columns=names)

    def _as_text(self, column: Any, what: str, name: str, first_row: int) -> Any:
        """Return a column as text without spaces around it; what is absent is empty."""
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("s", kind.tz), safe=False).cast(pa.timestamp("s"))
        elif pa.types.is_floating(kind) and what in _ID_COLUMNS:
            is_whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), _LAST_WHOLE))
            is_off = ~pc.fill_null(is_whole, True).to_numpy(zero_copy_only=False)
            if is_off.any():
                row = int(np.flatnonzero(is_off)[0])
                raise DataError(
                    f"{self.where(first_row + row)}: {name} is {column[row].as_py()!r}; an id must be text "
                    "or a whole number"
                )
            column = column.cast(pa.int64())
        elif pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise DataError(
                f"{self.label}: column {name!r} for {what} holds {kind}; numbers or text are needed"
            )
        try:
            text = column.cast(pa.large_string()).fill_null("")
        except pa.ArrowException as error:
            raise DataError(
                f"{self.label}: column {name!r} for {what} holds {kind}; numbers or text are needed"
            ) from error
        return pc.utf8_trim_whitespace(text)

    def _unreadable(self, error: Exception, used: Mapping[str, str], kinds: Kinds) -> DataError:
        """Return the error for a file that pyarrow cannot read, with the line where one is to blame."""
        cause = str(error).splitlines()[0][:200]
        if self._is_parquet:
            return DataError(f"{self.label} is no Parquet file: {cause}")
        places = {self.header.index(used[what]): (used[what], kind) for what, kind in kinds.items()}
        try:
            for line, fields in self._rows():
                for place, (name, kind) in places.items() if line > 1 or self._names else ():
                    text = fields[place].strip()
                    if text and not _is_of_kind(text, kind):
                        must = "a number" if kind == "float32" else f"a whole number of {kind[3:]} bits"
                        return DataError(f"{self.label}:{line}: {name} is {shorten(text)}; it must be {must}")
        except DataError as located:
            return located
        except UnicodeDecodeError:
            return self._not_utf8()
        return DataError(f"{self.label}: {cause}")

    def _not_utf8(self) -> DataError:
        with self._open() as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    decode(line, self.label, "utf-8")
                except DataError as error:
                    _, _, fault = str(error).removeprefix(self.label).partition(": ")
                    return DataError(f"{self.label}:{number}: {fault}")
        return DataError(f"{self.label}: the file is not UTF-8; save it as UTF-8")
