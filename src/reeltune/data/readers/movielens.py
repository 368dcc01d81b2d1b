"""Readers of the MovieLens editions: ``u.*``, ``::``-separated files and CSV.

Users, tags, links and folds are optional: an edition without them is read just as well.

Source of the formats: the README of each edition, https://grouplens.org/datasets/movielens/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Interactions, Movies, RawDataset, TagTable, Users
from reeltune.data.readers.delimited import decode, records, rows, shorten
from reeltune.data.readers.tabular import Table
from reeltune.data.readers.titles import known_genres, titled
from reeltune.data.sources.source import FileSet
from reeltune.data.texts import Texts
from reeltune.errors import DataError

_FOLD_FILES = tuple(f"u{fold}.test" for fold in range(1, 6))
U_SIDE = ("u.user", *_FOLD_FILES)
RECBOLE_SIDE = ("ml-100k.user",)
DAT_SIDE = ("users.dat", "tags.dat")
CSV_SIDE = ("tags.csv", "links.csv")

LAST_OF_PART = 2999
"""Last user of ``movielens-1m-part``."""

_LARGEST_ID = 2**31 - 1
_LAST_SECOND = 2**33  # the year 2242; a larger number is not in seconds
_AGES = range(1, 130)
_U_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip  # the columns of u.item, in the order of the publisher's u.genre
_OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer",
    "programmer", "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer",
    "tradesman/craftsman", "unemployed", "writer",
)  # fmt: skip  # by the number in users.dat, from its README


_RATING_KINDS = {"user": "int32", "item": "int32", "rating": "float32", "timestamp": "int64", "rank": "int32"}
_PLAIN_NAMES = ("user", "item", "rating", "timestamp")
_RECBOLE_NAMES = ("user_id:token", "item_id:token", "rating:float", "timestamp:float")
_CSV_NAMES = ("userId", "movieId", "rating", "timestamp")


def read_u(files: FileSet) -> RawDataset:
    """Return ML-100K from the publisher's ``u.*``."""
    interactions = _interactions(files, "u.data", _PLAIN_NAMES)

    def movie(fields: list[str]) -> _Row:
        genres = [genre for genre, flag in zip(_U_GENRES, fields[5:], strict=True) if flag == "1"]
        return fields[0], *titled(fields[1]), known_genres(genres)

    return RawDataset(
        interactions,
        _movies(
            (movie(fields) for _, fields in _plain_rows(files, "u.item", "|", 24)), files.label("u.item")
        ),
        users=_users(files, "u.user", "|", order=(0, 1, 2, 3)),
        fold=_folds(files, interactions),
    )


def read_recbole(files: FileSet) -> RawDataset:
    """Return ML-100K from the copy in the RecBole wheel; its rows stand in the publisher's order."""
    name = "ml-100k.item"

    def movie(fields: list[str]) -> _Row:
        item, title, year, genres = fields
        # The wheel spells the one unknown movie (id 267) "unkonwn", and takes a remark for a year once.
        text = f"{title} ({year})" if year.isdigit() else title.replace("unkonwn", "unknown")
        return item, *titled(text), known_genres(genres.split(" "))

    found = _plain_rows(files, name, "\t", 4, has_header=True)
    return RawDataset(
        _interactions(files, "ml-100k.inter", _RECBOLE_NAMES, has_header=True),
        _movies((movie(fields) for _, fields in found), files.label(name)),
        users=_users(files, "ml-100k.user", "\t", order=(0, 1, 2, 3), has_header=True),
    )


def read_dat_edition(files: FileSet) -> RawDataset:
    """Return ML-1M or ML-10M from ``ratings.dat`` and ``movies.dat``."""
    return _dat(files, _interactions(files, "ratings.dat", _PLAIN_NAMES, delimiter="::"))


def read_first_users(files: FileSet) -> RawDataset:
    """Return users 1 to 2,999 of ML-1M from the publisher's ``ratings.dat`` and ``movies.dat``."""
    every = _interactions(files, "ratings.dat", _PLAIN_NAMES, delimiter="::")
    keep = every.user <= LAST_OF_PART
    columns = {name: getattr(every, name)[keep] for name in ("user", "item", "rating", "timestamp")}
    return _dat(files, replace(every, **columns))


def read_ranked_edition(files: FileSet) -> RawDataset:
    """Return ML-1M from ``ratings_seq.csv``: chronological ranks, timestamps where known."""
    return _dat(
        files, _interactions(files, "ratings_seq.csv", (*_CSV_NAMES, "seq"), delimiter=",", has_header=True)
    )


def read_csv_edition(files: FileSet) -> RawDataset:
    """Return latest-small, ML-20M, ML-25M or ML-32M from ``ratings.csv`` and ``movies.csv``."""
    interactions = _interactions(files, "ratings.csv", _CSV_NAMES, delimiter=",", has_header=True)
    found = _records(files, "movies.csv", ("movieId", "title", "genres"), ids=("movieId",))
    movies = _movies(
        ((row["movieId"], *titled(row["title"]), known_genres(row["genres"].split("|"))) for row in found),
        files.label("movies.csv"),
    )
    tags = None
    if files.has("tags.csv"):
        names = ("userId", "movieId", "tag", "timestamp")
        found = _records(files, "tags.csv", names, ids=("userId", "movieId", "timestamp"))
        tags = _tags([row[name] for name in names] for row in found)
    return RawDataset(interactions, _with_links(movies, files), tags=tags)


def _dat(files: FileSet, interactions: Interactions) -> RawDataset:
    found = _plain_rows(files, "movies.dat", "::", 3)
    movies = _movies(
        ((item, *titled(title), known_genres(genres.split("|"))) for _, (item, title, genres) in found),
        files.label("movies.dat"),
    )
    tags = None
    if files.has("tags.dat"):
        tags = _tags(fields for _, fields in _plain_rows(files, "tags.dat", "::", 4, ids=(0, 1, 3)))
    return RawDataset(
        interactions,
        movies,
        users=_users(files, "users.dat", "::", order=(0, 2, 1, 3), occupations=_OCCUPATIONS),
        tags=tags,
    )


def _interactions(
    files: FileSet, name: str, names: tuple[str, ...], *, delimiter: str = "\t", has_header: bool = False
) -> Interactions:
    """Return the ratings; ``names`` are the columns of user, movie, rating, time, and rank where known."""
    used = dict(zip(_RATING_KINDS, names, strict=False))
    table = Table(
        files.label(name),
        partial(files.open, name),
        delimiter=delimiter,
        names=() if has_header else names,
        is_quoted=delimiter == ",",
    )
    found = table.whole(used, {what: _RATING_KINDS[what] for what in used})
    return Interactions(
        user=found.inside("user", 1, _LARGEST_ID),
        item=found.inside("item", 1, _LARGEST_ID),
        rating=found.inside("rating", 0.5, 5.0),
        timestamp=found.inside("timestamp", 0, _LAST_SECOND, absent=-1 if "rank" in used else None),
        rank=found.inside("rank", 1, _LARGEST_ID).astype(np.int64) if "rank" in used else None,
    )


_Row = tuple[str, str, int, tuple[str, ...]]  # id, title, year, genres


def _movies(found: Iterable[_Row], label: str) -> Movies:
    table = sorted(found, key=lambda row: int(row[0]))
    if not table:
        raise DataError(f"{label}: there is no movie; the file is empty")
    ids, titles, years, genres = zip(*table, strict=True)
    return Movies(ids, titles, years, genres)


def _plain_rows(
    files: FileSet,
    name: str,
    delimiter: str,
    n_fields: int,
    *,
    ids: tuple[int, ...] = (0,),
    has_header: bool = False,
) -> Iterator[tuple[str, list[str]]]:
    """Yield ``file:line`` and the fields of each row without quotes; ``ids`` must be whole numbers."""
    label = files.label(name)
    text = decode(files.read(name), label)
    for number, fields in rows(text, label, delimiter=delimiter, is_quoted=False, n_fields=n_fields):
        if has_header and number == 1:
            continue
        _check_ids(f"{label}:{number}", fields, [fields[i] for i in ids])
        yield f"{label}:{number}", fields


def _records(
    files: FileSet, name: str, needed: tuple[str, ...], *, ids: tuple[str, ...]
) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV by column; the fields ``ids`` must be whole numbers."""
    label = files.label(name)
    for where, row in records(decode(files.read(name), label), label, needed):
        _check_ids(where, list(row.values()), [row[name] for name in ids])
        yield row


def _check_ids(where: str, fields: list[str], ids: list[str]) -> None:
    wrong = next((value for value in ids if not (value.isascii() and value.isdigit())), None)
    if wrong is not None:
        raise DataError(f"{where}: {shorten(wrong)} in {shorten(','.join(fields))} must be a whole number")


def _users(
    files: FileSet,
    name: str,
    delimiter: str,
    *,
    order: tuple[int, int, int, int],
    occupations: tuple[str, ...] = (),
    has_header: bool = False,
) -> Users | None:
    """Return the table with id, age, gender and occupation at the places ``order``; None without the file."""
    if not files.has(name):
        return None
    users = []
    for where, fields in _plain_rows(files, name, delimiter, 5, has_header=has_header):
        user, age, gender, work = (fields[i].strip() for i in order)
        if not age.isdecimal() or int(age) not in _AGES:
            raise DataError(f"{where}: the age is {shorten(age)}; it must lie in {_AGES[0]} to {_AGES[-1]}")
        if occupations:
            if not work.isdecimal() or int(work) >= len(occupations):
                raise DataError(
                    f"{where}: the occupation is {shorten(work)}; it must lie in 0 to {len(occupations) - 1}"
                )
            work = occupations[int(work)]
        users.append((user, int(age), gender, work))
    if not users:
        raise DataError(f"{files.label(name)}: there is no user; the file is empty")
    return Users(*zip(*users, strict=True))


def _tags(found: Iterable[list[str]]) -> TagTable:
    users, items, texts, times = [], [], [], []
    for user, item, text, time in found:
        users.append(user)
        items.append(item)
        texts.append(text.strip())
        times.append(int(time))
    return TagTable(tuple(users), tuple(items), Texts.of(texts), np.array(times, dtype=np.int64))


def _with_links(movies: Movies, files: FileSet) -> Movies:
    """Return ``movies`` with the numbers of other data bases from ``links.csv``, where it is there."""
    if not files.has("links.csv"):
        return movies
    found = _records(files, "links.csv", ("movieId", "imdbId", "tmdbId"), ids=("movieId",))
    links = {row["movieId"]: row for row in found}
    return replace(
        movies,
        imdb_ids=tuple(links[item]["imdbId"] if item in links else "" for item in movies.ids),
        tmdb_ids=tuple(links[item]["tmdbId"] if item in links else "" for item in movies.ids),
    )


def _folds(files: FileSet, interactions: Interactions) -> NDArray[np.int8] | None:
    """Return the fold of each row from ``u1.test`` to ``u5.test``, or None where they are not there."""
    if not all(map(files.has, _FOLD_FILES)):
        return None
    key = interactions.user.astype(np.int64) << 32 | interactions.item
    order = np.argsort(key)
    fold = np.zeros(interactions.n_rows, dtype=np.int8)
    n_rows = 0
    for number, name in enumerate(_FOLD_FILES, start=1):
        rows_of = _interactions(files, name, _PLAIN_NAMES)
        wanted = rows_of.user.astype(np.int64) << 32 | rows_of.item
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
