"""Finds a data set: folders and archives that are given, the cache, the publisher, a package registry.

Each place that fails says so in one line and the next is tried. What is found is held to its checksums.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reeltune.data.interactions import RawDataset
from reeltune.data.sources.cache import cache_lock, cache_root, sources_root
from reeltune.data.sources.download import Notify, fetch_address, package_archive
from reeltune.data.sources.source import FileSet, KnownDataset, Layout, readable
from reeltune.errors import DataError, EngineError
from reeltune.files import write_text


@dataclass(frozen=True)
class Found:
    """A source whose contents were checked."""

    origin: str
    """Where it is, for messages."""
    identity: str
    """SHA-256 over the contents."""
    read: Callable[[], RawDataset]
    """Reads and checks the rows."""


def given_folders(data_dir: Path | None) -> list[Path]:
    """Return the folders to look into first: ``data_dir``, and what ``REELTUNE_DATA`` names."""
    named = os.environ.get("REELTUNE_DATA")
    return [*([data_dir] if data_dir is not None else []), *([Path(named).expanduser()] if named else [])]


class Search:
    """The search for one data set, place by place.

    ``own`` are the user's own files, looked for instead of the data set's.
    """

    def __init__(
        self,
        dataset: KnownDataset,
        notify: Notify,
        *,
        data_dir: Path | None = None,
        own: Layout | None = None,
    ) -> None:
        if data_dir is not None and not data_dir.exists():
            raise DataError(f"--data-dir {data_dir} does not exist; give a folder or an archive")
        self._dataset, self._notify, self._data_dir, self._own = dataset, notify, data_dir, own
        self._failures: list[str] = []
        self._n_reported = 0

    def failed(self, message: str) -> None:
        """Remember that a place failed: :meth:`report` says so if another one works, else :meth:`error`."""
        self._failures.append(message)

    def report(self) -> None:
        """Notify of the failures since the last call."""
        for message in self._failures[self._n_reported :]:
            self._notify(message)
        self._n_reported = len(self._failures)

    def error(self) -> DataError:
        """Return the error for the case that no place worked."""
        reasons = "; ".join(self._failures)
        if self._own is not None:
            return DataError(reasons)
        remedy = (
            "Mend or replace what --data-dir names" if self._data_dir else "Give a folder with --data-dir"
        )
        return DataError(f"no source of {self._dataset.folder} works: {reasons}. {remedy}")

    def given(self) -> Iterator[Found]:
        """Yield what the given folders hold; files that the config names also from the working directory."""
        folders = given_folders(self._data_dir)
        if self._own is not None:
            files = FileSet(_folder_of([*folders, Path()], self._own.files))
            yield self._found(self._own, files, _checked_identity(self._own, files))
            return
        for folder in folders:
            yield from self._look(folder)

    def offered(self) -> Iterator[Found]:
        """Yield what the cache holds, then what the publisher and the package registry offer."""
        if self._dataset.generate is not None:
            yield Found("generated", "generated", self._dataset.generate)
            return
        if self._dataset.address is None:
            if self._own is None and not self._failures:
                self.failed("nobody offers it for download, and no folder is named")
            return
        for place in (self._cached, self._published, self._packaged):
            try:
                path = place()
            except (DataError, EngineError) as error:
                self.failed(str(error))
                continue
            if path is not None:
                yield from self._look(path)

    def _cached(self) -> Path | None:
        folder = sources_root() / self._dataset.folder
        return folder if folder.is_dir() else None

    def _published(self) -> Path | None:
        dataset, address = self._dataset, self._dataset.address
        assert address is not None
        target = sources_root() / dataset.folder / address.rsplit("/", 1)[-1]
        self._notify(
            f"fetching {address} ({dataset.size_bytes / 1e6:.1f} MB). Licence: {dataset.licence}. "
            f"Cite: {dataset.citation}"
        )
        with cache_lock(dataset.folder, self._notify):
            fetch_address(address, target, self._notify, checksum=dataset.archive_checksum)
        return target

    def _packaged(self) -> Path | None:
        package = self._dataset.package
        if package is None:
            return None
        return package_archive(package, self._dataset.folder, "the copy", self._notify, is_renewed=True)

    def _look(self, path: Path) -> Iterator[Found]:
        n_failures, n_found = len(self._failures), 0
        try:
            for layout, files in self._file_sets(path):
                n_found += 1
                try:
                    identity = _checked_identity(layout, files)
                except DataError as error:
                    self.failed(str(error))
                else:
                    yield self._found(layout, files, identity)
        except OSError as error:
            self.failed(f"cannot read {path}: {error.strerror or error}")
            return
        if not n_found and len(self._failures) == n_failures:
            wanted = " or ".join(" + ".join(layout.files) for layout in self._dataset.layouts)
            self.failed(f"{path} holds no {self._dataset.folder} ({wanted})")

    def _file_sets(self, path: Path) -> Iterator[tuple[Layout, FileSet]]:
        """Yield where ``path`` holds the data set.

        ``path`` may be the folder of the files, an archive, or a folder that holds either: a
        subfolder with a usual name, or archives whose names begin so, at both levels.
        """
        if path.is_file():
            yield from self._in_archive(path)
            return
        names = self._dataset.names
        places = [path, *(path / name for name in names)]
        for place in places:
            files = FileSet(place)
            yield from ((layout, files) for layout in self._dataset.layouts if layout.is_in(files))
        for place in places:
            for pattern in (*(f"{name}*.zip" for name in names), "*.whl"):
                for archive in sorted(place.glob(pattern)):
                    yield from self._in_archive(archive)

    def _in_archive(self, path: Path) -> Iterator[tuple[Layout, FileSet]]:
        try:
            with readable(str(path)), zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except DataError as error:
            self.failed(str(error))
            return
        members: dict[str, list[str]] = {}
        for name in names:
            folder, slash, last = name.rpartition("/")
            members.setdefault(folder + slash, []).append(last)
        for layout in self._dataset.layouts:
            for prefix, inside in sorted(members.items()):
                if all(fnmatch.filter(inside, name) for name in layout.files):
                    yield layout, FileSet(path, prefix, is_archive=True)

    def _found(self, layout: Layout, files: FileSet, identity: str) -> Found:
        wanted = self._dataset.n_rows

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


def _folder_of(folders: list[Path], names: tuple[str, ...]) -> Path:
    """Return the first of ``folders`` that holds all files ``names``."""
    for folder in folders:
        if all((folder / name).is_file() for name in names):
            return folder.absolute()
    for name in names:
        places = list(dict.fromkeys(folder.absolute() / name for folder in folders))
        is_folder = next((place for place in places if place.is_dir()), None)
        if is_folder is not None:
            raise DataError(f"{is_folder} is a folder; name the file in it")
        if not any(place.is_file() for place in places):
            raise DataError(
                f"no such file: {', '.join(map(str, places))}; paths count from the experiment file, or give "
                "the folder with --data-dir"
            )
    raise DataError(f"{' and '.join(names)} lie in different folders; give both as whole paths")


def _checked_identity(layout: Layout, files: FileSet) -> str:
    """Hold the files to the layout's checksums; return a SHA-256 over their names and contents.

    The result is remembered in the cache by path, size and time of change, so that large
    files are read once.
    """
    memory = cache_root() / "checked" / _memory_name(layout, files)
    with contextlib.suppress(OSError):
        return memory.read_text(encoding="utf-8")
    digest = hashlib.sha256(layout.name.encode())
    for name in layout.present(files):
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
    names = [files.resolve(name) or name for name in layout.present(files)]
    paths = [files.path] if files.is_archive else [files.path / name for name in names]
    stats = [(str(path.resolve()), path.stat()) for path in paths]
    facts = [(name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats]
    pinned = sorted(layout.sha256.items())
    return hashlib.sha256(repr((facts, files.prefix, names, pinned)).encode()).hexdigest()[:32]
