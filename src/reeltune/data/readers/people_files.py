"""Readers of files that tell directors, actors and keywords of movies.

One of these is found by its contents:

* a CSV, plain or gzipped, with a row a movie: ``movieId`` or ``item``, and any of ``directors``, ``actors``,
  ``plot_keywords``; lists are joined by a vertical bar;
* an archive with the knowledge graph of ML-100K in RecBole's form, ``ml-100k.kg`` and ``ml-100k.link``
  (people are Freebase ids there);
* the source package of scikit-fusion 0.2.1: casts by MovieLens' ``movieId``;
* ``movies_extrainfos.dat`` of MeLU, or an archive of it: directors, actors and plots of ML-1M;
* an archive of HetRec 2011 (MovieLens + IMDb/Rotten Tomatoes), ``movie_directors.dat`` and, where it is
  there, ``movie_actors.dat``;
* ``movie_metadata.csv``, the table of 5,000 movies of IMDb, or an archive of it: joined by the IMDb numbers.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reeltune.data.readers.delimited import shorten
from reeltune.errors import DataError
from reeltune.files import sha256_file

__all__ = ["PeopleTable", "read_people"]

_ID_COLUMNS = ("movieId", "item")
_LIST_COLUMNS = {"directors": "directors", "actors": "actors", "plot_keywords": "keywords"}
_RELATIONS = {"film.film.directed_by": "directors", "film.film.actor": "actors"}
_IMDB_NUMBER = re.compile(r"/title/tt0*(\d+)")
_IMDB_ACTORS = ("actor_1_name", "actor_2_name", "actor_3_name")

_Lists = Mapping[str, tuple[str, ...]]
_Files = Mapping[str, Callable[[], bytes]]  # by plain name


@dataclass(frozen=True)
class PeopleTable:
    """Names by movie id; a movie without any is absent."""

    sha256: str  # of the file
    directors: _Lists
    actors: _Lists
    keywords: _Lists = field(default_factory=dict)  # words or whole plots
    is_by_imdb: bool = False  # ids are IMDb numbers without leading zeros, not the data set's own


def read_people(path: Path) -> PeopleTable:
    """Return the people in the file ``path``.

    Raises:
        DataError: The file cannot be read, or is of no known form; the message names the line.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if not name.endswith("/")]
                inside = {Path(n).name: lambda n=n: archive.read(n) for n in names}
                return _of_archive(path, inside)
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                members = {Path(m.name).name: m for m in tar.getmembers() if m.isfile()}
                return _of_archive(path, {name: _member(tar, m) for name, m in members.items()})
        return _of_file(path, path.name, path.read_bytes())
    except (OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        file = tar.extractfile(member)
        return b"" if file is None else file.read()

    return read


def _of_archive(path: Path, files: _Files) -> PeopleTable:
    if {"ml-100k.kg", "ml-100k.link"} <= set(files):
        return _of_graph(path, files)
    if "movie_directors.dat" in files:
        return _of_hetrec(path, files)
    for name in ("movies_extrainfos.dat", "movie_metadata.csv", "actors.csv.gz"):
        if name in files:
            return _of_file(path, name, files[name]())
    raise DataError(
        f"{path} holds no table of people: ml-100k.kg with ml-100k.link, movie_directors.dat, "
        "movies_extrainfos.dat, movie_metadata.csv or actors.csv.gz is needed"
    )


def _of_file(path: Path, name: str, data: bytes) -> PeopleTable:
    data = gzip.decompress(data) if name.endswith(".gz") else data
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}:{line}: byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from error
    if name.endswith(".dat"):
        return _of_extra_infos(path, text)
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    twice = [column for column in header if header.count(column) > 1]
    if twice:
        raise DataError(f"{path}:1: the column {twice[0]!r} is there {header.count(twice[0])} times")
    if "movie_imdb_link" in header:
        return _of_imdb_table(path, header, reader)
    return _of_lists(path, header, reader)


def _of_lists(path: Path, header: list[str], reader: Iterator[list[str]]) -> PeopleTable:
    known = [name for name in _LIST_COLUMNS if name in header]
    id_column = next((name for name in _ID_COLUMNS if name in header), None)
    if id_column is None or not known:
        raise DataError(
            f"{path}:1: the header is {shorten(','.join(header))}; it must hold movieId, and directors, "
            "actors or plot_keywords"
        )
    lists: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in _LIST_COLUMNS.values()}
    for fields in _table_rows(path, header, reader):
        for name in known:
            names = tuple(part.strip() for part in fields[name].split("|") if part.strip())
            if names:
                lists[_LIST_COLUMNS[name]][fields[id_column].strip()] = names
    return _table(sha256_file(path), lists)


def _of_imdb_table(path: Path, header: list[str], reader: Iterator[list[str]]) -> PeopleTable:
    missing = [name for name in ("director_name", *_IMDB_ACTORS, "plot_keywords") if name not in header]
    if missing:
        raise DataError(f"{path}:1: there is no column {missing[0]!r}; the table is not IMDb's 5,000 movies")
    lists: dict[str, dict[str, tuple[str, ...]]] = {"directors": {}, "actors": {}, "keywords": {}}
    for fields in _table_rows(path, header, reader):
        number = _IMDB_NUMBER.search(fields["movie_imdb_link"])
        if number is None:
            raise DataError(f"{path}: {shorten(fields['movie_imdb_link'])} is no link to a movie of IMDb")
        found = {
            "directors": [fields["director_name"]],
            "actors": [fields[name] for name in _IMDB_ACTORS],
            "keywords": fields["plot_keywords"].split("|"),
        }
        for kind, names in found.items():
            kept = tuple(name.strip() for name in names if name.strip())
            if kept:
                lists[kind][number[1]] = kept
    return _table(sha256_file(path), lists, is_by_imdb=True)


def _of_extra_infos(path: Path, text: str) -> PeopleTable:
    lists: dict[str, dict[str, tuple[str, ...]]] = {"directors": {}, "actors": {}, "keywords": {}}
    for fields in _parted(path, text, "::", 11):
        for kind, names in (("directors", fields[6]), ("actors", fields[8])):
            kept = tuple(name.strip() for name in names.split(",") if name.strip() not in {"", "N/A"})
            if kept:
                lists[kind][fields[0]] = kept
        if fields[9].strip() not in {"", "N/A"}:
            lists["keywords"][fields[0]] = (fields[9].strip(),)
    return _table(sha256_file(path), lists)


def _of_hetrec(path: Path, files: _Files) -> PeopleTable:
    def names(name: str, n_fields: int) -> _Lists:
        lists: defaultdict[str, list[str]] = defaultdict(list)
        if name in files:
            rows = _parted(Path(f"{path}/{name}"), files[name]().decode("latin-1"), "\t", n_fields)
            for fields in list(rows)[1:]:
                lists[fields[0]].append(fields[2].strip())
        return {item: tuple(of) for item, of in lists.items()}

    return PeopleTable(sha256_file(path), names("movie_directors.dat", 3), names("movie_actors.dat", 4))


def _of_graph(path: Path, files: _Files) -> PeopleTable:
    kg, link = (files[name]() for name in ("ml-100k.kg", "ml-100k.link"))
    movie = {
        entity: item
        for item, entity in list(_parted(path, link.decode("utf-8"), "\t", 2, "ml-100k.link"))[1:]
    }
    edges: dict[str, defaultdict[str, set[str]]] = {name: defaultdict(set) for name in _RELATIONS.values()}
    for head, relation, tail in list(_parted(path, kg.decode("utf-8"), "\t", 3, "ml-100k.kg"))[1:]:
        if relation in _RELATIONS and head in movie:
            edges[_RELATIONS[relation]][movie[head]].add(tail)
    digests = " ".join(hashlib.sha256(data).hexdigest() for data in (kg, link))
    lists = {name: {item: tuple(sorted(of)) for item, of in rows.items()} for name, rows in edges.items()}
    return _table(hashlib.sha256(digests.encode()).hexdigest(), lists)


def _table(digest: str, lists: Mapping[str, _Lists], *, is_by_imdb: bool = False) -> PeopleTable:
    directors, actors = lists["directors"], lists["actors"]
    return PeopleTable(digest, directors, actors, lists.get("keywords", {}), is_by_imdb)


def _table_rows(path: Path, header: list[str], reader: Iterator[list[str]]) -> Iterator[dict[str, str]]:
    for number, fields in enumerate(reader, start=2):
        if len(fields) != len(header):
            raise DataError(
                f"{path}:{getattr(reader, 'line_num', number)}: {len(fields)} fields in "
                f"{shorten(','.join(fields))}; the header has {len(header)}"
            )
        yield dict(zip(header, fields, strict=True))


def _parted(path: Path, text: str, delimiter: str, n_fields: int, name: str = "") -> Iterator[list[str]]:
    label = f"{path}/{name}" if name else str(path)
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.rstrip("\r").split(delimiter)
        if not line.strip():
            continue
        if len(fields) != n_fields:
            raise DataError(
                f"{label}:{number}: {shorten(line)} has not {n_fields} fields parted by {delimiter!r}"
            )
        yield fields
