"""The user's own table, CSV or Parquet, read by a mapping of its columns.

Ids are text: leading zeros stay, spaces around them are cut off. A fault names file and line
(file and row in Parquet).

Shapes: N rows.
"""

from __future__ import annotations

import io
from functools import partial

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Interactions, Movies, RawDataset
from reeltune.data.readers.columns import Columns
from reeltune.data.readers.delimited import decode
from reeltune.data.readers.tabular import Table
from reeltune.data.readers.times import check_span, seconds_of
from reeltune.data.readers.titles import FIRST_YEAR, LAST_YEAR, known_genres, titled
from reeltune.data.readers.values import Rows
from reeltune.data.sources.source import FileSet
from reeltune.data.texts import Texts

_OF_MOVIES = ("title", "year", "genres")


def read_table(files: FileSet, name: str, columns: Columns, *, movies: str | None = None) -> RawDataset:
    """Return the rows of the CSV or Parquet file ``name``.

    ``movies`` is a second file with the columns of movie id, title, year and genres.
    """
    used = columns.used()
    about_movies = {what: used[what] for what in ("item", *_OF_MOVIES) if what in used}
    if movies is not None:
        used = {what: column for what, column in used.items() if what not in _OF_MOVIES}
    rows = _table(files, name, columns).whole(used)
    timestamp, rank = np.full(rows.n_rows, -1, dtype=np.int64), None
    if columns.timestamp is None:
        rank = np.arange(rows.n_rows, dtype=np.int64)
    elif columns.time_unit == "order":
        rank = _order(rows)
    else:
        timestamp = seconds_of(rows, "timestamp", columns.time_unit)
    interactions = Interactions(
        user=rows.ids("user"),
        item=rows.ids("item"),
        rating=_ratings(rows, columns),
        timestamp=timestamp,
        rank=rank,
        review=Texts.of_arrow(rows.strings["review"]) if "review" in used else None,
        label=_labels(rows) if "label" in used else None,
    )
    check_span(rows, "timestamp", columns.time_unit, timestamp)
    if movies is not None:
        rows = _table(files, movies, columns).whole(about_movies)
    return RawDataset(interactions, _movies(rows) if len(about_movies) > 1 else None)


def _table(files: FileSet, name: str, columns: Columns) -> Table:
    label = files.label(name)
    if name.endswith(".parquet"):
        return Table(label, partial(files.open, name))
    data = decode(files.read(name), label, columns.encoding, key="columns.encoding").encode()
    return Table(label, lambda: io.BytesIO(data), delimiter=columns.delimiter)


def _order(rows: Rows) -> NDArray[np.int64]:
    values = rows.numbers("timestamp", is_whole=True)
    if np.isnan(values).any():
        raise rows.wrong(np.isnan(values), "timestamp", "be a whole number")
    return np.unique(values, return_inverse=True)[1].astype(np.int64)  # equal numbers keep the file's order


def _ratings(rows: Rows, columns: Columns) -> NDArray[np.float32]:
    if columns.rating is None:
        return np.full(rows.n_rows, np.nan, dtype=np.float32)
    remedy = "lowest_rating and highest_rating set the scale"
    return rows.ratings("rating", columns.lowest_rating, columns.highest_rating, remedy)


def _labels(rows: Rows) -> NDArray[np.int8]:
    values = rows.numbers("label", is_whole=True)
    is_off = ~(np.isnan(values) | (values == 0) | (values == 1))
    if is_off.any():
        raise rows.wrong(is_off, "label", "be 1, 0 or empty")
    return np.nan_to_num(values, nan=-1).astype(np.int8)


def _movies(rows: Rows) -> Movies:
    """Return the movies; of several rows of one, the first that knows a title, a year or genres counts."""
    item = rows.ids("item").tolist()
    if "year" in rows.strings:
        years = rows.numbers("year", is_whole=True)
        is_off = (years < FIRST_YEAR) | (years > LAST_YEAR)
        if is_off.any():
            raise rows.wrong(is_off, "year", f"lie in {FIRST_YEAR} to {LAST_YEAR}, or be empty")
    found: dict[str, dict[str, str]] = {what: {} for what in _OF_MOVIES}
    for what in set(_OF_MOVIES) & set(rows.strings):
        for key, value in zip(item, rows.strings[what].to_pylist(), strict=True):
            if value:
                found[what].setdefault(key, value)
    ids = tuple(sorted(set(item)))
    named = [_named(found["title"].get(key, key), found["year"].get(key)) for key in ids]
    return Movies(
        ids=ids,
        titles=tuple(title for title, _ in named),
        years=tuple(year for _, year in named),
        genres=tuple(known_genres(found["genres"].get(key, "").split("|")) for key in ids),
    )


def _named(text: str, year: str | None) -> tuple[str, int]:
    """Return title and year; a year of its own column goes behind the title, so that remakes differ."""
    title, of_title = titled(text)
    if year is None or of_title:
        return title, int(float(year)) if year is not None else of_title
    return f"{title} ({int(float(year))})", int(float(year))
