"""Readers of what MovieLens editions hold beside ratings and movies: users, tags, links, folds.

All of these files are optional: an edition without them is read just as well.

Source of the formats: the README of each edition, https://grouplens.org/datasets/movielens/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Interactions, Movies, TagTable, UserTable
from reeltune.data.readers.delimited import Column, Format, read_columns, shorten
from reeltune.data.readers.text_files import csv_rows, decode
from reeltune.data.sources import FileSet
from reeltune.data.texts import Texts
from reeltune.errors import DataError

__all__ = [
    "CSV_SIDE",
    "DAT_SIDE",
    "RECBOLE_SIDE",
    "U_SIDE",
    "read_folds",
    "read_tags_csv",
    "read_tags_dat",
    "read_users_dat",
    "read_users_recbole",
    "read_users_u",
    "with_links",
]

_FOLD_FILES = tuple(f"u{fold}.test" for fold in range(1, 6))
U_SIDE = ("u.user", *_FOLD_FILES)
RECBOLE_SIDE = ("ml-100k.user",)
DAT_SIDE = ("users.dat", "tags.dat")
CSV_SIDE = ("tags.csv", "links.csv")

_FOLD = Format(
    "\t",
    None,
    4,
    (Column("user", 0, "int32", 1, 2**31 - 1), Column("movie", 1, "int32", 1, 2**31 - 1)),
)
_OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer",
    "programmer", "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer",
    "tradesman/craftsman", "unemployed", "writer",
)  # fmt: skip  # by the number in users.dat, from its README
_AGES = range(1, 130)


def read_users_u(files: FileSet) -> UserTable | None:
    """Return the users of ML-100K's ``u.user``: id, age, gender, occupation, zip code."""
    return _users(files, "u.user", "|", order=(0, 1, 2, 3))


def read_users_recbole(files: FileSet) -> UserTable | None:
    """Return the users of the copy in the RecBole wheel."""
    return _users(files, "ml-100k.user", "\t", order=(0, 1, 2, 3), has_header=True)


def read_users_dat(files: FileSet) -> UserTable | None:
    """Return the users of ML-1M's ``users.dat``: id, gender, lowest age of a bracket, occupation."""
    return _users(files, "users.dat", "::", order=(0, 2, 1, 3), occupations=_OCCUPATIONS)


def read_tags_csv(files: FileSet) -> TagTable | None:
    """Return the tags of ``tags.csv``."""
    name = "tags.csv"
    if not files.has(name):
        return None
    rows = csv_rows(files, name)
    _check_header(rows, ["userId", "movieId", "tag", "timestamp"], files.label(name))
    return _tags(rows, files.label(name))


def read_tags_dat(files: FileSet) -> TagTable | None:
    """Return the tags of ML-10M's ``tags.dat``."""
    name = "tags.dat"
    if not files.has(name):
        return None
    lines = enumerate(decode(files.read(name), files.label(name)).split("\n"), start=1)
    rows = ((number, line.rstrip("\r").split("::")) for number, line in lines if line.strip())
    return _tags(rows, files.label(name))


def with_links(movies: Movies, files: FileSet) -> Movies:
    """Return ``movies`` with the numbers of other data bases from ``links.csv``, where it is there."""
    name = "links.csv"
    if not files.has(name):
        return movies
    label = files.label(name)
    rows = csv_rows(files, name)
    _check_header(rows, ["movieId", "imdbId", "tmdbId"], label)
    links: dict[str, list[str]] = {}
    for number, fields in rows:
        if len(fields) != 3 or not fields[0].isdigit():
            raise DataError(f"{label}:{number}: {shorten(','.join(fields))} is not movieId,imdbId,tmdbId")
        links[fields[0]] = fields
    none = ["", "", ""]
    return replace(
        movies,
        imdb_ids=tuple(links.get(item, none)[1] for item in movies.ids),
        tmdb_ids=tuple(links.get(item, none)[2] for item in movies.ids),
    )


def read_folds(files: FileSet, interactions: Interactions) -> NDArray[np.int8] | None:
    """Return the fold of each row from ``u1.test`` to ``u5.test``, or None where they are not there.

    Raises:
        DataError: The files do not part the rows of ``u.data``.
    """
    if not all(files.has(name) for name in _FOLD_FILES):
        return None
    key = interactions.user.astype(np.int64) << 32 | interactions.item
    order = np.argsort(key)
    fold = np.zeros(interactions.n_rows, dtype=np.int8)
    n_rows = 0
    for number, name in enumerate(_FOLD_FILES, start=1):
        columns = read_columns(lambda name=name: files.open(name), files.label(name), _FOLD)  # type: ignore[misc]
        wanted = columns["user"].astype(np.int64) << 32 | columns["movie"].astype(np.int64)
        place = np.searchsorted(key, wanted, sorter=order).clip(max=len(key) - 1)
        if (key[order[place]] != wanted).any():
            raise DataError(f"{files.label(name)} holds a row that is not in u.data; get the archive again")
        fold[order[place]] = number
        n_rows += len(wanted)
    if n_rows != interactions.n_rows or not fold.all():
        raise DataError(
            f"{files.label(_FOLD_FILES[0])} and the other folds hold {n_rows:,} rows, "
            f"{int((fold > 0).sum()):,} of the {interactions.n_rows:,} in u.data; get the archive again"
        )
    return fold


def _users(
    files: FileSet,
    name: str,
    delimiter: str,
    *,
    order: tuple[int, int, int, int],
    occupations: tuple[str, ...] | None = None,
    has_header: bool = False,
) -> UserTable | None:
    """Return the table with id, age, gender and occupation at the places ``order``."""
    if not files.has(name):
        return None
    rows = []
    for number, line in enumerate(decode(files.read(name), files.label(name)).split("\n"), start=1):
        if not line.strip() or (has_header and number == 1):
            continue
        fields = line.rstrip("\r").split(delimiter)
        where = f"{files.label(name)}:{number}"
        if len(fields) != 5 or not fields[0].isdigit():
            raise DataError(
                f"{where}: {shorten(line)} has not 5 fields parted by {delimiter!r} with a number first"
            )
        user, age, gender, work = (fields[i].strip() for i in order)
        if not age.isdigit() or int(age) not in _AGES:
            raise DataError(f"{where}: the age is {shorten(age)}; it must lie in {_AGES[0]} to {_AGES[-1]}")
        if occupations is not None:
            if not work.isdigit() or int(work) >= len(occupations):
                raise DataError(
                    f"{where}: the occupation is {shorten(work)}; it must lie in 0 to {len(occupations) - 1}"
                )
            work = occupations[int(work)]
        rows.append((user, int(age), gender, work))
    if not rows:
        raise DataError(f"{files.label(name)}: there is no user; the file is empty")
    ids, ages, genders, works = zip(*rows, strict=True)
    return UserTable(ids, ages, genders, works)


def _tags(rows: Iterator[tuple[int, list[str]]], label: str) -> TagTable:
    users, items, texts, times = [], [], [], []
    for number, fields in rows:
        if len(fields) != 4 or not all(fields[i].isdigit() for i in (0, 1, 3)):
            raise DataError(
                f"{label}:{number}: {shorten(','.join(fields))} is not user, movie, tag, timestamp"
            )
        users.append(fields[0])
        items.append(fields[1])
        texts.append(fields[2].strip())
        times.append(int(fields[3]))
    return TagTable(tuple(users), tuple(items), Texts.of(texts), np.array(times, dtype=np.int64))


def _check_header(rows: Iterator[tuple[int, list[str]]], wanted: list[str], label: str) -> None:
    _, found = next(rows, (1, []))
    if found != wanted:
        raise DataError(f"{label}:1: the header is {shorten(','.join(found))}; it must be {','.join(wanted)}")
