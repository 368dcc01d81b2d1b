"""Files of a data set in a folder or an archive, checked before use.

A *layout* is one form in which a data set exists (the publisher's files, a copy in a
package). :func:`find_file_sets` looks for it in a path; :func:`check_contents` holds what
was found to the layout's checksums.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from reeltune.data.interactions import RawDataset
from reeltune.errors import DataError

__all__ = ["FileSet", "Layout", "cache_root", "check_contents", "find_file_sets", "identity"]

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


@dataclass(frozen=True)
class FileSet:
    """Files in a folder or in an archive, opened by their plain names."""

    path: Path
    """The folder, or the archive."""
    prefix: str = ""
    """Where the files lie inside the archive; ends in a slash unless empty."""
    is_archive: bool = False

    def label(self, name: str) -> str:
        """Return how messages call the file ``name``."""
        return f"{self.path / self.prefix / name}"

    def open(self, name: str) -> IO[bytes]:
        """Return the file ``name`` opened for reading bytes.

        Raises:
            DataError: The file or the archive cannot be read.
        """
        try:
            if not self.is_archive:
                return (self.path / name).open("rb")
            with zipfile.ZipFile(self.path) as archive:
                return archive.open(self.prefix + name)  # stays open after the archive is closed
        except _READ_ERRORS as error:
            raise _damaged(self.label(name), error) from error

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


def find_file_sets(path: Path, folder: str, layouts: tuple[Layout, ...]) -> Iterator[tuple[Layout, FileSet]]:
    """Yield where ``path`` holds one of ``layouts``.

    ``path`` may be the folder of the files, an archive, or a folder that holds either: a
    subfolder ``folder``, or archives whose names begin with it, at both levels.

    Raises:
        DataError: An archive is damaged; the search cannot go on in it.
    """
    if path.is_file():
        yield from _in_archive(path, layouts)
        return
    folders = [path, path / folder]
    for place in folders:
        for layout in layouts:
            if all((place / name).is_file() for name in layout.files):
                yield layout, FileSet(place)
    for place in folders:
        for pattern in (f"{folder}*.zip", "*.whl"):
            for archive in sorted(place.glob(pattern)):
                yield from _in_archive(archive, layouts)


def check_contents(layout: Layout, files: FileSet) -> None:
    """Hold the files to the layout's checksums.

    Raises:
        DataError: A file differs. The message names the line of the first fault when the file is
            malformed, else both checksums.
    """
    for name, wanted in layout.sha256.items():
        found = files.sha256(name)
        if found != wanted:
            layout.read(files)  # names the line of a malformed value, which says more than a checksum
            raise DataError(
                f"{files.label(name)}: SHA-256 {found[:12]}... is not the known {wanted[:12]}...; "
                "the file is damaged or changed, get it again"
            )


def identity(layout: Layout, files: FileSet) -> str:
    """Return a SHA-256 over the names and contents of the layout's files."""
    digest = hashlib.sha256(layout.name.encode())
    for name in layout.files:
        digest.update(f"\n{name} {files.sha256(name)}".encode())
    return digest.hexdigest()


def _in_archive(path: Path, layouts: tuple[Layout, ...]) -> Iterator[tuple[Layout, FileSet]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except _READ_ERRORS as error:
        raise _damaged(str(path), error) from error
    known = set(names)
    for layout in layouts:
        first = layout.files[0]
        for found in names:
            prefix = found.removesuffix(first)
            if (
                found.endswith(first)
                and (not prefix or prefix.endswith("/"))
                and all(prefix + n in known for n in layout.files)
            ):
                yield layout, FileSet(path, prefix, is_archive=True)


def _damaged(label: str, error: BaseException) -> DataError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DataError(f"cannot read {label}: {reason}; the file is damaged or unreadable, get it again")
