"""The content-addressed cache: locks, listing, pruning.

::

    CACHE/sources/ml-100k/...                 downloads
    CACHE/checked/<key>                       checksums of sources that were read
    CACHE/prepared/movielens-100k-<key>/      one entry a config and source; whole or absent
    CACHE/locks/
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltune.data.sources import cache_root
from reeltune.errors import DataError

__all__ = ["cache_error", "cache_lock", "prepared_root", "sources_root"]

_POLL_SECONDS = 0.05


def prepared_root() -> Path:
    """Return the folder of the prepared entries."""
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

    Raises:
        DataError: The cache cannot be written.
    """
    path = cache_root() / "locks" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise cache_error(error) from error
    try:
        if not _try_lock(handle):
            notify(f"waiting for another process that prepares {name}")
            while not _try_lock(handle):
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return True  # Windows: entries are renamed into place whole, so the work is done twice at worst
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
