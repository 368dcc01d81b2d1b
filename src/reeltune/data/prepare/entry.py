"""One entry of prepared data on the disk.

::

    movielens-100k-<config>-<source>/
      ledger.json  report.json  summary.json  catalogue.json  side/
      tuning/    train.{items,ratings,timestamps,offsets}.npy  validation.{user,end,target,...}.npy
      held_out/  test.{items,ratings,timestamps,offsets}.npy   test.{user,end,target,...}.npy
      and, where the data hold reviews, {train,test}.{reviews,review_offsets,labels}.npy beside them:
      the text of each event of the histories, never of a test target

An entry is written into a temporary folder and renamed, so it is whole or absent.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reeltune.data.cache import cache_error
from reeltune.data.config import DataConfig
from reeltune.data.interactions import SOURCE_SCHEME, Movies, RawDataset
from reeltune.data.prepare.preparation import PREPARATION, Prepared, prepare_sequences
from reeltune.data.prepare.side_files import side_of, write_side
from reeltune.data.prepare.splits import Parts, fingerprint
from reeltune.data.prepare.summary import summarize
from reeltune.data.prepare.ties import TIE_RULES
from reeltune.data.prepare.vocabulary import id_texts
from reeltune.data.prepared import Catalogue, Ledger, Queries, Sequences
from reeltune.data.texts import Texts

__all__ = [
    "PreparationReport",
    "read_catalogue",
    "read_ledger",
    "read_queries",
    "read_sequences",
    "write_entry",
]

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
    notes: tuple[str, ...] = ()
    """What the reader left out or could not tell."""
    n_without_history: int = 0
    """Targets that were left out because their user has no earlier event."""
    n_train_only_users: int = 0
    """Users with too few events for the split, who are trained on and never asked."""
    n_unseen_targets: int = 0
    """Validation and test targets whose movie is in no training event; they are kept."""


def write_entry(entry: Path, raw: RawDataset, config: DataConfig, *, origin: str = "given rows") -> None:
    """Prepare ``raw`` and write it as the folder ``entry``, atomically.

    Raises:
        DataError: Nothing is left after preparation, or the folder cannot be written.
    """
    prepared = prepare_sequences(
        raw.interactions,
        k_core=config.k_core,
        min_user_events=config.min_user_events,
        fold=raw.fold,
        ties=config.ties,
    )
    catalogue = _catalogue(prepared, raw.movies)
    with ThreadPoolExecutor(3) as others:  # NumPy and hashlib let go of the interpreter
        digests = [others.submit(raw.interactions.sha256, scheme) for scheme in (SOURCE_SCHEME, 1)]
        summary = others.submit(summarize, prepared.sequences, catalogue)
        parts = config.split.parts(prepared)
    ledger = Ledger(
        dataset=config.dataset,
        source_sha256=digests[0].result(),
        source_scheme=SOURCE_SCHEME,
        source_sha256_1=digests[1].result(),
        rating_scale=config.scale,
        split=config.split.text(),
        tie_rule=TIE_RULES[config.ties],
        k_core=config.k_core,
        min_user_events=config.min_user_events,
        n_users=prepared.sequences.n_users,
        n_items=catalogue.n_items,
        n_interactions=prepared.sequences.n_events,
        n_train_only_users=parts.n_train_only_users,
        n_duplicates=prepared.n_duplicates,
        people_sha256=raw.credits_sha256,
        fingerprint=fingerprint(parts.test, prepared.user_ids, prepared.item_ids),
        preparation=PREPARATION,
    )
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", suffix=".part", dir=entry.parent))
        try:
            _write_sequences(part / "tuning", "train", parts.train)
            if parts.validation.sequences is not parts.train:
                _write_sequences(part / "tuning", "validation", parts.validation.sequences)
            _write_queries(part / "tuning", "validation", parts.validation)
            _write_sequences(part / "held_out", "test", parts.test.sequences)
            _write_queries(part / "held_out", "test", parts.test)
            _write_text(part / "catalogue.json", _plain_catalogue(catalogue))
            write_side(part, side_of(raw, prepared, parts, catalogue.item_ids))
            _write_text(part / "report.json", asdict(_report(prepared, raw, parts, origin)))
            _write_text(part / "summary.json", asdict(summary.result()))
            _write_text(part / "ledger.json", ledger.plain())
            part.chmod(0o755)
            _rename(part, entry)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise cache_error(error) from error


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


def _report(prepared: Prepared, raw: RawDataset, parts: Parts, origin: str) -> PreparationReport:
    is_trained = np.zeros(len(prepared.item_ids) + 1, dtype=bool)
    is_trained[parts.train.items] = True
    return PreparationReport(
        origin=origin,
        n_rows=prepared.n_rows,
        n_duplicates=prepared.n_duplicates,
        n_rare_items=prepared.n_rare_items,
        n_rare_rows=prepared.n_rare_rows,
        n_short_users=prepared.n_short_users,
        n_short_rows=prepared.n_short_rows,
        notes=raw.notes,
        n_without_history=parts.n_without_history,
        n_train_only_users=parts.n_train_only_users,
        n_unseen_targets=int(sum((~is_trained[q.target]).sum() for q in (parts.validation, parts.test))),
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
    kinds = sorted(set(catalogue.genres))  # few: naming each once makes a large catalogue open fast
    number = {genres: i for i, genres in enumerate(kinds)}
    return {
        "item_ids": catalogue.item_ids,
        "titles": catalogue.titles,
        "years": catalogue.years,
        "kinds": kinds,
        "kind": [number[genres] for genres in catalogue.genres],
    }


def read_catalogue(directory: Path) -> Catalogue:
    """Return the catalogue of an entry."""
    plain = json.loads((directory / "catalogue.json").read_text(encoding="utf-8"))
    kinds = tuple(map(tuple, plain["kinds"]))
    return Catalogue(
        item_ids=tuple(plain["item_ids"]),
        titles=tuple(plain["titles"]),
        years=tuple(plain["years"]),
        genres=tuple(map(kinds.__getitem__, plain["kind"])),
    )


def read_ledger(directory: Path) -> Ledger:
    """Return the ledger of an entry."""
    return Ledger.model_validate_json((directory / "ledger.json").read_text(encoding="utf-8"))


def _write_text(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def _write_sequences(folder: Path, name: str, sequences: Sequences) -> None:
    folder.mkdir(exist_ok=True)
    for array in _SEQUENCE_ARRAYS:
        np.save(folder / f"{name}.{array}.npy", getattr(sequences, array))
    if sequences.reviews is not None:
        np.save(folder / f"{name}.reviews.npy", sequences.reviews.data)
        np.save(folder / f"{name}.review_offsets.npy", sequences.reviews.offsets)
    if sequences.labels is not None:
        np.save(folder / f"{name}.labels.npy", sequences.labels)


def _write_queries(folder: Path, name: str, queries: Queries) -> None:
    for array in _QUERY_ARRAYS:
        np.save(folder / f"{name}.{array}.npy", getattr(queries, array))


def read_sequences(folder: Path, name: str, *, otherwise: Sequences | None = None) -> Sequences:
    """Return the memory-mapped sequences ``name`` in ``folder``; ``otherwise`` where there are none."""
    if otherwise is not None and not (folder / f"{name}.items.npy").exists():
        return otherwise
    texts, labels = folder / f"{name}.reviews.npy", folder / f"{name}.labels.npy"
    return Sequences(
        **{array: _map(folder / f"{name}.{array}.npy") for array in _SEQUENCE_ARRAYS},
        reviews=Texts(_map(texts), _map(folder / f"{name}.review_offsets.npy")) if texts.exists() else None,
        labels=_map(labels) if labels.exists() else None,
    )


def read_queries(folder: Path, name: str, sequences: Sequences) -> Queries:
    """Return the memory-mapped queries ``name`` in ``folder``; ``sequences`` holds their histories."""
    return Queries(
        sequences=sequences,
        is_by_time=read_ledger(folder.parent).split.startswith("global-time"),
        **{array: _map(folder / f"{name}.{array}.npy") for array in _QUERY_ARRAYS},
    )


def _map(path: Path) -> Any:
    return np.load(path, mmap_mode="r", allow_pickle=False)
