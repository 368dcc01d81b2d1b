"""Files of a data set in a folder or an archive, checked before use.

A *layout* is one form in which a data set exists (the publisher's files, a copy in a
package). :func:`find_file_sets` looks for it in a path; :func:`checked_identity` holds what
was found to the layout's checksums.
"""

from __future__ import annotations

import contextlib
import fnmatch
import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from reeltune.data.interactions import RawDataset
from reeltune.errors import DataError, EngineError
from reeltune.files import write_text

__all__ = ["FileSet", "Layout", "cache_root", "checked_identity", "find_file_sets"]

_CHUNK_BYTES = 1 << 20
_READ_ERRORS = (OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


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


class _Unpacked(gzip.GzipFile):
    """A gzip stream that closes the file below it."""

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


@dataclass(frozen=True)
class FileSet:
    """Files in a folder or in an archive, opened by their plain names.

    A name may hold wildcards: the first file that fits is meant. Files whose name ends in
    ``.gz`` are unpacked on the way.
    """

    path: Path
    """The folder, or the archive."""
    prefix: str = ""
    """Where the files lie inside the archive; ends in a slash unless empty."""
    is_archive: bool = False

    def label(self, name: str) -> str:
        """Return how messages call the file ``name``."""
        return f"{self.path / self.prefix / (self.resolve(name) or name)}"

    def resolve(self, name: str) -> str | None:
        """Return the file that ``name`` means, or None where there is none."""
        if not self.is_archive:
            found = sorted(self.path.glob(name)) if "*" in name else [self.path / name]
            return next((str(path.relative_to(self.path)) if "*" in name else name for path in found), None)
        with zipfile.ZipFile(self.path) as archive:
            inside = [n.removeprefix(self.prefix) for n in archive.namelist() if n.startswith(self.prefix)]
        return next(iter(sorted(fnmatch.filter(inside, name))), None)

    def has(self, name: str) -> bool:
        """Return whether there is a file ``name``."""
        found = self.resolve(name)
        return found is not None and (self.is_archive or (self.path / found).is_file())

    def open(self, name: str) -> IO[bytes]:
        """Return the file ``name`` opened for reading bytes.

        Raises:
            DataError: The file or the archive cannot be read.
        """
        try:
            found = self.resolve(name) or name
            stream = self._open(found)
            return cast("IO[bytes]", _Unpacked(stream)) if found.endswith(".gz") else stream
        except _READ_ERRORS as error:
            raise _damaged(self.label(name), error) from error

    def _open(self, found: str) -> IO[bytes]:
        if not self.is_archive:
            return (self.path / found).open("rb")
        with zipfile.ZipFile(self.path) as archive:
            return archive.open(self.prefix + found)  # stays open after the archive is closed

    def read(self, name: str) -> bytes:
        """Return the bytes of ``name``.

        Raises:
            DataError: The file cannot be read, or its checksum in the archive is wrong.
        """
        with self.open(name) as file:
            try:
                return file.read()
            except _READ_ERRORS as error:
                raise _damaged(self.label(name), error) from error

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of the contents of ``name``.

        Raises:
            DataError: The file cannot be read, or its checksum in the archive is wrong.
        """
        digest = hashlib.sha256()
        with self.open(name) as file:
            try:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
            except _READ_ERRORS as error:
                raise _damaged(self.label(name), error) from error
        return digest.hexdigest()


@dataclass(frozen=True)
class Layout:
    """One form in which a data set exists."""

    name: str
    """What messages call it."""
    files: tuple[str, ...]
    """Names of the files that are read; all must be there."""
    read: Callable[[FileSet], RawDataset]
    """Reader of these files."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Known checksums by file name; a file that differs is not used."""
    optional: tuple[str, ...] = ()
    """Names of further files that the reader uses where they are there."""


def find_file_sets(
    path: Path, names: tuple[str, ...], layouts: tuple[Layout, ...], failed: Callable[[str], None]
) -> Iterator[tuple[Layout, FileSet]]:
    """Yield where ``path`` holds one of ``layouts``.

    ``path`` may be the folder of the files, an archive, or a folder that holds either: a
    subfolder of one of ``names``, or archives whose names begin so, at both levels.

    Args:
        path: Folder or archive.
        names: The data set's usual folder and archive names.
        layouts: Forms of the data set.
        failed: Receives a line for each archive that cannot be opened.
    """
    if path.is_file():
        yield from _in_archive(path, layouts, failed)
        return
    places = [path, *(path / name for name in names)]
    for place in places:
        for layout in layouts:
            files = FileSet(place)
            if all(files.has(name) for name in layout.files):
                yield layout, files
    for place in places:
        for pattern in (*(f"{name}*.zip" for name in names), "*.whl"):
            for archive in sorted(place.glob(pattern)):
                yield from _in_archive(archive, layouts, failed)


def checked_identity(layout: Layout, files: FileSet) -> str:
    """Hold the files to the layout's checksums; return a SHA-256 over their names and contents.

    The result is remembered in the cache by path, size and time of change, so that large
    files are read once.

    Raises:
        DataError: A file differs. The message names the line of the first fault when the file is
            malformed, else both checksums.
    """
    memory = cache_root() / "checked" / _memory_name(layout, files)
    with contextlib.suppress(OSError):
        return memory.read_text(encoding="utf-8")
    digest = hashlib.sha256(layout.name.encode())
    for name in _present(layout, files):
        found = files.sha256(name)
        wanted = layout.sha256.get(name, found)
        if found != wanted:
            layout.read(files)  # names the line of a malformed value, which says more than a checksum
            raise DataError(
                f"{files.label(name)}: SHA-256 {found[:12]}... is not the known {wanted[:12]}...; "
                "the file is damaged or changed, get it again"
            )
        digest.update(f"\n{Path(name).name} {found}".encode())
    with contextlib.suppress(EngineError):  # a cache that cannot be written is reported by who needs it
        write_text(memory, digest.hexdigest())
    return digest.hexdigest()


def _memory_name(layout: Layout, files: FileSet) -> str:
    names = [files.resolve(name) or name for name in _present(layout, files)]
    paths = [files.path] if files.is_archive else [files.path / name for name in names]
    stats = [(str(path.resolve()), path.stat()) for path in paths]
    facts = [(name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats]
    pinned = sorted(layout.sha256.items())
    return hashlib.sha256(repr((facts, files.prefix, names, pinned)).encode()).hexdigest()[:32]


def _present(layout: Layout, files: FileSet) -> list[str]:
    return [*layout.files, *(name for name in layout.optional if files.has(name))]


def _in_archive(
    path: Path, layouts: tuple[Layout, ...], failed: Callable[[str], None]
) -> Iterator[tuple[Layout, FileSet]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except _READ_ERRORS as error:
        failed(str(_damaged(str(path), error)))
        return
    members: dict[str, list[str]] = {}
    for name in names:
        folder, slash, last = name.rpartition("/")
        members.setdefault(folder + slash, []).append(last)
    for layout in layouts:
        for prefix, inside in sorted(members.items()):
            if all(fnmatch.filter(inside, name) for name in layout.files):
                yield layout, FileSet(path, prefix, is_archive=True)


def _damaged(label: str, error: BaseException) -> DataError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DataError(f"cannot read {label}: {reason}; the file is damaged or unreadable, get it again")
