"""Directors, actors and keywords put to the movies of a source.

The file is the user's own or comes from a package in the registry; the forms are those of
:mod:`reeltune.data.readers.people_files`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from reeltune.data.datasets import DATASETS
from reeltune.data.download import package_archive
from reeltune.data.interactions import Movies, RawDataset
from reeltune.data.readers.people_files import PeopleTable
from reeltune.errors import ConfigError, DataError

__all__ = ["PACKAGE", "find_people", "with_people"]

PACKAGE = "package"
"""Stands for the package that carries people of the data set, instead of a path."""


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
        if (folder / named).is_dir():
            raise DataError(f"data.people: {folder / named} is a folder; name the file in it")
    looked = ", ".join(str(folder.absolute()) for folder in folders)
    raise DataError(f"data.people: there is no file {named!r} in {looked}; give its folder with --data-dir")


def _package(dataset: str, notify: Callable[[str], None]) -> Path:
    entry = DATASETS[dataset]
    package = entry.people_package
    if package is None:
        raise DataError(f"data.people: no package carries {dataset}; name a file of people instead")
    return package_archive(package, entry.folder, f"the people of {dataset}", notify)


def with_people(raw: RawDataset, people: PeopleTable) -> RawDataset:
    """Return ``raw`` with the people put to its movies; keywords go behind the plots.

    What ``people`` does not know of a movie is left as the source tells it.

    Raises:
        ConfigError: The people go by IMDb's numbers, and the source has none.
    """
    movies = raw.movies
    if people.is_by_imdb and (movies is None or not movies.imdb_ids):
        raise ConfigError(
            "data.people: the file goes by IMDb's numbers, which the data set's movies do not have; "
            "links.csv beside the ratings tells them"
        )
    if movies is None:
        ids = tuple(sorted({*people.directors, *people.actors, *people.keywords}))
        movies = Movies(ids, ids, (0,) * len(ids), ((),) * len(ids))
    none: tuple[tuple[str, ...], ...] = ((),) * len(movies.ids)
    plots = movies.plots or ("",) * len(movies.ids)
    keys = [number.lstrip("0") for number in movies.imdb_ids] if people.is_by_imdb else movies.ids
    told = zip(keys, movies.directors or none, movies.actors or none, plots, strict=True)
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
