"""What is known of a data set before it is found, and its files once they are.

A *layout* is one form in which a data set exists: the publisher's files, a copy in a package.
"""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from reeltune.data.interactions import RawDataset
from reeltune.data.readers.columns import Columns
from reeltune.errors import DataError

_CHUNK_BYTES = 1 << 20


@contextmanager
def readable(label: str) -> Iterator[None]:
    """Turn what a damaged or forbidden file or archive raises into the error that names it."""
    try:
        yield
    except (OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(
            f"cannot read {label}: {reason}; the file is damaged or unreadable, get it again"
        ) from error


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
        if self.is_archive:
            with zipfile.ZipFile(self.path) as archive:
                inside = (
                    n.removeprefix(self.prefix) for n in archive.namelist() if n.startswith(self.prefix)
                )
                return min(fnmatch.filter(inside, name), default=None)
        if "*" in name:
            return min(
                (str(p.relative_to(self.path)) for p in self.path.glob(name) if p.is_file()), default=None
            )
        return name if (self.path / name).is_file() else None

    def has(self, name: str) -> bool:
        """Return whether there is a file ``name``."""
        return self.resolve(name) is not None

    def open(self, name: str) -> IO[bytes]:
        """Return the file ``name`` opened for reading bytes."""
        with readable(self.label(name)):
            found = self.resolve(name) or name
            if self.is_archive:
                with zipfile.ZipFile(self.path) as archive:
                    stream = archive.open(self.prefix + found)  # stays open after the archive is closed
            else:
                stream = (self.path / found).open("rb")
            return cast("IO[bytes]", _Unpacked(stream)) if found.endswith(".gz") else stream

    def read(self, name: str) -> bytes:
        """Return the bytes of ``name``."""
        with self.open(name) as file, readable(self.label(name)):
            return file.read()

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of the contents of ``name``."""
        digest = hashlib.sha256()
        with self.open(name) as file, readable(self.label(name)):
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
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

    def is_in(self, files: FileSet) -> bool:
        """Return whether all files of the layout are there."""
        return all(files.has(name) for name in self.files)

    def present(self, files: FileSet) -> list[str]:
        """Return the names that are read from ``files``."""
        return [*self.files, *(name for name in self.optional if files.has(name))]


@dataclass(frozen=True)
class OwnFiles:
    """How files that the user names with the key ``path`` are read."""

    read: Callable[[FileSet, str, str | None, Columns | None], RawDataset]
    """Reader of the file of ratings, the optional file of movies, and the mapping of columns."""
    needs_path: bool = True
    has_columns: bool = False
    """Whether the key ``columns`` is needed; it is refused where it is not."""


@dataclass(frozen=True)
class Package:
    """A release in the Python package registry that carries the data; opened, never installed."""

    name: str
    version: str
    licence: str
    size_bytes: int
    is_source: bool = False
    """Whether the release is a source archive instead of a wheel."""

    @property
    def file_name(self) -> str:
        """What the cache calls the archive."""
        return f"{self.name}-{self.version}{'.tar.gz' if self.is_source else '.whl'}"


@dataclass(frozen=True)
class KnownDataset:
    """What is known of a data set before it is found."""

    summary: str
    licence: str
    citation: str
    folder: str
    """Name of its folder, as the publisher's archive holds it."""
    n_rows: int | None = None
    """Rows of the whole data set; a source with another number is damaged or cut."""
    layouts: tuple[Layout, ...] = ()
    address: str | None = None
    """Where the publisher offers the archive."""
    size_bytes: int = 0
    """Size of the publisher's archive."""
    archive_checksum: str | None = None
    """Checksum of the publisher's archive, as ``sha256:...`` or ``md5:...``."""
    package: Package | None = None
    """Carries the ratings."""
    credits_package: Package | None = None
    """Carries directors or casts by the data set's own movie ids."""
    generate: Callable[[], RawDataset] | None = None
    """Makes the rows; for data sets that are not read from files."""
    own: OwnFiles | None = None
    """For data sets whose files the user may name."""
    can_drop_rows: bool = False
    """Whether its reader counts the rows that hold an impossible value."""
    aliases: tuple[str, ...] = ()
    """Further names under which folders and archives of the data set are found."""

    @property
    def names(self) -> tuple[str, ...]:
        """How folders and archives of the data set are usually called."""
        stem = "" if self.address is None else self.address.rsplit("/", 1)[-1].removesuffix(".zip")
        return (self.folder, *((stem,) if stem not in {"", self.folder} else ()), *self.aliases)
