"""Datasets on disk: prepared once, kept in a content-addressed cache, opened by memory map.

The name of a dataset's folder holds a hash of the config and of the preparation code's version, and one of
the source's contents. It is written under another name and renamed, so it is whole or absent. Its files are
those of :mod:`reeltune.data.disk`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from reeltune.data.config import DataConfig
from reeltune.data.disk import load, read_catalogue, tuples, write_files
from reeltune.data.interactions import RawDataset, Users
from reeltune.data.prepare.credits import find_credits, with_credits
from reeltune.data.prepare.dataset import PreparationReport, prepare_dataset
from reeltune.data.prepare.preparation import PREPARATION
from reeltune.data.prepare.side import Details, SideInformation, Tags
from reeltune.data.prepare.summary import Summary
from reeltune.data.prepared import HeldOut, Ledger, Queries, Sequences, TuningData
from reeltune.data.readers.credits import Credits, read_credits
from reeltune.data.sources.cache import cache_error, cache_lock, prepared_root
from reeltune.data.sources.datasets import DATASETS
from reeltune.data.sources.locate import Found, Search
from reeltune.errors import DataError
from reeltune.files import read_json

T = TypeVar("T")


def prepare(
    config: DataConfig,
    *,
    data_dir: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Path:
    """Return the folder of the prepared data; does the work only when it was not done before."""
    of_movies = None
    if config.credits is not None:
        of_movies = read_credits(find_credits(config.credits, config.dataset, data_dir, notify))
    search = Search(DATASETS[config.dataset], notify, data_dir=data_dir, own=config.own_layout())
    key = [config.protocol(), PREPARATION, *([] if of_movies is None else [of_movies.sha256])]
    stem = f"{config.dataset}-{_short_hash(json.dumps(key, sort_keys=True))}"
    folder = _from_sources(search, search.given(), stem, config, of_movies=of_movies, notify=notify)
    if folder is None and config.path is None:
        folder = _prepared_before(search, stem, config)
    if folder is None:
        folder = _from_sources(search, search.offered(), stem, config, of_movies=of_movies, notify=notify)
    if folder is None:
        raise search.error()
    return folder


def _prepared_before(search: Search, stem: str, config: DataConfig) -> Path | None:
    """Return a dataset made earlier from any source: the contents of each were checked then."""
    found = sorted(prepared_root().glob(f"{stem}-*"))
    if len(found) > 1 and DATASETS[config.dataset].n_rows is None:
        search.failed(
            f"{len(found)} different sources of {config.dataset} are prepared; say which with --data-dir"
        )
        return None
    if found:
        search.report()
    return next(iter(found), None)


def _from_sources(
    search: Search,
    sources: Iterator[Found],
    stem: str,
    config: DataConfig,
    *,
    of_movies: Credits | None,
    notify: Callable[[str], None],
) -> Path | None:
    """Return the dataset made from the first source that can be read, or None."""
    for found in sources:
        folder = prepared_root() / f"{stem}-{_short_hash(found.identity)}"
        if folder.is_dir():
            search.report()
            return folder
        with cache_lock(folder.name, notify):
            if folder.is_dir():
                search.report()
                return folder
            try:
                raw = found.read().without_bad_rows(config.on_bad_rows)
            except DataError as error:
                search.failed(str(error))
                continue
            if of_movies is not None:
                raw = with_credits(raw, of_movies)
            search.report()
            notify(f"preparing {config.dataset} from {found.origin}")
            write_dataset(folder, raw, config, origin=found.origin)
        return folder
    return None


def find_prepared(ledger: Ledger) -> Path | None:
    """Return the cached dataset with the ledger of a study or bundle, or None where there is none."""
    for folder in sorted(prepared_root().glob(f"{ledger.dataset}-*/")):
        with contextlib.suppress(DataError):  # one of an older version, or in work
            if not ledger.differences(_read_ledger(folder)):
                return folder
    return None


def is_outdated(folder: Path) -> bool:
    """Return whether no preparation of the version ``PREPARATION`` would read the dataset."""
    try:
        return _read_ledger(folder).preparation != PREPARATION
    except DataError:
        return True


def write_dataset(folder: Path, raw: RawDataset, config: DataConfig, *, origin: str = "given rows") -> None:
    """Prepare ``raw`` and write it as ``folder``, atomically."""
    dataset = prepare_dataset(raw, config, origin=origin)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir(parents=True)
        try:
            write_files(part, dataset)
            for file in part.rglob("*.*"):
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
            part.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first: its dataset is as good
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise cache_error(error) from error


def open_tuning(folder: Path) -> TuningData:
    """Return training and validation data of a prepared folder, memory-mapped."""
    ledger = _read_ledger(folder)

    def read() -> TuningData:
        train = histories = load(folder / "tuning", "train", Sequences)
        if (folder / "tuning" / "validation.items.npy").exists():
            histories = load(folder / "tuning", "validation", Sequences)
        (folder / "catalogue.json").stat()  # one without is reported here, not when titles are asked for
        return TuningData(
            train=train,
            validation=_load_queries(folder / "tuning", "validation", histories, ledger),
            ledger=ledger,
            directory=folder,
            open_catalogue=lambda: _whole(folder, lambda: read_catalogue(folder)),
        )

    return _whole(folder, read)


def open_held_out(folder: Path) -> HeldOut:
    """Return the test queries of a prepared folder; for ``evaluation.final`` only."""
    ledger = _read_ledger(folder)

    def read() -> HeldOut:
        histories = load(folder / "held_out", "test", Sequences)
        return HeldOut(_load_queries(folder / "held_out", "test", histories, ledger), ledger)

    return _whole(folder, read)


def open_side(folder: Path) -> SideInformation:
    """Return what the source knows of the users and movies of a prepared folder."""
    side = folder / "side"

    def read() -> SideInformation:
        return SideInformation(
            users=Users(**tuples(read_json(side / "users.json"))),
            details=Details(**tuples(read_json(side / "details.json"))),
            tags=load(side, "tags", Tags) if (side / "tags.item.npy").exists() else None,
        )

    return _whole(folder, read)


def open_summary(folder: Path) -> tuple[PreparationReport, Summary]:
    """Return what preparation read and left out, and the metrics of what it kept."""
    return _whole(
        folder,
        lambda: (
            PreparationReport(**tuples(read_json(folder / "report.json"))),
            Summary(**read_json(folder / "summary.json")),
        ),
    )


def _read_ledger(folder: Path) -> Ledger:
    return _whole(
        folder, lambda: Ledger.model_validate_json((folder / "ledger.json").read_text(encoding="utf-8"))
    )


def _load_queries(folder: Path, name: str, histories: Sequences, ledger: Ledger) -> Queries:
    is_by_time = ledger.split.startswith("global-time")
    return load(folder, name, Queries, sequences=histories, is_by_time=is_by_time)


def _whole(folder: Path, read: Callable[[], T]) -> T:
    """Return what ``read`` reads in ``folder``."""
    try:
        return read()
    except (OSError, ValueError, KeyError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise DataError(
            f"{folder} is not a whole prepared data set ({first}); remove it and run `reeltune data prepare`"
        ) from error


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
