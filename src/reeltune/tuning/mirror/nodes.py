"""What every node of a cluster must see: the data, and the study's folder or its object storage."""

from __future__ import annotations

import platform
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reeltune.data.sources.cache import cache_lock, cache_root
from reeltune.errors import ConfigError, EngineError, ReeltuneError
from reeltune.files import atomic_path
from reeltune.object_storage import ObjectStorage, below, is_address
from reeltune.tuning.study.folder import Study

ARCHIVE = ".data.tar"
"""Beside the study's files while a cluster runs it: the prepared data without what is held out."""

LEFT_OUT = "held_out"

Ask = Callable[..., list[dict[str, Any]]]
"""Calls a function on every node, with the node's name before the arguments given; returns the answers."""


def prepare_folder(ask: Ask, study_directory: Path, data_directory: Path) -> None:
    """Check that every node can read and write the study's folder; pack the data if one does not see them.

    Raises:
        ConfigError: A node does not see the folder.
        EngineError: A node did not answer, or the data cannot be packed.
    """
    token = secrets.token_hex(8)
    asked = study_directory / f".nodes-{token}"
    asked.write_text(token, encoding="utf-8")
    try:
        answers = ask(_look, str(study_directory), token, str(data_directory))
        for answer in answers:
            if not answer["is_shared"] or not Path(f"{asked}-{answer['node']}").exists():
                raise ConfigError(
                    f"node {answer['host']} does not see the study's folder {study_directory}; give "
                    "--studies a folder that every node has under the same path (NFS, EFS, a shared volume), "
                    "or --storage an address of object storage (s3://BUCKET/PREFIX)"
                )
        if not all(answer["has_data"] for answer in answers):
            pack_data(data_directory, study_directory)
    finally:
        for left in study_directory.glob(f".nodes-{token}*"):
            left.unlink(missing_ok=True)


def prepare_storage(ask: Ask, study_directory: Path, data_directory: Path, storage: ObjectStorage) -> None:
    """Check that every node can read and write ``storage``, and send it the data for them.

    Raises:
        ConfigError: A node does not reach the storage.
        EngineError: The storage fails, a node did not answer, or the data cannot be packed.
    """
    token = secrets.token_hex(8)
    asked = f".nodes-{token}"
    storage.write(asked, token.encode())
    answers: list[dict[str, Any]] = []
    try:
        answers = ask(_look_at_storage, storage.address, asked, token)
        for answer in answers:
            if answer["problem"]:
                raise ConfigError(
                    f"node {answer['host']} does not share the storage: {answer['problem']} (each node needs "
                    "credentials of its own, in its environment or from its cloud)"
                )
    finally:
        for name in (asked, *(f"{asked}-{answer['node']}" for answer in answers)):
            storage.remove(name)
    pack_data(data_directory, study_directory)
    try:
        storage.send(study_directory / ARCHIVE, ARCHIVE)
    finally:
        (study_directory / ARCHIVE).unlink(missing_ok=True)


def _look(node: str, study_directory: str, token: str, data_directory: str) -> dict[str, Any]:
    """Runs on a node: say what is seen there, and answer into the study's folder."""
    asked = Path(study_directory) / f".nodes-{token}"
    try:
        is_shared = asked.read_text(encoding="utf-8") == token
        Path(f"{asked}-{node}").write_text(token, encoding="utf-8")
    except OSError:
        is_shared = False
    has_data = Path(data_directory).exists()
    return {"node": node, "host": platform.node(), "is_shared": is_shared, "has_data": has_data}


def _look_at_storage(node: str, address: str, asked: str, token: str) -> dict[str, Any]:
    """Runs on a node: say whether the driver's object is seen there, and write one."""
    problem = ""
    try:
        storage = ObjectStorage.open_checked(address)
        if storage.read(asked) != token.encode():
            problem = f"{address} is another place there than on the driver's machine"
        storage.write(f"{asked}-{node}", token.encode())
    except ReeltuneError as error:
        problem = str(error)
    return {"node": node, "host": platform.node(), "problem": problem}


def pack_data(data_directory: Path, study_directory: Path) -> None:
    """Write the prepared data, what is held out excepted, into the study's folder for the nodes."""

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if LEFT_OUT in Path(member.name).parts else member

    try:
        with atomic_path(study_directory / ARCHIVE) as part, tarfile.open(part, "w") as archive:
            archive.add(data_directory, arcname=data_directory.name, filter=keep)
    except OSError as error:
        raise EngineError(f"cannot pack the data for the nodes: {error.strerror or error}") from error


def node_data(data_directory: str, source: str) -> str:
    """Return a folder of the prepared data that this node sees, unpacked by the first trial that asks.

    ``source`` holds the archive where a node does not: the study's folder, or its storage's address.

    Raises:
        EngineError: The storage has no archive of the data or fails, or the node's disk is full.
    """
    if Path(data_directory).exists() or not (is_address(source) or (Path(source) / ARCHIVE).exists()):
        return data_directory
    name = Path(data_directory).name
    home = cache_root() / "nodes"
    with cache_lock(f"node-{name}", lambda _: None):
        if not (home / name).exists():
            part = home / f".{name}.part"
            try:
                shutil.rmtree(part, ignore_errors=True)  # of a copy that was cut off
                with tarfile.open(_archive(data_directory, source, part)) as packed:
                    if safe := getattr(tarfile, "data_filter", None):  # not before Python 3.11.4
                        packed.extraction_filter = safe
                    packed.extractall(part)
                (part / name).rename(home / name)
                shutil.rmtree(part)
            except OSError as error:
                reason = error.strerror or str(error)
                raise EngineError(f"cannot unpack the data on {platform.node()}: {reason}") from error
    return str(home / name)


def _archive(data_directory: str, source: str, part: Path) -> Path:
    if not is_address(source):
        return Path(source) / ARCHIVE
    if not ObjectStorage(source).fetch(ARCHIVE, part / ARCHIVE):
        raise EngineError(f"the data are neither at {data_directory} nor at {source}")
    return part / ARCHIVE


@contextmanager
def data_for_jobs(study: Study, data_directory: Path, ask: Ask | None) -> Iterator[str]:
    """Yield the source of :func:`node_data` for jobs of ``study`` while they run; ``ask`` reaches a cluster.

    Raises:
        ConfigError: A node sees neither the study's folder nor its storage.
        EngineError: The storage fails, a node did not answer, or the data cannot be packed.
    """
    address = study.spec.study.storage if ask is not None else None
    try:
        if ask is not None and address is not None:
            storage = ObjectStorage.open_checked(below(address, study.name))
            try:
                prepare_storage(ask, study.directory, data_directory, storage)
                yield storage.address
            finally:
                storage.remove(ARCHIVE)
            return
        if ask is not None:
            prepare_folder(ask, study.directory, data_directory)
        yield str(study.directory)
    finally:
        (study.directory / ARCHIVE).unlink(missing_ok=True)
