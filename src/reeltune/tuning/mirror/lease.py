"""Which driver a mirrored study belongs to, and what this machine's folder knows of the mirror."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shlex
import threading
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reeltune.data.prepared import Ledger
from reeltune.errors import StudyError, first_line
from reeltune.files import read_json, write_json
from reeltune.object_storage import ObjectStorage, below
from reeltune.tuning.mirror.uploader import Stamp
from reeltune.tuning.study.folder import Study

LEASE = "driver.json"
"""Beside the mirrored files: the last driver."""

STATE_FILE = ".storage.json"
"""In the study's folder; stays on the machine."""


@dataclass(frozen=True)
class Lease:
    """The last driver of a mirrored study."""

    token: str
    holder: str | None  # in words; None when it has ended in order
    since: str  # ISO 8601 in UTC


@dataclass
class MirrorState:
    """What a study's folder knows of its mirror."""

    path: Path
    address: str
    own: str = ""  # token of the last lease that was made from this folder
    seen: str = ""  # token that the storage held when this folder was last equal to it
    remote: set[int] = field(default_factory=set)  # trials whose own files are in the storage, not here
    sent: dict[str, Stamp] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, directory: Path, address: str) -> MirrorState:
        """Return what the study in ``directory`` knows of its mirror at ``address``.

        Raises:
            StudyError: The file is damaged.
        """
        path = directory / STATE_FILE
        if not path.exists():
            return cls(path, address)
        try:
            value = read_json(path)
            sent = {str(name): (int(size), int(time)) for name, (size, time) in value["sent"].items()}
            own, seen, remote = str(value["own"]), str(value["seen"]), {int(n) for n in value["away"]}
            is_same = value["address"] == address
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise StudyError(
                f"{path} is damaged ({first_line(error)}); fetch the study again under another --studies, "
                "with `reeltune resume ADDRESS/NAME`"
            ) from error
        return cls(path, address, own, seen, remote, sent if is_same else {})

    def write(self) -> None:
        """Write the file."""
        with self.lock:
            plain: dict[str, Any] = {"address": self.address, "own": self.own, "seen": self.seen}
            write_json(self.path, plain | {"away": sorted(self.remote), "sent": dict(self.sent)})


def read_lease(storage: ObjectStorage) -> Lease | None:
    """Return the lease on the study at ``storage``, None where there is none.

    Raises:
        StudyError: It is damaged.
        EngineError: The storage fails.
    """
    data = storage.read(LEASE)
    if data is None:
        return None
    try:
        return Lease(**json.loads(data))
    except (ValueError, TypeError) as error:
        raise StudyError(
            f"{below(storage.address, LEASE)} is damaged ({first_line(error)}); remove it when no driver "
            "runs the study"
        ) from error


def check_free(storage: ObjectStorage, lease: Lease | None) -> None:
    """Check that no driver holds the study.

    Raises:
        StudyError: One does, or died without a word.
    """
    if lease is not None and lease.holder is not None:
        raise StudyError(
            f"{storage.address} is being run by {lease.holder} since {lease.since}; wait for it or stop it; "
            f"if it is dead, go on in its place with: {_resume(storage)} --take-over"
        )


def check_same_study(storage: ObjectStorage, directory: Path) -> None:
    """Check that ``storage`` is empty or mirrors the study in ``directory``.

    Raises:
        StudyError: Another study is there.
        EngineError: The storage fails.
    """
    data = storage.read("study.json")
    if data is None:
        return
    try:
        record = json.loads(data)
        there = (record["created"], record["name"], Ledger.model_validate(record["ledger"]))
    except (ValueError, TypeError, KeyError) as error:
        raise StudyError(
            f"{below(storage.address, 'study.json')} is damaged ({first_line(error)}); choose another "
            "--storage"
        ) from error
    here = Study.open(directory)
    if there != (here.created, here.first_name, here.ledger):
        raise StudyError(
            f"{storage.address} holds another study, made {there[0]}, than {directory}, made {here.created}; "
            "choose another --name, --storage or --studies"
        )


def take(storage: ObjectStorage, state: MirrorState, study: Study, *, is_taking_over: bool) -> None:
    """Take the lease on the mirror of ``study`` for this process.

    Raises:
        StudyError: Another study is there, another driver holds it, or it was resumed elsewhere.
        EngineError: The storage fails.
    """
    check_same_study(storage, study.directory)
    lease = read_lease(storage)
    if lease is not None and lease.token != state.own:  # a lease of its own is that of a run that died
        if lease.token != state.seen:
            is_held = lease.holder is not None
            by = f"is being run by {lease.holder}" if is_held else "was resumed elsewhere"
            raise StudyError(
                f"{storage.address} {by} since {lease.since}, and {study.directory} does not know how; to go "
                f"on with it here, remove that folder (`reeltune rm {study.name}`) or choose another "
                f"--studies, then `{_resume(storage)}{' --take-over' if is_held else ''}`"
            )
        if not is_taking_over:
            check_free(storage, lease)
    state.seen = lease.token if lease is not None else ""
    state.own = secrets.token_hex(8)
    state.write()
    _write(storage, state.own, f"process {os.getpid()} on {platform.node()}")


def check_held(storage: ObjectStorage, state: MirrorState) -> None:
    """Check that the lease is still this folder's.

    Raises:
        StudyError: Another driver took the study over.
        EngineError: The storage fails.
    """
    lease = read_lease(storage)
    if lease is None or lease.token != state.own:
        by = "another driver" if lease is None or lease.holder is None else lease.holder
        raise StudyError(
            f"{storage.address} was taken over by {by}; this run stops and sends nothing more; to come back "
            f"to it here: reeltune rm {state.path.parent.name}, then {_resume(storage)}"
        )


def give_back(storage: ObjectStorage, state: MirrorState) -> None:
    """Write that the run ended in order.

    Raises:
        EngineError: The storage fails.
    """
    _write(storage, state.own, None)


def _resume(storage: ObjectStorage) -> str:
    return f"reeltune resume {shlex.quote(storage.address)}"


def _write(storage: ObjectStorage, token: str, holder: str | None) -> None:
    lease = Lease(token, holder, datetime.now(UTC).isoformat(timespec="seconds"))
    storage.write(LEASE, json.dumps(asdict(lease), indent=2).encode())
