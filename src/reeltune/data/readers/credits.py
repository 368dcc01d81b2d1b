"""Readers of files that give directors, actors and keywords of movies.

One of these is found by its contents:

* a CSV, plain or gzipped, with a row a movie: ``movieId`` or ``item``, and any of ``directors``, ``actors``,
  ``plot_keywords``; lists are joined by a vertical bar;
* an archive with the knowledge graph of ML-100K in RecBole's form, ``ml-100k.kg`` and ``ml-100k.link``
  (names are Freebase ids there);
* the source package of scikit-fusion 0.2.1: casts by MovieLens' ``movieId``;
* ``movies_extrainfos.dat`` of MeLU, or an archive of it: directors, actors and plots of ML-1M;
* an archive of HetRec 2011 (MovieLens + IMDb/Rotten Tomatoes), ``movie_directors.dat`` and, where it is
  there, ``movie_actors.dat``;
* ``movie_metadata.csv``, the table of 5,000 movies of IMDb, or an archive of it: joined by the IMDb numbers.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from reeltune.data.readers.delimited import decode, records, rows, shorten
from reeltune.data.sources.source import readable
from reeltune.errors import DataError
from reeltune.files import sha256_file

_ID_COLUMNS = ("movieId", "item")
_LIST_COLUMNS = {"directors": "directors", "actors": "actors", "plot_keywords": "keywords"}
_RELATIONS = {"film.film.directed_by": "directors", "film.film.actor": "actors"}
_IMDB_NUMBER = re.compile(r"/title/tt0*(\d+)")
_IMDB_ACTORS = ("actor_1_name", "actor_2_name", "actor_3_name")

_Lists = Mapping[str, tuple[str, ...]]
_Files = Mapping[str, Callable[[], bytes]]  # by plain name


@dataclass(frozen=True)
class Credits:
    """Names by movie id; a movie without any is absent."""

    sha256: str  # of the file
    directors: _Lists
    actors: _Lists
    keywords: _Lists = field(default_factory=dict)  # words or whole plots
    is_by_imdb: bool = False  # ids are IMDb numbers without leading zeros, not the data set's own


def read_credits(path: Path) -> Credits:
    """Return the cast and crew in the file ``path``."""
    with readable(str(path)):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if not name.endswith("/")]
                return _of_archive(path, {Path(n).name: partial(archive.read, n) for n in names})
        try:
            if tarfile.is_tarfile(path):
                with tarfile.open(path) as tar:
                    members = {Path(m.name).name: m for m in tar.getmembers() if m.isfile()}
                    return _of_archive(path, {name: _member(tar, m) for name, m in members.items()})
        except tarfile.TarError as error:
            raise DataError(f"cannot read {path}: {error}") from error
        return _of_file(path, path.name, path.read_bytes())


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        file = tar.extractfile(member)
        return b"" if file is None else file.read()

    return read


def _of_archive(path: Path, files: _Files) -> Credits:
    if {"ml-100k.kg", "ml-100k.link"} <= set(files):
        return _of_graph(path, files)
    if "movie_directors.dat" in files:
        return _of_hetrec(path, files)
    for name in ("movies_extrainfos.dat", "movie_metadata.csv", "actors.csv.gz"):
        if name in files:
            return _of_file(path, name, files[name]())
    raise DataError(
        f"{path} holds no credits: ml-100k.kg with ml-100k.link, movie_directors.dat, "
        "movies_extrainfos.dat, movie_metadata.csv or actors.csv.gz is needed"
    )


def _of_file(path: Path, name: str, data: bytes) -> Credits:
    text = decode(gzip.decompress(data) if name.endswith(".gz") else data, str(path), "utf-8")
    if name.endswith(".dat"):
        return _table(path, _extra_infos(path, text))
    header = next(rows(text, str(path)), (1, list[str]()))[1]
    if "movie_imdb_link" in header:
        return _table(path, _imdb_table(path, text), is_by_imdb=True)
    known = [name for name in _LIST_COLUMNS if name in header]
    item = next((name for name in _ID_COLUMNS if name in header), None)
    if item is None or not known:
        raise DataError(
            f"{path}:1: the header is {shorten(','.join(header))}; it must hold movieId, and directors, "
            "actors or plot_keywords"
        )
    found = records(text, str(path), (item,))
    return _table(path, ((r[item], _LIST_COLUMNS[n], r[n].split("|")) for _, r in found for n in known))


def _table(
    path: Path, found: Iterable[tuple[str, str, Iterable[str]]], *, is_by_imdb: bool = False
) -> Credits:
    """Return the credits of (movie, kind, names); of several rows of one movie and kind the last counts."""
    lists: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in _LIST_COLUMNS.values()}
    for item, kind, names in found:
        kept = tuple(name.strip() for name in names if name.strip())
        if kept:
            lists[kind][item] = kept
    return Credits(sha256_file(path), **lists, is_by_imdb=is_by_imdb)


def _imdb_table(path: Path, text: str) -> Iterator[tuple[str, str, Iterable[str]]]:
    for where, row in records(text, str(path), ("director_name", *_IMDB_ACTORS, "plot_keywords")):
        number = _IMDB_NUMBER.search(row["movie_imdb_link"])
        if number is None:
            raise DataError(f"{where}: {shorten(row['movie_imdb_link'])} is no link to a movie of IMDb")
        yield number[1], "directors", [row["director_name"]]
        yield number[1], "actors", [row[name] for name in _IMDB_ACTORS]
        yield number[1], "keywords", row["plot_keywords"].split("|")


def _extra_infos(path: Path, text: str) -> Iterator[tuple[str, str, Iterable[str]]]:
    for fields in _plain_rows(text, str(path), "::", 11):
        for kind, names in (("directors", fields[6].split(",")), ("actors", fields[8].split(","))):
            yield fields[0], kind, [name for name in names if name.strip() != "N/A"]
        yield fields[0], "keywords", [fields[9]] if fields[9].strip() != "N/A" else []


def _of_hetrec(path: Path, files: _Files) -> Credits:
    def names(name: str, n_fields: int) -> _Lists:
        lists: defaultdict[str, list[str]] = defaultdict(list)
        if name in files:
            text = decode(files[name](), f"{path}/{name}", "latin-1")
            for fields in list(_plain_rows(text, f"{path}/{name}", "\t", n_fields))[1:]:
                lists[fields[0]].append(fields[2].strip())
        return {item: tuple(of) for item, of in lists.items()}

    return Credits(sha256_file(path), names("movie_directors.dat", 3), names("movie_actors.dat", 4))


def _of_graph(path: Path, files: _Files) -> Credits:
    data = {name: files[name]() for name in ("ml-100k.kg", "ml-100k.link")}
    kg, link = (
        list(_plain_rows(decode(data[name], f"{path}/{name}", "utf-8"), f"{path}/{name}", "\t", n_fields))[1:]
        for name, n_fields in (("ml-100k.kg", 3), ("ml-100k.link", 2))
    )
    movie = {entity: item for item, entity in link}
    edges: dict[str, defaultdict[str, set[str]]] = {name: defaultdict(set) for name in _RELATIONS.values()}
    for head, relation, tail in kg:
        if relation in _RELATIONS and head in movie:
            edges[_RELATIONS[relation]][movie[head]].add(tail)
    lists = {name: {item: tuple(sorted(of)) for item, of in found.items()} for name, found in edges.items()}
    digests = " ".join(hashlib.sha256(each).hexdigest() for each in data.values())
    return Credits(hashlib.sha256(digests.encode()).hexdigest(), lists["directors"], lists["actors"])


def _plain_rows(text: str, label: str, delimiter: str, n_fields: int) -> Iterator[list[str]]:
    found = rows(text, label, delimiter=delimiter, is_quoted=False, n_fields=n_fields)
    return (fields for _, fields in found)
