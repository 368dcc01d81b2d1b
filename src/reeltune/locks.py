"""Locks between processes, on files and folders; the system frees them however a process ends."""

from __future__ import annotations

import errno
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltune.errors import EngineError, StudyError

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, so work may be done twice
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = "study.lock"
"""In a folder that one process at a time may run; it names the one that does."""

TRIES = 3
"""Attempts, a tenth of a second apart: whoever asks whether a lock is held holds it for a moment."""

_POLL_SECONDS = 0.05

_TAKEN = (errno.EWOULDBLOCK, errno.EACCES)


def try_lock(path: Path, *, is_made: bool = True, is_shared: bool = False) -> int | None:
    """Return a handle that locks the file or folder at ``path`` until it is closed; None if it is taken.

    A file that was removed while it was waited for is not the lock any more.

    Args:
        path: What is locked.
        is_made: Whether a file is made if it is absent; False for a folder.
        is_shared: Whether others may share the lock.

    Raises:
        OSError: It cannot be opened, or its file system has no locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT if is_made else os.O_RDONLY, 0o666)
    try:
        if fcntl is not None:
            fcntl.flock(handle, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except OSError as error:
        os.close(handle)
        if error.errno in _TAKEN or isinstance(error, FileNotFoundError):
            return None
        raise
    os.close(handle)
    return None


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock on ``path`` now; a file that is absent is held by none."""
    try:
        handle = try_lock(path, is_made=False, is_shared=True)
    except OSError as error:
        return not isinstance(error, FileNotFoundError) and not _has_no_locks(error)
    if handle is not None:
        os.close(handle)
    return handle is None


@contextmanager
def held(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock on the file ``path``; ``on_wait`` is called once if another process has it.

    Raises:
        OSError: It cannot be opened.
    """
    handle = try_lock(path)
    if handle is None:
        on_wait()
    while handle is None:
        time.sleep(_POLL_SECONDS)
        handle = try_lock(path)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def folder_lock(directory: Path) -> Iterator[None]:
    """Hold the folder of a study or training while the block runs.

    The folder itself is locked as well as its lock file, which someone may remove.

    Raises:
        StudyError: Another process holds it, or there is a file where the folder should be.
        EngineError: The folder cannot be written.
    """
    path = directory / LOCK_FILE
    handles: list[int] = []
    try:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            is_taken = not (_take_folder(directory, handles) and _take(path, handles))
        except (FileExistsError, NotADirectoryError) as error:
            raise StudyError(f"{directory} is a file or lies below one; choose another folder") from error
        except OSError as error:
            raise EngineError(f"cannot lock {path}: {error.strerror}; choose a writable folder") from error
        if is_taken:
            raise StudyError(
                f"{directory.name!r} is being run by {_holder(path)}; wait for it, stop it, or choose "
                "another --name"
            )
        os.ftruncate(handles[-1], 0)
        os.pwrite(handles[-1], f"process {os.getpid()} on {platform.node()}".encode(), 0)
        yield
    finally:
        for handle in handles:
            os.close(handle)


def is_folder_locked(directory: Path) -> bool:
    """Return whether a process holds the folder now."""
    return is_held(directory) or is_held(directory / LOCK_FILE)


def _take(path: Path, handles: list[int], *, is_made: bool = True) -> bool:
    for _ in range(TRIES):
        handle = try_lock(path, is_made=is_made)
        if handle is not None:
            handles.append(handle)
            return True
        time.sleep(0.1)
    return False


def _take_folder(directory: Path, handles: list[int]) -> bool:
    try:
        return _take(directory, handles, is_made=False)
    except OSError as error:
        if _has_no_locks(error):  # NFS locks files alone
            return True
        raise


def _has_no_locks(error: OSError) -> bool:
    return error.errno in (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP)


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "another process"
    except OSError:
        return "another process"
