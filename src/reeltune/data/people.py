"""Directors, actors and keywords of the movies, from a file beside the ratings.

Two forms are read: a CSV with a row a movie (``movieId`` or ``item``, ``directors``, ``actors``, and
where they are known ``plot_keywords``; lists are joined by a vertical bar), and an archive with the
knowledge graph of ML-100K in RecBole's form (``ml-100k.kg`` and ``ml-100k.link``; people are Freebase
ids there).
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reeltune.data.cache import cache_lock, sources_root
from reeltune.data.datasets import DATASETS
from reeltune.data.delimited import shorten
from reeltune.data.download import fetch_package
from reeltune.data.interactions import Movies, RawDataset
from reeltune.data.sources import FileSet, Layout, find_file_sets
from reeltune.errors import DataError
from reeltune.files import sha256_file

__all__ = ["PACKAGE", "People", "find_people", "read_people", "with_people"]

PACKAGE = "package"
"""Stands for the package that carries the data set, instead of a path."""
_ID_COLUMNS = ("movieId", "item")
_KG, _LINK = "ml-100k.kg", "ml-100k.link"
_RELATIONS = {"film.film.directed_by": "directors", "film.film.actor": "actors"}

_Lists = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class People:
    """Names by the data set's own movie id; a movie without any is absent."""

    sha256: str  # of the file
    directors: _Lists
    actors: _Lists
    keywords: _Lists


def find_people(
    named: str, dataset: str, data_dir: Path | None, notify: Callable[[str], None] = lambda _: None
) -> Path:
    """Return the file that ``named`` means.

    A path is looked for as it is, in ``data_dir`` and in the folder that ``REELTUNE_DATA`` names.

    Raises:
        DataError: There is no such file, or the package cannot be fetched.
    """
    if named == PACKAGE:
        return _package(dataset, notify)
    folders = [Path(), *([data_dir] if data_dir else [])]
    if os.environ.get("REELTUNE_DATA"):
        folders.append(Path(os.environ["REELTUNE_DATA"]).expanduser())
    for folder in folders:
        if (folder / named).is_file():
            return folder / named
    looked = ", ".join(str(folder.absolute()) for folder in folders)
    raise DataError(f"data.people: there is no file {named!r} in {looked}; give its folder with --data-dir")


def _package(dataset: str, notify: Callable[[str], None]) -> Path:
    entry = DATASETS[dataset]
    if entry.package is None:
        raise DataError(f"data.people: no package carries {dataset}; name a CSV file of people instead")
    target = sources_root() / entry.folder / f"{entry.package.name}-{entry.package.version}.whl"
    if not target.is_file():
        notify(f"fetching the people of {dataset} in the package {entry.package.name} (not installed)")
        with cache_lock(entry.folder, notify):
            fetch_package(entry.package, target)
    return target


def read_people(path: Path) -> People:
    """Return the people in the file ``path``.

    Raises:
        DataError: The file cannot be read, or is of neither form; the message names the line.
    """
    try:
        if path.suffix in {".whl", ".zip"}:
            return _read_graph(path)
        return _read_csv(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def with_people(raw: RawDataset, people: People) -> RawDataset:
    """Return ``raw`` with the people put to its movies; keywords go behind the plots.

    What ``people`` does not know of a movie is left as the source tells it.
    """
    movies = raw.movies
    if movies is None:
        ids = tuple(sorted({*people.directors, *people.actors, *people.keywords}))
        movies = Movies(ids, ids, (0,) * len(ids), ((),) * len(ids))
    none: tuple[tuple[str, ...], ...] = ((),) * len(movies.ids)
    plots = movies.plots or ("",) * len(movies.ids)
    told = zip(movies.ids, movies.directors or none, movies.actors or none, plots, strict=True)
    rows = [
        (
            people.directors.get(item, directors),
            people.actors.get(item, actors),
            " ".join([plot, *people.keywords.get(item, ())]).strip(),
        )
        for item, directors, actors, plot in told
    ]
    directors, actors, described = zip(*rows, strict=True)
    known = replace(movies, directors=directors, actors=actors, plots=described)
    return replace(raw, movies=known, people_sha256=people.sha256)


def _read_csv(path: Path) -> People:
    reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    header = next(reader, [])
    id_column = next((name for name in _ID_COLUMNS if name in header), None)
    if id_column is None or not {"directors", "actors"} <= set(header):
        raise DataError(
            f"{path}:1: the header is {shorten(','.join(header))}; it must hold movieId, directors and actors"
        )
    place = {name: header.index(name) for name in header}
    columns: dict[str, dict[str, tuple[str, ...]]] = {"directors": {}, "actors": {}, "plot_keywords": {}}
    for fields in reader:
        if len(fields) != len(header):
            raise DataError(
                f"{path}:{reader.line_num}: {len(fields)} fields in {shorten(','.join(fields))}; "
                f"the header has {len(header)}"
            )
        for name, column in columns.items():
            names = [part.strip() for part in fields[place[name]].split("|")] if name in place else []
            if any(names):
                column[fields[place[id_column]].strip()] = tuple(filter(None, names))
    return People(sha256_file(path), columns["directors"], columns["actors"], columns["plot_keywords"])


def _read_graph(path: Path) -> People:
    layout = Layout("knowledge graph", (_KG, _LINK), lambda _: _no_ratings(path))
    found = next(find_file_sets(path, (), (layout,), lambda _: None), None)
    if found is None:
        raise DataError(f"{path} holds no {_KG} with {_LINK}; name a CSV file or the RecBole wheel")
    files = found[1]
    movie = {entity: item for item, entity in _rows(files, _LINK, 2)}
    edges: dict[str, defaultdict[str, list[str]]] = {name: defaultdict(list) for name in _RELATIONS.values()}
    for head, relation, tail in _rows(files, _KG, 3):
        if relation in _RELATIONS and head in movie:
            edges[_RELATIONS[relation]][movie[head]].append(tail)
    digest = hashlib.sha256(f"{files.sha256(_KG)} {files.sha256(_LINK)}".encode()).hexdigest()
    lists = {
        name: {item: tuple(sorted(set(of))) for item, of in rows.items()} for name, rows in edges.items()
    }
    return People(digest, lists["directors"], lists["actors"], {})


def _rows(files: FileSet, name: str, n_fields: int) -> list[list[str]]:
    lines = files.read(name).decode("utf-8").split("\n")[1:]
    rows = [line.rstrip("\r").split("\t") for line in lines if line.strip()]
    for number, fields in enumerate(rows, start=2):
        if len(fields) != n_fields:
            raise DataError(
                f"{files.label(name)}:{number}: {shorten(' '.join(fields))} has not {n_fields} fields"
            )
    return rows


def _no_ratings(path: Path) -> RawDataset:
    raise DataError(f"{path} is read for its people only")
