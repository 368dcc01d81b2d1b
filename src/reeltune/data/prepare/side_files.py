"""Side information in an entry: ``side/users.json``, ``side/details.json``, ``side/tags.*.npy``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import RawDataset
from reeltune.data.prepare.preparation import Prepared
from reeltune.data.prepare.side import (
    Details,
    SideInformation,
    Tags,
    Users,
    align_details,
    align_tags,
    align_users,
)
from reeltune.data.prepare.splits import Parts
from reeltune.data.texts import Texts

__all__ = ["read_side", "side_of", "write_side"]


def side_of(raw: RawDataset, prepared: Prepared, parts: Parts, item_ids: tuple[str, ...]) -> SideInformation:
    """Return what ``raw`` tells beside its events, aligned to the prepared users and movies."""
    tags = None
    if raw.tags is not None:
        tags = align_tags(
            prepared.user_ids,
            item_ids,
            raw.tags,
            held_out=(parts.validation, parts.test),
            before=parts.before,
        )
    return SideInformation(
        users=align_users(prepared.user_ids, raw.users),
        details=align_details(item_ids, raw.movies),
        tags=tags,
    )


def write_side(directory: Path, side: SideInformation) -> None:
    """Write ``side`` into the entry ``directory``."""
    folder = directory / "side"
    folder.mkdir()
    for name, part in (("users", side.users), ("details", side.details)):
        (folder / f"{name}.json").write_text(json.dumps(vars(part), ensure_ascii=False), encoding="utf-8")
    if side.tags is not None:
        arrays: dict[str, NDArray[Any]] = {
            "user": side.tags.user,
            "item": side.tags.item,
            "timestamp": side.tags.timestamp,
            "texts": side.tags.texts.data,
            "text_offsets": side.tags.texts.offsets,
        }
        for name, array in arrays.items():
            np.save(folder / f"tags.{name}.npy", array)


def read_side(directory: Path) -> SideInformation:
    """Return the side information of the entry ``directory``."""
    folder = directory / "side"
    users = json.loads((folder / "users.json").read_text(encoding="utf-8"))
    details = json.loads((folder / "details.json").read_text(encoding="utf-8"))
    tags = None
    if (folder / "tags.item.npy").exists():
        names = ("user", "item", "timestamp", "texts", "text_offsets")
        user, item, timestamp, data, offsets = (np.load(folder / f"tags.{name}.npy") for name in names)
        tags = Tags(user, item, timestamp, Texts(data, offsets))
    return SideInformation(
        users=Users(**{name: tuple(column) for name, column in users.items()}),
        details=Details(
            imdb_ids=tuple(details["imdb_ids"]),
            tmdb_ids=tuple(details["tmdb_ids"]),
            directors=tuple(map(tuple, details["directors"])),
            actors=tuple(map(tuple, details["actors"])),
            plots=tuple(details["plots"]),
        ),
        tags=tags,
    )
