"""Sends what has changed in a study's folder to object storage, in an order that survives a kill."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from reeltune.locks import LOCK_FILE
from reeltune.object_storage import ObjectStorage
from reeltune.training.epochs import LAST_CHECKPOINT

TRIALS = "trials"
"""Folder of the trials' folders."""

ROW_FILES = ("trial.json", "epochs.jsonl")
"""Of a trial, by the driver; the rest in its folder is by the trial."""

KEPT_HERE = (LOCK_FILE, "study.db")
"""Beginnings of names that stay on the machine: the rows give the database back."""

Stamp = tuple[int, int]
"""Size in bytes and time of modification in ns of a file when it was sent."""

ORDER = {LAST_CHECKPOINT: 1, "epochs.jsonl": 2, "trial.json": 3}
"""Within a folder, after the rest: what names a fact as done comes after the fact."""


def trial_prefix(number: int) -> str:
    """Return the name of a trial's folder in the study's.

    >>> trial_prefix(3)
    'trials/00003'
    """
    return f"{TRIALS}/{number:05d}"


class Uploader:
    """Knows what of a folder was sent; ``sent`` maps names to stamps. Safe to use from two threads."""

    def __init__(self, folder: Path, storage: ObjectStorage, sent: dict[str, Stamp] | None = None) -> None:
        self._folder = folder
        self._storage = storage
        self._lock = threading.Lock()
        self.sent = sent if sent is not None else {}

    def send_changed(self, names: Sequence[str]) -> None:
        """Send those of the files ``names`` that are new or have changed since they were sent.

        Raises:
            EngineError: The storage fails; what was sent until then stays known.
        """
        with self._lock:
            for name in names:
                path = self._folder / name
                try:
                    stamp = _stamp(path)
                    if self.sent.get(name) != stamp:
                        self._storage.send(path, name)
                        self.sent[name] = stamp
                except FileNotFoundError:
                    continue  # removed or replaced meanwhile; the next look finds what is there then

    def receive(self, names: Sequence[str]) -> None:
        """Fetch these objects into the folder.

        Raises:
            EngineError: The storage fails, or the disk is full.
        """
        with self._lock:
            for name in names:
                if self._storage.fetch(name, self._folder / name):
                    self.sent[name] = _stamp(self._folder / name)

    def remove(self, names: Sequence[str]) -> None:
        """Remove these objects from the storage.

        Raises:
            EngineError: The storage fails.
        """
        with self._lock:
            for name in names:
                self._storage.remove(name)
                self.sent.pop(name, None)

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of the files under ``prefix`` that are to be sent, in the order of sending."""
        return sorted(_names(self._folder / prefix, self._folder), key=_order)


def _names(folder: Path, root: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):  # passes over what is removed meanwhile
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            is_kept = Path(place) == root and name.startswith(KEPT_HERE)
            if not (name.startswith(".") or is_kept or path.is_symlink()):
                yield str(path.relative_to(root))


def _order(name: str) -> tuple[str, int, str]:
    folder, _, last = name.rpartition("/")
    return folder, ORDER.get(last, 0), last


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
