"""Prepared data as memory-mapped arrays in a content-addressed cache.

::

    movielens-100k-<config>-<source>/
      ledger.json  report.json  catalogue.json  users.json
      tuning/    train.{items,ratings,timestamps,offsets}.npy  validation.{user,end,target,...}.npy
      held_out/  test.{items,ratings,timestamps,offsets}.npy   test.{user,end,target,...}.npy

An entry is written into a temporary folder and renamed, so it is whole or absent. Its name
holds a hash of the config and of the preparation code's version, and one of the source's contents.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from reeltune.data.acquire import Found, SourceChain
from reeltune.data.cache import cache_error, cache_lock, prepared_root
from reeltune.data.config import DataConfig
from reeltune.data.datasets import DATASETS
from reeltune.data.interactions import Movies, RawDataset
from reeltune.data.preparation import PREPARATION, TIE_RULE, Prepared, prepare_sequences
from reeltune.data.prepared import Catalogue, HeldOut, Ledger, Queries, Sequences, TuningData
from reeltune.data.splits import SPLITS, fingerprint
from reeltune.data.vocabulary import id_texts
from reeltune.errors import DataError

__all__ = ["PreparationReport", "open_held_out", "open_report", "open_tuning", "prepare", "write_entry"]

_SEQUENCE_ARRAYS = ("items", "ratings", "timestamps", "offsets")
_QUERY_ARRAYS = ("user", "end", "target", "target_rating", "target_timestamp")


@dataclass(frozen=True)
class PreparationReport:
    """What was read and what was left out."""

    origin: str
    n_rows: int
    n_duplicates: int
    n_rare_items: int
    n_rare_rows: int
    n_short_users: int
    n_short_rows: int
    n_untitled: int
    """Movies without a known title."""


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
    chain = SourceChain(DATASETS[config.dataset], notify)
    stem = f"{config.dataset}-{_short_hash(json.dumps([config.plain(), PREPARATION], sort_keys=True))}"
    entry = _from_sources(chain, chain.given(data_dir), stem, config, notify)
    if entry is None:
        # Any source will do: the contents of each were checked when its entry was made.
        entry = next(iter(sorted(prepared_root().glob(f"{stem}-*"))), None)
    if entry is None:
        entry = _from_sources(chain, chain.cached_or_fetched(), stem, config, notify)
    if entry is None:
        raise chain.error()
    return entry


def _from_sources(
    chain: SourceChain,
    sources: Iterator[Found],
    stem: str,
    config: DataConfig,
    notify: Callable[[str], None],
) -> Path | None:
    """Return the entry made from the first source that can be read, or None."""
    for found in sources:
        entry = prepared_root() / f"{stem}-{_short_hash(found.identity)}"
        if entry.is_dir():
            return entry
        with cache_lock(entry.name, notify):
            if entry.is_dir():
                return entry
            try:
                raw = found.read()
            except DataError as error:
                chain.failed(str(error))
                continue
            notify(f"preparing {config.dataset} from {found.origin}")
            write_entry(entry, raw, config, origin=found.origin)
        return entry
    return None


def write_entry(entry: Path, raw: RawDataset, config: DataConfig, *, origin: str = "given rows") -> None:
    """Prepare ``raw`` and write it as the folder ``entry``, atomically.

    Raises:
        DataError: Nothing is left after preparation, or the folder cannot be written.
    """
    prepared = prepare_sequences(
        raw.interactions, k_core=config.k_core, min_user_events=config.min_user_events
    )
    parts = SPLITS[config.split](prepared.sequences)
    catalogue = _catalogue(prepared, raw.movies)
    ledger = Ledger(
        dataset=config.dataset,
        source_sha256=raw.interactions.sha256(),
        split=config.split,
        tie_rule=TIE_RULE,
        k_core=config.k_core,
        min_user_events=config.min_user_events,
        n_users=prepared.sequences.n_users,
        n_items=catalogue.n_items,
        n_interactions=prepared.sequences.n_events,
        n_duplicates=prepared.n_duplicates,
        fingerprint=fingerprint(parts.test, prepared.user_ids, prepared.item_ids),
        preparation=PREPARATION,
    )
    report = _report(prepared, catalogue, origin)
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", suffix=".part", dir=entry.parent))
        try:
            _write_sequences(part / "tuning", "train", parts.train)
            _write_queries(part / "tuning", "validation", parts.validation)
            _write_sequences(part / "held_out", "test", parts.test.sequences)
            _write_queries(part / "held_out", "test", parts.test)
            _write_text(part / "catalogue.json", _plain_catalogue(catalogue))
            _write_text(part / "users.json", list(id_texts(prepared.user_ids)))
            _write_text(part / "report.json", asdict(report))
            _write_text(part / "ledger.json", ledger.plain())
            part.chmod(0o755)
            _rename(part, entry)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise cache_error(error) from error


def open_tuning(directory: Path) -> TuningData:
    """Return training and validation data of a prepared folder, memory-mapped.

    Raises:
        DataError: The folder is absent or damaged.
    """
    try:
        train = _read_sequences(directory / "tuning", "train")
        return TuningData(
            train=train,
            validation=_read_queries(directory / "tuning", "validation", train),
            catalogue=_read_catalogue(directory),
            ledger=_read_ledger(directory),
            directory=directory,
        )
    except (OSError, ValueError, KeyError, ValidationError) as error:
        raise _damaged(directory, error) from error


def open_held_out(directory: Path) -> HeldOut:
    """Return the test queries of a prepared folder; for ``evaluation.final`` only.

    Raises:
        DataError: The folder is absent or damaged.
    """
    try:
        sequences = _read_sequences(directory / "held_out", "test")
        test = _read_queries(directory / "held_out", "test", sequences)
        return HeldOut(test=test, ledger=_read_ledger(directory))
    except (OSError, ValueError, KeyError, ValidationError) as error:
        raise _damaged(directory, error) from error


def open_report(directory: Path) -> PreparationReport:
    """Return what preparation read and left out."""
    try:
        return PreparationReport(**json.loads((directory / "report.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(directory, error) from error


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _rename(part: Path, entry: Path) -> None:
    for file in part.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    try:
        part.rename(entry)
    except OSError:
        if not entry.is_dir():  # another process was first: its entry is as good
            raise


def _report(prepared: Prepared, catalogue: Catalogue, origin: str) -> PreparationReport:
    n_untitled = sum(title == item for title, item in zip(catalogue.titles, catalogue.item_ids, strict=True))
    return PreparationReport(
        origin=origin,
        n_rows=prepared.n_rows,
        n_duplicates=prepared.n_duplicates,
        n_rare_items=prepared.n_rare_items,
        n_rare_rows=prepared.n_rare_rows,
        n_short_users=prepared.n_short_users,
        n_short_rows=prepared.n_short_rows,
        n_untitled=n_untitled,
    )


def _catalogue(prepared: Prepared, movies: Movies | None) -> Catalogue:
    ids = id_texts(prepared.item_ids)
    row = {} if movies is None else {item: i for i, item in enumerate(movies.ids)}
    rows = [row.get(item) for item in ids]
    if movies is None:
        return Catalogue(ids, ids, (0,) * len(ids), ((),) * len(ids))
    return Catalogue(
        item_ids=ids,
        titles=tuple(i if r is None else movies.titles[r] for i, r in zip(ids, rows, strict=True)),
        years=tuple(0 if r is None else movies.years[r] for r in rows),
        genres=tuple(() if r is None else movies.genres[r] for r in rows),
    )


def _plain_catalogue(catalogue: Catalogue) -> dict[str, Any]:
    return {
        "item_ids": catalogue.item_ids,
        "titles": catalogue.titles,
        "years": catalogue.years,
        "genres": catalogue.genres,
    }


def _read_catalogue(directory: Path) -> Catalogue:
    plain = json.loads((directory / "catalogue.json").read_text(encoding="utf-8"))
    return Catalogue(
        item_ids=tuple(plain["item_ids"]),
        titles=tuple(plain["titles"]),
        years=tuple(plain["years"]),
        genres=tuple(map(tuple, plain["genres"])),
    )


def _read_ledger(directory: Path) -> Ledger:
    return Ledger.model_validate_json((directory / "ledger.json").read_text(encoding="utf-8"))


def _write_text(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def _write_sequences(folder: Path, name: str, sequences: Sequences) -> None:
    folder.mkdir(exist_ok=True)
    for array in _SEQUENCE_ARRAYS:
        np.save(folder / f"{name}.{array}.npy", getattr(sequences, array))


def _write_queries(folder: Path, name: str, queries: Queries) -> None:
    for array in _QUERY_ARRAYS:
        np.save(folder / f"{name}.{array}.npy", getattr(queries, array))


def _read_sequences(folder: Path, name: str) -> Sequences:
    return Sequences(**{array: _map(folder / f"{name}.{array}.npy") for array in _SEQUENCE_ARRAYS})


def _read_queries(folder: Path, name: str, sequences: Sequences) -> Queries:
    return Queries(
        sequences=sequences, **{array: _map(folder / f"{name}.{array}.npy") for array in _QUERY_ARRAYS}
    )


def _map(path: Path) -> Any:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _damaged(directory: Path, error: Exception) -> DataError:
    first = str(error).splitlines()[0]
    return DataError(
        f"{directory} is not a whole prepared data set ({first}); remove it and run `reeltune data prepare`"
    )
