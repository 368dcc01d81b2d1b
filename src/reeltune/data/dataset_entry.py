"""What is known of a data set before it is fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reeltune.data.interactions import RawDataset
from reeltune.data.readers.columns import Columns
from reeltune.data.sources import FileSet, Layout

__all__ = ["DatasetEntry", "OwnFiles", "Package"]


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
class DatasetEntry:
    """What is known of a data set before it is fetched."""

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
    people_package: Package | None = None
    """Carries directors or casts by the data set's own movie ids."""
    generate: Callable[[], RawDataset] | None = None
    """Makes the rows; for data sets that are not read from files."""
    own: OwnFiles | None = None
    """For data sets whose files the user may name."""
    aliases: tuple[str, ...] = ()
    """Further names under which folders and archives of the data set are found."""

    @property
    def names(self) -> tuple[str, ...]:
        """How folders and archives of the data set are usually called."""
        stem = "" if self.address is None else self.address.rsplit("/", 1)[-1].removesuffix(".zip")
        return (self.folder, *((stem,) if stem not in {"", self.folder} else ()), *self.aliases)
