"""The content-addressed cache: locks, listing, pruning.

::

    CACHE/sources/ml-100k/...                 downloads
    CACHE/checked/<key>                       checksums of sources that were read
    CACHE/prepared/movielens-100k-<key>/      one dataset a config and source; whole or absent
    CACHE/locks/
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reeltune.errors import DataError
from reeltune.locks import held, is_held


def cache_root() -> Path:
    """Return the folder for downloads and prepared data.

    ``REELTUNE_CACHE`` when set, else ``reeltune`` in the platform's cache folder of the user.
    """
    named = os.environ.get("REELTUNE_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "reeltune"


def prepared_root() -> Path:
    """Return the folder of the prepared datasets."""
    return cache_root() / "prepared"


def sources_root() -> Path:
    """Return the folder of the downloads."""
    return cache_root() / "sources"


def cache_error(error: OSError) -> DataError:
    """Return the message for a cache that cannot be written."""
    return DataError(
        f"cannot write the cache {cache_root()}: {error.strerror or error}; free space, or set "
        "REELTUNE_CACHE to a writable folder"
    )


@contextmanager
def cache_lock(name: str, notify: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock ``name`` of the cache; another process that wants it waits.

    The operating system frees the lock when the process ends, however it ends.
    """
    path = cache_root() / "locks" / f"{name}.lock"
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(
                held(path, lambda: notify(f"waiting for another process that prepares {name}"))
            )
        except OSError as error:
            raise cache_error(error) from error
        yield


@dataclass(frozen=True)
class CacheItem:
    """A file or folder of the cache."""

    path: Path
    kind: Literal["prepared", "download", "leftover"]
    """``leftover``: half-written by a process that was killed; nothing ever reads it."""
    size_bytes: int
    modified: float
    """Seconds since 1970."""


def list_cache() -> list[CacheItem]:
    """Return the prepared datasets, the downloads and the leftovers of killed processes."""
    items = [_item(path, "prepared") for path in sorted(prepared_root().glob("*"))]
    items += [_item(path, "download") for path in sorted(sources_root().glob("*/*"))]
    return [item for item in items if item.kind != "leftover" or not _is_in_work(item.path)]


def remove_item(item: CacheItem) -> None:
    """Remove an item; a prepared dataset vanishes at once, never half."""
    try:
        if item.path.is_dir():
            doomed = item.path.with_name(f".{item.path.name.lstrip('.')}.removed.part")
            item.path.rename(doomed)
            shutil.rmtree(doomed)
        else:
            item.path.unlink()
    except OSError as error:
        raise cache_error(error) from error


def _item(path: Path, kind: Literal["prepared", "download"]) -> CacheItem:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    is_leftover = path.name.startswith(".")
    return CacheItem(path, "leftover" if is_leftover else kind, size, path.stat().st_mtime)


def _is_in_work(path: Path) -> bool:
    """Return whether a process holds the lock under which ``path`` is written."""
    in_prepared = path.parent == prepared_root()
    name = path.name[1:].split(".")[0] if in_prepared else path.parent.name
    return is_held(cache_root() / "locks" / f"{name}.lock")
