"""Prepared data on a node of a cluster: where they are seen, else a copy unpacked once."""

from __future__ import annotations

import platform
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from reeltune.data.cache import cache_lock, cache_root
from reeltune.errors import EngineError
from reeltune.files import atomic_path
from reeltune.object_storage import ObjectStorage

__all__ = ["ARCHIVE", "fetch_data", "pack_data", "unpack_data"]

ARCHIVE = ".data.tar"
"""In the study's folder while a cluster runs it: the prepared data without what is held out."""

LEFT_OUT = "held_out"


def pack_data(data_directory: Path, study_directory: Path) -> None:
    """Write the prepared data, what is held out excepted, into the study's folder for the nodes."""

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if LEFT_OUT in Path(member.name).parts else member

    try:
        with atomic_path(study_directory / ARCHIVE) as part, tarfile.open(part, "w") as archive:
            archive.add(data_directory, arcname=data_directory.name, filter=keep)
    except OSError as error:
        raise EngineError(f"cannot pack the data for the nodes: {error.strerror or error}") from error


def unpack_data(
    data_directory: str, study_directory: str, notify: Callable[[str], None] = lambda _: None
) -> str:
    """Return a folder of the prepared data that this node sees, unpacked by the first trial that asks.

    Raises:
        EngineError: The node sees neither the data nor the study's folder, or its disk is full.
    """
    archive = Path(study_directory) / ARCHIVE
    if Path(data_directory).exists() or not archive.exists():
        return data_directory
    return str(_unpacked(Path(data_directory).name, notify, lambda _: archive))


def fetch_data(
    data_directory: str, storage: ObjectStorage, notify: Callable[[str], None] = lambda _: None
) -> str:
    """Return a folder of the prepared data that this node sees, fetched by the first trial that asks.

    Raises:
        EngineError: The storage has no archive of the data or fails, or the node's disk is full.
    """
    if Path(data_directory).exists():
        return data_directory

    def fetch(part: Path) -> Path:
        archive = part / ARCHIVE
        if not storage.fetch(ARCHIVE, archive):
            raise EngineError(f"the data are neither at {data_directory} nor at {storage.address}")
        return archive

    return str(_unpacked(Path(data_directory).name, notify, fetch))


def _unpacked(name: str, notify: Callable[[str], None], archive: Callable[[Path], Path]) -> Path:
    """Return the node's own folder ``name`` of the data; what ``archive`` returns is unpacked once."""
    home = cache_root() / "nodes"
    with cache_lock(f"node-{name}", notify):
        if not (home / name).exists():
            part = home / f".{name}.part"
            try:
                shutil.rmtree(part, ignore_errors=True)  # of a copy that was cut off
                with tarfile.open(archive(part)) as packed:
                    if safe := getattr(tarfile, "data_filter", None):  # not before Python 3.11.4
                        packed.extraction_filter = safe
                    packed.extractall(part)
                (part / name).rename(home / name)
                shutil.rmtree(part)
            except OSError as error:
                reason = error.strerror or str(error)
                raise EngineError(f"cannot unpack the data on {platform.node()}: {reason}") from error
    return home / name
