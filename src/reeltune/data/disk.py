"""The files of a dataset on disk.

::

    movielens-100k-<config>-<source>/
      ledger.json  report.json  summary.json  catalogue.json
      side/      users.json  details.json  tags.*.npy
      tuning/    train.{items,ratings,timestamps,offsets}.npy  validation.{user,end,target,...}.npy
      held_out/  test.{items,ratings,timestamps,offsets}.npy   test.{user,end,target,...}.npy
      and, where the data hold reviews, {train,test}.{reviews,review_offsets,labels}.npy beside them:
      the text of each event of the histories, never of a test target

"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from reeltune.data.prepare.dataset import Dataset
from reeltune.data.prepared import Catalogue
from reeltune.data.texts import Texts
from reeltune.files import read_json

T = TypeVar("T")


def write_files(folder: Path, dataset: Dataset) -> None:
    """Write all files of ``dataset`` into the new folder ``folder``."""
    parts, side = dataset.parts, dataset.side
    for name in ("tuning", "held_out", "side"):
        (folder / name).mkdir()
    save(folder / "tuning", "train", parts.train)
    if parts.validation.sequences is not parts.train:
        save(folder / "tuning", "validation", parts.validation.sequences)
    save(folder / "tuning", "validation", parts.validation)
    save(folder / "held_out", "test", parts.test.sequences)
    save(folder / "held_out", "test", parts.test)
    if side.tags is not None:
        save(folder / "side", "tags", side.tags)
    catalogue = dict(vars(dataset.catalogue))
    kinds = sorted(set(catalogue.pop("genres")))  # few: naming each once makes a large catalogue open fast
    number = {genres: i for i, genres in enumerate(kinds)}
    catalogue |= {"kinds": kinds, "kind": [number[genres] for genres in dataset.catalogue.genres]}
    texts = {
        "catalogue": catalogue,
        "side/users": vars(side.users),
        "side/details": vars(side.details),
        "report": asdict(dataset.report),
        "summary": asdict(dataset.summary),
        "ledger": dataset.ledger.plain(),
    }
    for name, value in texts.items():
        (folder / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def read_catalogue(folder: Path) -> Catalogue:
    """Return the catalogue in a dataset's folder."""
    plain = tuples(read_json(folder / "catalogue.json"))
    kinds, kind = plain.pop("kinds"), plain.pop("kind")
    return Catalogue(**plain, genres=tuple(map(kinds.__getitem__, kind)))


def save(folder: Path, name: str, columns: Any) -> None:
    """Write each array and text of the dataclass ``columns`` as a file."""
    for field in fields(columns):
        value = getattr(columns, field.name)
        if isinstance(value, Texts):
            np.save(_path(folder, name, field.name), value.data)
            np.save(_offsets(folder, name, field.name), value.offsets)
        elif isinstance(value, np.ndarray):
            np.save(_path(folder, name, field.name), value)


def load(folder: Path, name: str, kind: type[T], **given: Any) -> T:
    """Return the dataclass ``kind`` of the files that :func:`save` wrote, memory-mapped."""

    def mapped(path: Path) -> Any:
        return np.load(path, mmap_mode="r", allow_pickle=False)

    for field in fields(kind):  # type: ignore[arg-type]
        path, offsets = _path(folder, name, field.name), _offsets(folder, name, field.name)
        if field.name not in given and (path.exists() or field.default is MISSING):
            given[field.name] = Texts(mapped(path), mapped(offsets)) if offsets.exists() else mapped(path)
    return kind(**given)


def _path(folder: Path, name: str, field: str) -> Path:
    return folder / f"{name}.{field}.npy"


def _offsets(folder: Path, name: str, field: str) -> Path:
    return _path(folder, name, f"{field.removesuffix('s')}_offsets")


def tuples(value: Any) -> Any:
    """Return JSON with its lists as tuples."""
    if isinstance(value, dict):
        return {name: tuples(item) for name, item in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, list) else value
