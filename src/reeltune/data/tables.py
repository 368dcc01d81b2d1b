"""The user's own table, CSV or Parquet, read by a mapping of its columns.

Ids are text: leading zeros stay, spaces around them are cut off. A fault names file and line
(file and row in Parquet).

Shapes: N rows.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.columns import Columns
from reeltune.data.delimited import shorten
from reeltune.data.interactions import Ids, Interactions, Movies, RawDataset
from reeltune.data.sources import FileSet
from reeltune.data.texts import Texts
from reeltune.errors import DataError

__all__ = ["read_table", "text_ids"]

_FIELD_LIMIT = 1 << 20  # bytes; a longer field is damage
_BLOCK_BYTES = 1 << 24  # what pyarrow reads at once; no line may be longer
_PER_SECOND = {"seconds": 1, "milliseconds": 1000}
_LAST_SECOND = 2**33


def read_table(files: FileSet, name: str, columns: Columns, *, movies: str | None = None) -> RawDataset:
    """Return the rows of the CSV or Parquet file ``name``.

    Args:
        files: Where the file lies.
        name: Its name; Parquet when it ends in ``.parquet``.
        columns: The mapping.
        movies: A second file with the columns of movie id, title and genres; None when the
            first file holds them, or nothing does.

    Raises:
        DataError: A column is missing or a value is wrong.
    """
    used = columns.used()
    about_movies: dict[str, str] = {what: used[what] for what in ("item", "title", "genres") if what in used}
    if movies is not None:
        used = {what: column for what, column in used.items() if what not in {"title", "genres"}}
    table = _Table(files, name, columns, used)
    user, item = table.ids("user"), table.ids("item")
    interactions = Interactions(
        user=user,
        item=item,
        rating=table.ratings(),
        timestamp=table.times(),
        rank=np.arange(len(user), dtype=np.int64) if columns.timestamp is None else None,
        review=table.reviews(),
        label=table.labels(),
    )
    if movies is not None:
        table = _Table(files, movies, columns, about_movies)
    return RawDataset(interactions, table.movies() if len(about_movies) > 1 else None)


def text_ids(values: Any) -> Ids:
    """Return a pyarrow array of strings as ids: an object array whose equal entries share one object."""
    import pyarrow as pa

    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    found = values.dictionary_encode()
    names = np.empty(len(found.dictionary), dtype=object)
    names[:] = found.dictionary.to_pylist()
    ids: Ids = names[found.indices.to_numpy()]
    return ids


class _Table:
    """The mapped columns as strings, with a way back to the line of a row."""

    def __init__(self, files: FileSet, name: str, columns: Columns, used: dict[str, str]) -> None:
        self._files, self._name, self._columns, self._used = files, name, columns, used
        self._is_parquet = name.endswith(".parquet")
        self._strings = self._read_parquet() if self._is_parquet else self._read_csv()
        if not len(next(iter(self._strings.values()))):
            raise DataError(f"{files.label(name)}: there is no row; at least one is needed")
        self._check_lengths()

    def _check_lengths(self) -> None:
        import pyarrow.compute as pc

        for what, strings in self._strings.items():
            lengths = pc.binary_length(strings).to_numpy(zero_copy_only=False)
            if lengths.max() > _FIELD_LIMIT:
                message = f"{self._used[what]} has {lengths.max():,} bytes; at most {_FIELD_LIMIT:,} are read"
                raise self._error(lengths > _FIELD_LIMIT, message)

    def ids(self, what: str) -> Ids:
        import pyarrow.compute as pc

        empty = pc.equal(self._strings[what], "")
        if pc.any(empty).as_py():
            raise self._error(
                empty.to_numpy(zero_copy_only=False), f"{self._used[what]} is empty; an id is needed"
            )
        return text_ids(self._strings[what])

    def ratings(self) -> NDArray[np.float32]:
        columns = self._columns
        if columns.rating is None:
            return np.full(len(self._strings["user"]), np.nan, dtype=np.float32)
        values = self._numbers("rating", whole=False)
        is_off = (values < columns.lowest_rating) | (values > columns.highest_rating)
        if is_off.any():
            raise self._wrong(
                is_off,
                "rating",
                f"lie in {columns.lowest_rating:g} to {columns.highest_rating:g}; "
                "lowest_rating and highest_rating set the scale",
            )
        return values.astype(np.float32)

    def times(self) -> NDArray[np.int64]:
        n_rows = len(self._strings["user"])
        if self._columns.timestamp is None:
            return np.full(n_rows, -1, dtype=np.int64)
        unit = self._columns.time_unit
        if unit == "day":
            return self._days()
        values = self._numbers("timestamp", whole=True)
        is_off = np.isnan(values) | (values < 0) | (values > _LAST_SECOND * _PER_SECOND[unit])
        if is_off.any():
            raise self._wrong(
                is_off, "timestamp", f"be {unit} since 1970, not negative; time_unit sets the unit"
            )
        return (values // _PER_SECOND[unit]).astype(np.int64)

    def reviews(self) -> Texts | None:
        return Texts.of_arrow(self._strings["review"]) if "review" in self._strings else None

    def labels(self) -> NDArray[np.int8] | None:
        if "label" not in self._strings:
            return None
        values = self._numbers("label", whole=True)
        is_off = ~(np.isnan(values) | (values == 0) | (values == 1))
        if is_off.any():
            raise self._wrong(is_off, "label", "be 1, 0 or empty")
        return np.nan_to_num(values, nan=-1).astype(np.int8)

    def movies(self) -> Movies:
        item = self.ids("item").tolist()
        titles: dict[str, str] = {}
        genres: dict[str, str] = {}
        for found, what in ((titles, "title"), (genres, "genres")):
            if what in self._strings:
                for key, value in zip(item, self._strings[what].to_pylist(), strict=True):
                    if value:
                        found.setdefault(key, value)
        ids = tuple(sorted(set(item)))
        return Movies(
            ids=ids,
            titles=tuple(titles.get(key, key) for key in ids),
            years=(0,) * len(ids),
            genres=tuple(tuple(filter(None, genres.get(key, "").split("|"))) for key in ids),
        )

    def _days(self) -> NDArray[np.int64]:
        seconds: dict[str, int] = {"": -1}
        values = self._strings["timestamp"].to_pylist()
        for row, text in enumerate(values):
            if text not in seconds:
                try:
                    seconds[text] = int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
                except ValueError:
                    raise self._wrong(
                        np.arange(len(values)) == row, "timestamp", "be a day such as 2019-06-30"
                    ) from None
        return np.array([seconds[text] for text in values], dtype=np.int64)

    def _numbers(self, what: str, *, whole: bool) -> NDArray[np.float64]:
        """Return a column as numbers, NaN where a field is empty."""
        import pyarrow as pa
        import pyarrow.compute as pc

        strings = self._strings[what]
        known = pc.if_else(pc.equal(strings, ""), None, strings)
        try:
            values: NDArray[np.float64] = known.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            is_off = np.array([not _is_number(text) for text in strings.to_pylist()])
            raise self._wrong(is_off, what, "be a number") from None
        empty = pc.equal(strings, "").to_numpy(zero_copy_only=False)
        is_off = ~np.isfinite(values) & ~empty
        if whole:
            is_off |= (values != np.floor(values)) & ~empty
        if is_off.any():
            raise self._wrong(is_off, what, "be a whole number" if whole else "be a finite number")
        return values

    def _wrong(self, is_off: NDArray[np.bool_], what: str, must: str) -> DataError:
        value = self._strings[what][int(np.flatnonzero(is_off)[0])].as_py()
        shown = f"is {shorten(value)}" if value else "is empty"
        return self._error(is_off, f"{self._used[what]} {shown}; it must {must}")

    def _error(self, is_off: NDArray[np.bool_], message: str) -> DataError:
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
        csv.field_size_limit(_BLOCK_BYTES)
        return csv.reader(io.StringIO(self._text(), newline=""), delimiter=self._columns.delimiter)

    def _text(self) -> str:
        data = self._files.read(self._name)
        encoding = self._columns.encoding
        try:
            return data.decode("utf-8-sig" if encoding.lower() in {"utf-8", "utf8"} else encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise DataError(
                f"{self._files.label(self._name)}:{line}: byte {data[error.start]:#04x} is not {encoding}; "
                "set columns.encoding, for example latin-1"
            ) from error
        except LookupError as error:
            raise DataError(
                f"columns.encoding {encoding!r} is unknown; utf-8 and latin-1 are usual"
            ) from error

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

        try:
            table = parquet.read_table(pa.BufferReader(self._files.read(self._name)))
        except pa.ArrowInvalid as error:
            raise DataError(f"{self._files.label(self._name)} is no Parquet file: {error}") from error
        names = self._check_names(table.column_names)
        return {
            what: pc.utf8_trim_whitespace(
                table.column(name).cast(pa.large_string()).fill_null("")
            ).combine_chunks()
            for what, name in names.items()
        }

    def _check_names(self, header: list[str]) -> dict[str, str]:
        label = self._files.label(self._name)
        if not header:
            raise DataError(f"{label}: the file is empty; a line of column names is needed")
        for what, name in self._used.items():
            if name not in header:
                raise DataError(
                    f"{label}:1: there is no column {name!r} for {what}; columns parted by "
                    f"{self._columns.delimiter!r}: {shorten(', '.join(header))}"
                )
        return self._used

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


def _is_number(text: str) -> bool:
    try:
        float(text or 0)
    except ValueError:
        return False
    return True
