"""Readers of the MovieLens editions: ``u.data``, ``::``-separated files and CSV.

Source of the formats: the README of each edition, https://grouplens.org/datasets/movielens/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from reeltune.data.interactions import Interactions, Movies, RawDataset
from reeltune.data.readers.delimited import Column, Format, read_columns, shorten
from reeltune.data.readers.movielens_side import (
    read_folds,
    read_tags_csv,
    read_tags_dat,
    read_users_dat,
    read_users_recbole,
    read_users_u,
    with_links,
)
from reeltune.data.readers.text_files import csv_rows, decode
from reeltune.data.sources import FileSet
from reeltune.errors import DataError

__all__ = [
    "read_csv_edition",
    "read_dat_edition",
    "read_first_users",
    "read_ranked_edition",
    "read_recbole",
    "read_u",
]

_LARGEST_ID = 2**31 - 1
_LAST_SECOND = 2**33  # the year 2242; a larger number is not in seconds
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_VIDEO = "(V)"  # a remark behind the year of one movie of ML-100K: made for video
_NO_GENRE = {"unknown", "(no genres listed)", ""}
_U_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip  # the columns of u.item, in the order of the publisher's u.genre


def _ids_and_rating(names: tuple[str | int, str | int, str | int]) -> tuple[Column, Column, Column]:
    return (
        Column("user", names[0], "int32", 1, _LARGEST_ID),
        Column("movie", names[1], "int32", 1, _LARGEST_ID),
        Column("rating", names[2], "float32", 0.5, 5.0),
    )


def _timed(names: tuple[str | int, str | int, str | int, str | int]) -> tuple[Column, ...]:
    return (*_ids_and_rating(names[:3]), Column("timestamp", names[3], "int64", 0, _LAST_SECOND))


_U_DATA = Format("\t", None, 4, _timed((0, 1, 2, 3)))
_RECBOLE_HEADER = ("user_id:token", "item_id:token", "rating:float", "timestamp:float")
_RECBOLE_INTER = Format("\t", _RECBOLE_HEADER, 4, _timed(_RECBOLE_HEADER))
_RATINGS_DAT = Format("::", None, 4, _timed((0, 1, 2, 3)))
_CSV_HEADER = ("userId", "movieId", "rating", "timestamp")
_RATINGS_CSV = Format(",", _CSV_HEADER, 4, _timed(_CSV_HEADER))
_RANKED_HEADER = ("userId", "movieId", "rating", "seq", "timestamp")
_RANKED_CSV = Format(
    ",",
    _RANKED_HEADER,
    5,
    (
        *_ids_and_rating(("userId", "movieId", "rating")),
        Column("seq", "seq", "int32", 1, _LARGEST_ID),
        Column("timestamp", "timestamp", "int64", 0, _LAST_SECOND, absent=-1),
    ),
)


def read_u(files: FileSet) -> RawDataset:
    """Return ML-100K from the publisher's ``u.*``."""
    interactions = _interactions(files, "u.data", _U_DATA)
    return RawDataset(
        interactions,
        _movies_u(files, "u.item"),
        users=read_users_u(files),
        fold=read_folds(files, interactions),
    )


def read_recbole(files: FileSet) -> RawDataset:
    """Return ML-100K from the copy in the RecBole wheel; its rows stand in the publisher's order."""
    interactions = _interactions(files, "ml-100k.inter", _RECBOLE_INTER)
    return RawDataset(interactions, _movies_recbole(files, "ml-100k.item"), users=read_users_recbole(files))


def read_dat_edition(files: FileSet) -> RawDataset:
    """Return ML-1M or ML-10M from ``ratings.dat`` and ``movies.dat``."""
    return _dat(files, _interactions(files, "ratings.dat", _RATINGS_DAT))


def read_first_users(files: FileSet) -> RawDataset:
    """Return users 1 to 2,999 of ML-1M from the publisher's ``ratings.dat`` and ``movies.dat``."""
    rows = _interactions(files, "ratings.dat", _RATINGS_DAT)
    keep = rows.user <= LAST_OF_PART
    columns = {name: getattr(rows, name)[keep] for name in ("user", "item", "rating", "timestamp")}
    return _dat(files, replace(rows, **columns))


def read_ranked_edition(files: FileSet) -> RawDataset:
    """Return ML-1M from ``ratings_seq.csv``: chronological ranks, timestamps where known."""
    return _dat(files, _interactions(files, "ratings_seq.csv", _RANKED_CSV))


def read_csv_edition(files: FileSet) -> RawDataset:
    """Return latest-small, ML-20M, ML-25M or ML-32M from ``ratings.csv`` and ``movies.csv``."""
    return RawDataset(
        _interactions(files, "ratings.csv", _RATINGS_CSV),
        with_links(_movies_csv(files, "movies.csv"), files),
        tags=read_tags_csv(files),
    )


def _dat(files: FileSet, interactions: Interactions) -> RawDataset:
    return RawDataset(
        interactions,
        _movies_dat(files, "movies.dat"),
        users=read_users_dat(files),
        tags=read_tags_dat(files),
    )


def _interactions(files: FileSet, name: str, form: Format) -> Interactions:
    columns = read_columns(lambda: files.open(name), files.label(name), form)
    return Interactions(
        user=columns["user"].astype(np.int32, copy=False),
        item=columns["movie"].astype(np.int32, copy=False),
        rating=columns["rating"].astype(np.float32, copy=False),
        timestamp=columns["timestamp"].astype(np.int64, copy=False),
        rank=columns["seq"].astype(np.int64) if "seq" in columns else None,
    )


LAST_OF_PART = 2999
"""Last user of ``movielens-1m-part``."""
_Row = tuple[str, str, int, tuple[str, ...]]  # id, title, year, genres


def _movies(rows: Iterator[_Row], label: str) -> Movies:
    table = sorted(rows, key=lambda row: int(row[0]))
    if not table:
        raise DataError(f"{label}: there is no movie; the file is empty")
    ids, titles, years, genres = zip(*table, strict=True)
    return Movies(ids, titles, years, genres)


def _movies_u(files: FileSet, name: str) -> Movies:
    def row(fields: list[str]) -> _Row:
        title, year = _titled(fields[1])
        flags = fields[5:]
        genres = [genre for genre, flag in zip(_U_GENRES, flags, strict=True) if flag == "1"]
        return fields[0], title, year, _known(genres)

    return _movies(_rows(files, name, "|", 24, row), files.label(name))


def _movies_recbole(files: FileSet, name: str) -> Movies:
    def row(fields: list[str]) -> _Row:
        item, title, year, genres = fields
        # The wheel spells the one unknown movie (id 267) "unkonwn", and takes a remark for a year once.
        name = f"{title} ({year})" if year.isdigit() else title.replace("unkonwn", "unknown")
        return item, *_titled(name), _known(genres.split(" "))

    return _movies(_rows(files, name, "\t", 4, row, has_header=True), files.label(name))


def _movies_dat(files: FileSet, name: str) -> Movies:
    def row(fields: list[str]) -> _Row:
        title, year = _titled(fields[1])
        return fields[0], title, year, _known(fields[2].split("|"))

    return _movies(_rows(files, name, "::", 3, row), files.label(name))


def _movies_csv(files: FileSet, name: str) -> Movies:
    label = files.label(name)
    rows = csv_rows(files, name)

    def movies() -> Iterator[_Row]:
        _, header = next(rows, (1, []))
        if header != ["movieId", "title", "genres"]:
            raise DataError(f"{label}:1: the header is {header}; it must be movieId,title,genres")
        for number, fields in rows:
            if len(fields) != 3 or not fields[0].isdigit():
                shown = shorten(",".join(fields))
                raise DataError(f"{label}:{number}: {shown} is not movieId,title,genres")
            title, year = _titled(fields[1])
            yield fields[0], title, year, _known(fields[2].split("|"))

    return _movies(movies(), label)


def _rows(
    files: FileSet,
    name: str,
    delimiter: str,
    n_fields: int,
    row: Callable[[list[str]], _Row],
    *,
    has_header: bool = False,
) -> Iterator[_Row]:
    for number, line in enumerate(decode(files.read(name), files.label(name)).split("\n"), start=1):
        if not line.strip() or (has_header and number == 1):
            continue
        fields = line.rstrip("\r").split(delimiter)
        if len(fields) != n_fields or not fields[0].isdigit():
            raise DataError(
                f"{files.label(name)}:{number}: {shorten(line)} has not {n_fields} fields parted by "
                f"{delimiter!r} with a number first"
            )
        yield row(fields)


def _titled(text: str) -> tuple[str, int]:
    title = text.strip().removesuffix(_VIDEO).rstrip()
    match = _YEAR.search(title)
    return title, int(match[1]) if match else 0


def _known(genres: list[str]) -> tuple[str, ...]:
    return tuple(genre for genre in genres if genre not in _NO_GENRE)
