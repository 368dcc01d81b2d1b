"""Prepared data in a content-addressed cache: made once, opened by memory map.

The name of an entry holds a hash of the config and of the preparation code's version, and
one of the source's contents.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from reeltune.data.cache import cache_lock, prepared_root
from reeltune.data.config import DataConfig
from reeltune.data.datasets import DATASETS
from reeltune.data.locate import Found, Search
from reeltune.data.prepare.credits import find_credits, with_credits
from reeltune.data.prepare.entry import (
    PreparationReport,
    read_catalogue,
    read_ledger,
    read_queries,
    read_sequences,
    write_entry,
)
from reeltune.data.prepare.preparation import PREPARATION
from reeltune.data.prepare.side import SideInformation
from reeltune.data.prepare.side_files import read_side
from reeltune.data.prepare.summary import Summary
from reeltune.data.prepared import Catalogue, HeldOut, TuningData
from reeltune.data.readers.credits import Credits, read_credits
from reeltune.errors import DataError
from reeltune.files import read_json

__all__ = ["is_outdated", "open_held_out", "open_side", "open_summary", "open_tuning", "prepare"]


def prepare(
    config: DataConfig,
    *,
    data_dir: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Path:
    """Return the folder of the prepared data; does the work only when it was not done before.

    Args:
        config: Which data, and how.
        data_dir: Folder or archive to look into first.
        notify: Receives lines of progress and of links that failed.

    Raises:
        DataError: No source works, or the cache cannot be written.
    """
    of_movies = None
    if config.credits is not None:
        of_movies = read_credits(find_credits(config.credits, config.dataset, data_dir, notify))
    search = Search(DATASETS[config.dataset], notify, data_dir=data_dir, own=config.own_layout())
    key = [config.protocol(), PREPARATION, *([] if of_movies is None else [of_movies.sha256])]
    stem = f"{config.dataset}-{_short_hash(json.dumps(key, sort_keys=True))}"
    entry = _from_sources(search, search.given(), stem, config, of_movies=of_movies, notify=notify)
    if entry is None and config.path is None:
        entry = _prepared_before(search, stem, config)
    if entry is None:
        entry = _from_sources(search, search.offered(), stem, config, of_movies=of_movies, notify=notify)
    if entry is None:
        raise search.error()
    return entry


def _prepared_before(search: Search, stem: str, config: DataConfig) -> Path | None:
    """Return an entry made earlier from any source: the contents of each were checked then."""
    entries = sorted(prepared_root().glob(f"{stem}-*"))
    if len(entries) > 1 and DATASETS[config.dataset].n_rows is None:
        search.failed(
            f"{len(entries)} different sources of {config.dataset} are prepared; say which with --data-dir"
        )
        return None
    if entries:
        search.report()
    return next(iter(entries), None)


def _from_sources(
    search: Search,
    sources: Iterator[Found],
    stem: str,
    config: DataConfig,
    *,
    of_movies: Credits | None,
    notify: Callable[[str], None],
) -> Path | None:
    """Return the entry made from the first source that can be read, or None."""
    for found in sources:
        entry = prepared_root() / f"{stem}-{_short_hash(found.identity)}"
        if entry.is_dir():
            search.report()
            return entry
        with cache_lock(entry.name, notify):
            if entry.is_dir():
                search.report()
                return entry
            try:
                raw = found.read().without_bad_rows(config.on_bad_rows)
            except DataError as error:
                search.failed(str(error))
                continue
            if of_movies is not None:
                raw = with_credits(raw, of_movies)
            search.report()
            notify(f"preparing {config.dataset} from {found.origin}")
            write_entry(entry, raw, config, origin=found.origin)
        return entry
    return None


def open_tuning(directory: Path) -> TuningData:
    """Return training and validation data of a prepared folder, memory-mapped.

    Raises:
        DataError: The folder is absent or damaged.
    """
    try:
        folder = directory / "tuning"
        train = read_sequences(folder, "train")
        (directory / "catalogue.json").stat()  # an entry without is told here, not when titles are asked for
        return TuningData(
            train=train,
            validation=read_queries(
                folder, "validation", read_sequences(folder, "validation", otherwise=train)
            ),
            ledger=read_ledger(directory),
            directory=directory,
            open_catalogue=partial(_open_catalogue, directory),
        )
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(directory, error) from error


def _open_catalogue(directory: Path) -> Catalogue:
    try:
        return read_catalogue(directory)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(directory, error) from error


def open_held_out(directory: Path) -> HeldOut:
    """Return the test queries of a prepared folder; for ``evaluation.final`` only.

    Raises:
        DataError: The folder is absent or damaged.
    """
    try:
        sequences = read_sequences(directory / "held_out", "test")
        test = read_queries(directory / "held_out", "test", sequences)
        return HeldOut(test=test, ledger=read_ledger(directory))
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(directory, error) from error


def open_side(directory: Path) -> SideInformation:
    """Return what the source tells about the users and movies of a prepared folder.

    Raises:
        DataError: The folder is absent or damaged.
    """
    try:
        return read_side(directory)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(directory, error) from error


def open_summary(directory: Path) -> tuple[PreparationReport, Summary]:
    """Return what preparation read and left out, and the figures of what it kept.

    Raises:
        DataError: The folder is absent or damaged.
    """
    try:
        return (
            PreparationReport(**read_json(directory / "report.json")),
            Summary(**read_json(directory / "summary.json")),
        )
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(directory, error) from error


def is_outdated(directory: Path) -> bool:
    """Return whether no version-``PREPARATION`` preparation would read the entry."""
    try:
        return read_ledger(directory).preparation != PREPARATION
    except (OSError, ValueError):
        return True


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _damaged(directory: Path, error: Exception) -> DataError:
    first = str(error).splitlines()[0]
    return DataError(
        f"{directory} is not a whole prepared data set ({first}); remove it and run `reeltune data prepare`"
    )
