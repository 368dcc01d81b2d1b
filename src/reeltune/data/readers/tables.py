"""The user's own table, CSV or Parquet, read by a mapping of its columns.

Ids are text: leading zeros stay, spaces around them are cut off. A fault names file and line
(file and row in Parquet).

Shapes: N rows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids, Interactions, Movies, RawDataset
from reeltune.data.readers.columns import Columns
from reeltune.data.readers.table_file import TableFile
from reeltune.data.sources import FileSet
from reeltune.data.texts import Texts

__all__ = ["UNPRINTABLE", "read_table", "text_ids"]

UNPRINTABLE = r"[\x00-\x1f\x7f]"
"""Pattern of what no id may hold."""

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
    table = _Table(TableFile(files, name, columns, used), columns)
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
        table = _Table(TableFile(files, movies, columns, about_movies), columns)
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
    """The mapped columns as what they stand for."""

    def __init__(self, file: TableFile, columns: Columns) -> None:
        self._file, self._columns = file, columns
        self._strings = file.strings

    def ids(self, what: str) -> Ids:
        import pyarrow.compute as pc

        empty = pc.equal(self._strings[what], "")
        if pc.any(empty).as_py():
            raise self._file.error(
                empty.to_numpy(zero_copy_only=False), f"{self._file.used[what]} is empty; an id is needed"
            )
        unprintable = pc.match_substring_regex(self._strings[what], UNPRINTABLE)
        if pc.any(unprintable).as_py():
            raise self._file.wrong(
                unprintable.to_numpy(zero_copy_only=False),
                what,
                "be printable: no line end, tab or zero byte",
            )
        return text_ids(self._strings[what])

    def ratings(self) -> NDArray[np.float32]:
        columns = self._columns
        if columns.rating is None:
            return np.full(len(self._strings["user"]), np.nan, dtype=np.float32)
        values = self._numbers("rating", whole=False)
        is_off = (values < columns.lowest_rating) | (values > columns.highest_rating)
        if is_off.any():
            raise self._file.wrong(
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
            raise self._file.wrong(
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
            raise self._file.wrong(is_off, "label", "be 1, 0 or empty")
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
                    raise self._file.wrong(
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
            raise self._file.wrong(is_off, what, "be a number") from None
        empty = pc.equal(strings, "").to_numpy(zero_copy_only=False)
        is_off = ~np.isfinite(values) & ~empty
        if whole:
            is_off |= (values != np.floor(values)) & ~empty
        if is_off.any():
            raise self._file.wrong(is_off, what, "be a whole number" if whole else "be a finite number")
        return values


def _is_number(text: str) -> bool:
    try:
        float(text or 0)
    except ValueError:
        return False
    return True
