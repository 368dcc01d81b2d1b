"""Finds a data set, link by link: folder, cache, publisher's address, package.

Each link that fails says so in one line and the next is tried.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reeltune.data.cache import cache_lock, sources_root
from reeltune.data.dataset_entry import DatasetEntry
from reeltune.data.download import Notify, fetch_address, fetch_package
from reeltune.data.interactions import RawDataset
from reeltune.data.sources import FileSet, Layout, checked_identity, find_file_sets
from reeltune.errors import DataError, EngineError

__all__ = ["Found", "SourceChain"]


@dataclass(frozen=True)
class Found:
    """A source whose contents were checked."""

    origin: str
    """Where it is, for people."""
    identity: str
    """SHA-256 over the contents."""
    read: Callable[[], RawDataset]
    """Reads and checks the rows."""


class SourceChain:
    """The links of one data set, in the order in which they are tried.

    Args:
        entry: The data set.
        notify: Receives a line for each link that fails and for each download.
        own: The user's own files, looked for instead of the data set's; None where none are named.
    """

    def __init__(self, entry: DatasetEntry, notify: Notify, own: Layout | None = None) -> None:
        self._entry = entry
        self._notify = notify
        self._own = own
        self._failures: list[str] = []
        self._n_told = 0
        self._is_given = False

    def failed(self, message: str) -> None:
        """Remember that a link failed; :meth:`tell` says so where another one works, else :meth:`error`."""
        self._failures.append(message)

    def tell(self) -> None:
        """Notify of the failures since the last call."""
        for message in self._failures[self._n_told :]:
            self._notify(message)
        self._n_told = len(self._failures)

    def error(self) -> DataError:
        """Return the error for the case that no link worked."""
        reasons = "; ".join(self._failures)
        if self._own is not None:
            return DataError(reasons)
        remedy = (
            "Mend or replace what --data-dir names" if self._is_given else "Give a folder with --data-dir"
        )
        return DataError(f"no source of {self._entry.folder} works: {reasons}. {remedy}")

    def given(self, data_dir: Path | None) -> Iterator[Found]:
        """Yield what is in ``data_dir`` and in the folder that ``REELTUNE_DATA`` names.

        Files that the config names are looked for there and in the working directory.

        Raises:
            DataError: ``data_dir`` does not exist.
        """
        if data_dir is not None and not data_dir.exists():
            raise DataError(f"--data-dir {data_dir} does not exist; give a folder or an archive")
        self._is_given = data_dir is not None
        named = os.environ.get("REELTUNE_DATA")
        folders = [data_dir] if data_dir is not None else []
        folders += [Path(named).expanduser()] if named else []
        if self._own is not None:
            yield from self._look_for_own([*folders, Path()], self._own)
            return
        for folder in folders:
            yield from self._look(folder)

    def cached_or_fetched(self) -> Iterator[Found]:
        """Yield what the cache holds, then what the publisher and the package registry offer."""
        if self._entry.generate is not None:
            yield Found("generated", "generated", self._entry.generate)
            return
        if self._entry.address is None:
            if self._own is None and not self._failures:
                self.failed("nobody offers it for download, and no folder is named")
            return
        if (sources_root() / self._entry.folder).is_dir():
            yield from self._look(sources_root() / self._entry.folder)
        for fetch in (self._fetch_address, self._fetch_package):
            try:
                place = fetch()
            except (DataError, EngineError) as error:
                self.failed(str(error))
            else:
                if place is not None:
                    yield from self._look(place)

    def _look_for_own(self, folders: list[Path], own: Layout) -> Iterator[Found]:
        """Yield the files that the config names in the first of ``folders`` that has them.

        Raises:
            DataError: A file is nowhere, is a folder, or cannot be read.
        """
        for folder in folders:
            files = FileSet(folder.absolute())
            if all(files.has(name) for name in own.files):
                yield self._found(own, files, checked_identity(own, files))
                return
        for name in own.files:
            places = [folder.absolute() / name for folder in folders]
            if any(place.is_dir() for place in places):
                raise DataError(f"{next(p for p in places if p.is_dir())} is a folder; name the file in it")
            if not any(place.is_file() for place in places):
                looked = ", ".join(dict.fromkeys(str(place) for place in places))
                raise DataError(
                    f"no such file: {looked}; paths count from the experiment file, or give the folder with "
                    "--data-dir"
                )
        raise DataError(f"{' and '.join(own.files)} lie in different folders; give both as whole paths")

    def _fetch_address(self) -> Path | None:
        entry = self._entry
        assert entry.address is not None
        target = sources_root() / entry.folder / entry.address.rsplit("/", 1)[-1]
        self._notify(
            f"fetching {entry.address} ({entry.size_bytes / 1e6:.1f} MB). Licence: {entry.licence}. "
            f"Cite: {entry.citation}"
        )
        with cache_lock(entry.folder, self._notify):
            fetch_address(entry.address, target, self._notify, checksum=entry.archive_checksum)
        return target

    def _fetch_package(self) -> Path | None:
        entry, package = self._entry, self._entry.package
        if package is None:
            return None
        target = sources_root() / entry.folder / package.file_name
        self._notify(
            f"fetching the copy in the package {package.name} {package.version} "
            f"({package.size_bytes / 1e6:.1f} MB; opened, not installed)"
        )
        with cache_lock(entry.folder, self._notify):
            fetch_package(package, target)
        return target

    def _look(self, path: Path) -> Iterator[Found]:
        n_failures = len(self._failures)
        n_found = 0
        try:
            for layout, files in find_file_sets(path, self._entry.names, self._entry.layouts, self.failed):
                n_found += 1
                try:
                    identity = checked_identity(layout, files)
                except DataError as error:
                    self.failed(str(error))
                else:
                    yield self._found(layout, files, identity)
        except OSError as error:
            self.failed(f"cannot read {path}: {error.strerror or error}")
            return
        if not n_found and len(self._failures) == n_failures:
            wanted = " or ".join(" + ".join(layout.files) for layout in self._entry.layouts)
            self.failed(f"{path} holds no {self._entry.folder} ({wanted})")

    def _found(self, layout: Layout, files: FileSet, identity: str) -> Found:
        wanted = self._entry.n_rows

        def read() -> RawDataset:
            raw = layout.read(files)
            n_rows = raw.interactions.n_rows
            if wanted is not None and n_rows != wanted:
                raise DataError(
                    f"{files.label(layout.files[0])}: {n_rows:,} rows, the whole data set has {wanted:,}; "
                    "the file is cut or changed, get it again"
                )
            return raw

        return Found(f"{files.path} ({layout.name})", identity, read)
