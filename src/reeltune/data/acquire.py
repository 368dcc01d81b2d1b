"""Finds a data set, link by link: folder, cache, publisher's address, package.

Each link that fails says so in one line and the next is tried.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reeltune.data.cache import cache_lock, sources_root
from reeltune.data.datasets import DatasetEntry
from reeltune.data.download import Notify, fetch_address, fetch_package
from reeltune.data.interactions import RawDataset
from reeltune.data.sources import FileSet, Layout, check_contents, find_file_sets, identity
from reeltune.errors import DataError

__all__ = ["Found", "find"]


@dataclass(frozen=True)
class Found:
    """A source whose contents were checked."""

    origin: str
    """Where it is, for people."""
    identity: str
    """SHA-256 over the contents."""
    read: Callable[[], RawDataset]
    """Reads and checks the rows."""


def find(entry: DatasetEntry, data_dir: Path | None, notify: Notify) -> Iterator[Found]:
    """Yield the sources of a data set in the order of trust; fetches only when asked for the next.

    The order: ``data_dir``, the folder in ``REELTUNE_DATA``, the cache, the publisher's
    address, the package registry.

    Raises:
        DataError: ``data_dir`` does not exist; or, after the last source, the list of all that failed.
    """
    if entry.generate is not None:
        yield Found("generated", "generated", entry.generate)
        return
    failures: list[str] = []

    def failed(message: str) -> None:
        failures.append(message)
        notify(message)

    for path, title in _places(entry, data_dir):
        yield from _in_place(entry, path, title, failed)
    for fetch in _links(entry, notify):
        try:
            place = fetch()
        except DataError as error:
            failed(str(error))
        else:
            yield from _in_place(entry, place, str(place), failed)
    raise DataError(
        f"no source of {entry.folder} works; give a folder or the publisher's archive with --data-dir. "
        "Tried:\n  " + "\n  ".join(failures)
    )


def _places(entry: DatasetEntry, data_dir: Path | None) -> Iterator[tuple[Path, str]]:
    if data_dir is not None:
        if not data_dir.exists():
            raise DataError(f"--data-dir {data_dir} does not exist; give a folder or an archive")
        yield data_dir, f"--data-dir {data_dir}"
    named = os.environ.get("REELTUNE_DATA")
    if named:
        yield Path(named), f"REELTUNE_DATA {named}"
    yield sources_root() / entry.folder, "the cache"


def _links(entry: DatasetEntry, notify: Notify) -> Iterator[Callable[[], Path]]:
    folder = sources_root() / entry.folder
    address, package = entry.address, entry.package
    if address is not None:
        target = folder / address.rsplit("/", 1)[-1]

        def from_address() -> Path:
            notify(f"fetching {address} ({entry.size_bytes / 1e6:.1f} MB). Licence: {entry.licence}")
            with cache_lock(entry.folder, notify):
                fetch_address(address, target, notify)
            return target

        yield from_address
    if package is not None:
        wheel = folder / f"{package.name}-{package.version}.whl"

        def from_package() -> Path:
            size = package.size_bytes / 1e6
            notify(
                f"fetching the copy in the package {package.name} {package.version} ({size:.1f} MB; it is "
                f"opened, not installed). Licence of the data: {entry.licence}"
            )
            with cache_lock(entry.folder, notify):
                fetch_package(package, wheel)
            return wheel

        yield from_package


def _in_place(entry: DatasetEntry, path: Path, title: str, failed: Callable[[str], None]) -> Iterator[Found]:
    n_found = 0
    try:
        for layout, files in find_file_sets(path, entry.folder, entry.layouts):
            n_found += 1
            try:
                check_contents(layout, files)
            except DataError as error:
                failed(f"{title}: {error}")
                continue
            yield _found(entry, layout, files)
    except DataError as error:
        failed(f"{title}: {error}")
        return
    if not n_found:
        wanted = " or ".join(" + ".join(layout.files) for layout in entry.layouts)
        failed(f"{title}: {entry.folder} ({wanted}) is not there")


def _found(entry: DatasetEntry, layout: Layout, files: FileSet) -> Found:
    def read() -> RawDataset:
        raw = layout.read(files)
        n_rows = raw.interactions.n_rows
        if entry.n_rows is not None and n_rows != entry.n_rows:
            raise DataError(
                f"{files.label(layout.files[0])}: {n_rows:,} rows, the whole data set has {entry.n_rows:,}; "
                "the file is cut or changed, get it again"
            )
        return raw

    return Found(f"{files.path} ({layout.name})", identity(layout, files), read)
