"""Prepared data on a node of a cluster: the shared folder where it is seen, else a copy unpacked once."""

from __future__ import annotations

import platform
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from reeltune.data.cache import cache_lock
from reeltune.data.sources import cache_root
from reeltune.errors import EngineError
from reeltune.files import atomic_path

__all__ = ["ARCHIVE", "pack_data", "unpack_data"]

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
    name = Path(data_directory).name
    home = cache_root() / "nodes"
    with cache_lock(f"node-{name}", notify):
        if not (home / name).exists():
            part = home / f".{name}.part"
            try:
                shutil.rmtree(part, ignore_errors=True)  # of a copy that was cut off
                with tarfile.open(archive) as packed:
                    packed.extractall(part, filter="data")
                (part / name).rename(home / name)
                part.rmdir()
            except OSError as error:
                reason = error.strerror or str(error)
                raise EngineError(f"cannot unpack the data on {platform.node()}: {reason}") from error
    return str(home / name)
