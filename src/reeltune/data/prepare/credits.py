"""Directors, actors and keywords joined to the movies of a source.

The file is the user's own or comes from a package in the registry; the forms are those of
:mod:`reeltune.data.readers.credits`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from reeltune.data.interactions import Movies, RawDataset
from reeltune.data.readers.credits import Credits
from reeltune.data.sources.datasets import DATASETS
from reeltune.data.sources.download import package_archive
from reeltune.data.sources.locate import given_folders
from reeltune.errors import ConfigError, DataError

PACKAGE = "package"
"""Stands for the package that carries credits of the data set, instead of a path."""


def find_credits(
    named: str, dataset: str, data_dir: Path | None, notify: Callable[[str], None] = lambda _: None
) -> Path:
    """Return the file that ``named`` means.

    A path is looked for as it is, in ``data_dir`` and in the folder that ``REELTUNE_DATA`` names.
    """
    if named == PACKAGE:
        known = DATASETS[dataset]
        if known.credits_package is None:
            raise DataError(f"data.credits: no package carries {dataset}; name a file of credits instead")
        return package_archive(known.credits_package, known.folder, f"the credits of {dataset}", notify)
    folders = [Path(), *given_folders(data_dir)]
    for folder in folders:
        if (folder / named).is_file():
            return folder / named
        if (folder / named).is_dir():
            raise DataError(f"data.credits: {folder / named} is a folder; name the file in it")
    looked = ", ".join(str(folder.absolute()) for folder in folders)
    raise DataError(f"data.credits: there is no file {named!r} in {looked}; give its folder with --data-dir")


def with_credits(raw: RawDataset, found: Credits) -> RawDataset:
    """Return ``raw`` with the credits of its movies; keywords go behind the plots.

    What ``found`` does not know of a movie is left as the source has it.
    """
    movies = raw.movies
    if found.is_by_imdb and (movies is None or not movies.imdb_ids):
        raise ConfigError(
            "data.credits: the file goes by IMDb's numbers, which the data set's movies do not have; "
            "links.csv beside the ratings holds them"
        )
    if movies is None:
        ids = tuple(sorted({*found.directors, *found.actors, *found.keywords}))
        movies = Movies(ids, ids, (0,) * len(ids), ((),) * len(ids))
    none: tuple[tuple[str, ...], ...] = ((),) * len(movies.ids)
    plots = movies.plots or ("",) * len(movies.ids)
    keys = [number.lstrip("0") for number in movies.imdb_ids] if found.is_by_imdb else list(movies.ids)
    of_source = zip(keys, movies.directors or none, movies.actors or none, strict=True)
    known = [(found.directors.get(key, d), found.actors.get(key, a)) for key, d, a in of_source]
    words = [
        " ".join([plot, *found.keywords.get(key, ())]).strip() for key, plot in zip(keys, plots, strict=True)
    ]
    directors, actors = zip(*known, strict=True)
    full = replace(movies, directors=directors, actors=actors, plots=tuple(words))
    return replace(raw, movies=full, credits_sha256=found.sha256)
