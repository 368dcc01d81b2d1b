"""A trial on a machine that does not share the study's folder: its files pass through object storage."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from reeltune.errors import EngineError
from reeltune.object_storage import ObjectStorage
from reeltune.tuning.mirror.nodes import node_data
from reeltune.tuning.mirror.uploader import ROW_FILES, Uploader, trial_prefix
from reeltune.tuning.trial.job import TrialJob

WAITS = (1.0, 5.0, 15.0, 30.0)
"""Seconds between attempts: a storage that is back within a minute costs no trial its place."""

T = TypeVar("T")


@contextlib.contextmanager
def remote_trial(job: TrialJob) -> Iterator[tuple[TrialJob, Callable[[], None]]]:
    """Yield ``job`` as this machine can run it, and what sends its files; to be called before each report.

    Where the study's folder is seen, the job runs in it and nothing is sent. Else it is moved into a folder
    of this machine, with what was sent of it before: what a report says then outlives the machine. That
    folder is removed at the end.

    Raises:
        EngineError: The study's folder is not seen, its storage failed for a minute, or the disk is full.
    """
    if job.storage:
        with _moved(job) as moved:
            yield moved
        return
    study = Path(job.study_directory)
    if not (study / "study.json").exists():  # a node that joined the cluster late
        raise EngineError(
            f"node {platform.node()} does not see the study's folder {study}; share it, or give --storage an "
            "address of object storage"
        )
    yield replace(job, data_directory=node_data(job.data_directory, str(study))), lambda: None


@contextlib.contextmanager
def _moved(job: TrialJob) -> Iterator[tuple[TrialJob, Callable[[], None]]]:
    storage = _patiently(functools.partial(_open, job.storage))
    root = _scratch(job)
    uploader = Uploader(root, storage)
    try:
        prefix = trial_prefix(job.number)
        found = _patiently(functools.partial(storage.sizes, prefix))
        names = [name for name in found if Path(name).name not in ROW_FILES]
        _patiently(functools.partial(uploader.receive, names))
        origin = root / ".origin.ckpt"
        if job.origin:
            name = str(Path(job.origin).relative_to(job.study_directory))
            if not _patiently(functools.partial(storage.fetch, name, origin)):
                raise EngineError(f"trial {job.number} resumes from {name}, which {storage.address} lacks")
        moved = replace(
            job,
            directory=str(root / prefix),
            study_directory=str(root),
            data_directory=_patiently(functools.partial(node_data, job.data_directory, job.storage)),
            origin=str(origin) if job.origin else "",
        )
        Path(moved.directory).mkdir(parents=True, exist_ok=True)
        yield moved, lambda: _patiently(lambda: uploader.send_changed(uploader.names()))
    finally:
        with contextlib.suppress(EngineError):
            uploader.send_changed(uploader.names())  # what the loggers wrote last
        shutil.rmtree(root, ignore_errors=True)


@functools.lru_cache(maxsize=4)
def _open(address: str) -> ObjectStorage:
    return ObjectStorage(address)  # a reused worker keeps its connections


def _patiently(call: Callable[[], T]) -> T:
    """Return what ``call`` returns, tried again for a minute while the storage fails."""
    for wait in WAITS:
        try:
            return call()
        except EngineError:
            time.sleep(wait)
    return call()


def _scratch(job: TrialJob) -> Path:
    """Return a new folder for the trial, and remove those that killed workers of this machine left."""
    beginning = f"reeltune-trial-{platform.node()}-"
    home = Path(tempfile.gettempdir())
    for path in home.glob(f"{beginning}*"):
        process = re.fullmatch(r".*-(\d+)", path.name)
        if process is not None and not Path(f"/proc/{process[1]}").exists() and Path("/proc/self").exists():
            shutil.rmtree(path, ignore_errors=True)
    root = home / f"{beginning}{job.study_id}-{job.number:05d}-{os.getpid()}"
    shutil.rmtree(root, ignore_errors=True)
    try:
        root.mkdir(mode=0o700)
    except OSError as error:
        raise EngineError(f"cannot make {root} on {platform.node()}: {error.strerror}") from error
    return root
