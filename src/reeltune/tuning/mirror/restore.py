"""Brings a mirrored study to a machine that has not seen it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reeltune.errors import EngineError, StudyError
from reeltune.files import part_path
from reeltune.object_storage import ObjectStorage, below, split_name
from reeltune.tuning.mirror.lease import (
    LEASE,
    MirrorState,
    check_free,
    check_same_study,
    read_lease,
)
from reeltune.tuning.mirror.uploader import Uploader
from reeltune.tuning.study.folder import Study

N_STREAMS = 8
"""Objects fetched at once: most are small, and a request costs more than its bytes."""


def restore_study(
    address: str,
    root: Path,
    *,
    is_taking_over: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Path:
    """Return the folder under ``root`` of the study at ``address``, fetched unless it is there.

    Args:
        address: Of the study, e.g. ``s3://bucket/studies/NAME``.
        root: Folder of the studies; the study's own is whole or absent.
        is_taking_over: Fetch it although a driver holds it that may live.
        notify: Receives lines of progress.

    Raises:
        ConfigError: The address is malformed.
        StudyError: There is no study, a driver holds it, or another study of its name is under ``root``.
        EngineError: The storage fails, or the disk is full.
    """
    above, name = split_name(address)
    storage = ObjectStorage.open_checked(address)
    if storage.read("study.json") is None:
        raise StudyError(
            f"no study at {address}; its address is that given as --storage and the study's name after it"
        )
    return _restored(storage, above, root / name, is_taking_over=is_taking_over, notify=notify)


def _restored(
    storage: ObjectStorage,
    above: str,
    directory: Path,
    *,
    is_taking_over: bool,
    notify: Callable[[str], None],
) -> Path:
    """Return ``directory`` with the study at ``storage``, which lies under the address ``above``."""
    if (directory / "study.json").is_file():
        check_same_study(storage, directory)
    elif directory.exists() and any(directory.iterdir()):
        raise StudyError(f"{directory} is a folder but no study; choose another --studies")
    else:
        if not is_taking_over:
            check_free(storage, read_lease(storage))
        _fetch(storage, directory, above, notify)
    study = Study.open(directory)
    if study.spec.study.storage != above:  # the mirror was copied to another place
        settings = study.spec.study.model_copy(update={"storage": above})
        Study.create(directory, study.spec.model_copy(update={"study": settings}), study.ledger)
    return directory


def restore_if_there(
    address: str,
    directory: Path,
    *,
    is_taking_over: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> None:
    """Fetch the study that is to be in ``directory`` if one of its name lies under ``address``.

    Raises:
        ConfigError: The address is malformed.
        StudyError: A driver holds the study there, or that in ``directory`` is another one.
        EngineError: The storage does not answer or may not be written, or the disk is full.
    """
    whole = below(address, directory.name)
    storage = ObjectStorage.open_checked(whole)
    if storage.read("study.json") is not None:
        above, _ = split_name(whole)
        _restored(storage, above, directory, is_taking_over=is_taking_over, notify=notify)


def _fetch(storage: ObjectStorage, directory: Path, above: str, notify: Callable[[str], None]) -> None:
    lease = read_lease(storage)
    sizes = storage.sizes()
    names = [name for name in sizes if name != LEASE and not _is_hidden(name)]
    notify(
        f"fetching {len(names)} files, {sum(sizes[n] for n in names) / 1e6:.1f} MB, from {storage.address}"
    )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        part = part_path(directory)
        part.mkdir()
    except OSError as error:
        raise EngineError(
            f"cannot write {directory.parent}: {error.strerror}; choose another --studies"
        ) from error
    try:
        uploaders = [Uploader(part, storage) for _ in range(N_STREAMS)]
        with ThreadPoolExecutor(N_STREAMS) as pool:
            shares = [names[first::N_STREAMS] for first in range(N_STREAMS)]
            list(pool.map(lambda uploader, share: uploader.receive(share), uploaders, shares))
        state = MirrorState.read(part, above)
        state.seen = lease.token if lease is not None else ""
        for uploader in uploaders:
            state.sent |= uploader.sent
        state.write()
        part.replace(directory)
    except OSError as error:
        raise EngineError(f"cannot make {directory}: {error.strerror}; choose another --studies") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _is_hidden(name: str) -> bool:
    """Return whether an object is none of the study's files; also keeps ``..`` out of paths."""
    return any(part.startswith(".") or not part for part in name.split("/"))
