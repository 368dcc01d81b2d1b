"""A study's folder mirrored to object storage while its driver runs.

::

    NAME/driver.json   the last driver; see :mod:`reeltune.tuning.mirror.lease`
    NAME/...           the study's folder, but for its database, its lock and names that begin with a dot

On a cluster the trials' own files pass through the storage: a trial works in a folder of its node and sends
before it reports; the driver fetches what it needs when the trial ends. Until then the trial is *remote*, and
what the storage holds of it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from reeltune.errors import EngineError, ReeltuneError, StudyError
from reeltune.object_storage import ObjectStorage, below
from reeltune.training.epochs import LAST_CHECKPOINT
from reeltune.tuning.mirror.lease import (
    MirrorState,
    check_held,
    give_back,
    read_lease,
    take,
)
from reeltune.tuning.mirror.nodes import ARCHIVE, Ask, prepare_folder, prepare_storage
from reeltune.tuning.mirror.uploader import ROW_FILES, TRIALS, Uploader, trial_prefix
from reeltune.tuning.study.folder import Study

LOGS = ("tensorboard", "wandb")
"""Folders of the study's that trials write besides their own."""


class SharedFolder:
    """The files of a study are in its folder alone, which every machine that runs its trials sees."""

    def __init__(self, study: Study) -> None:
        self._directory = study.directory

    def prepare(self, ask: Ask, data_directory: Path) -> None:
        """See that every node can run trials; see :func:`prepare_folder`."""
        prepare_folder(ask, self._directory, data_directory)

    def trial_begins(self, number: int) -> str:
        """Return that a trial writes into the study's folder."""
        return ""

    def trial_ended(self, number: int) -> None:
        """Do nothing."""

    def look(self) -> None:
        """Do nothing."""


class Mirror:
    """Sends what a study writes, behind its back; only :meth:`close` waits for the storage.

    A failure to send is reported once and tried again with the next trial.
    """

    def __init__(
        self,
        study: Study,
        storage: ObjectStorage,
        notify: Callable[[str], None],
        *,
        is_on_cluster: bool,
        is_taking_over: bool = False,
    ) -> None:
        """Take the lease on the mirror of ``study`` at ``storage``.

        Args:
            study: The study; its lock is held.
            storage: Of the study alone.
            notify: Receives warnings, in the thread that calls.
            is_on_cluster: Whether trials run on machines that do not share the study's folder.
            is_taking_over: Whether a lease that another driver left does not count.

        Raises:
            StudyError: Another study is there, another driver holds it, or it was resumed elsewhere.
            EngineError: The storage fails.
        """
        self.storage = storage
        self._study = study
        self._notify = notify
        self._is_on_cluster = is_on_cluster
        self._state = MirrorState.read(study.directory, study.spec.study.storage or "")
        take(storage, self._state, study, is_taking_over=is_taking_over)
        self._uploader = Uploader(study.directory, storage, self._state.sent)
        self._forget_what_is_not_there()
        finished = {row.number for row in study.rows() if row.state.is_finished}
        self._owed = self._state.remote & finished  # ended, but not fetched
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mirror")
        self._n_asked = self._n_done = 0
        self._problem: ReeltuneError | None = None
        self._is_told = False
        self._send_soon()

    def prepare(self, ask: Ask, data_directory: Path) -> None:
        """See that every node can run trials; see :func:`prepare_storage`."""
        prepare_storage(ask, self._study.directory, data_directory, self.storage)

    def trial_begins(self, number: int) -> str:
        """Return the address that the files of a trial pass through, empty if they lie in the study's folder.

        Raises:
            EngineError: The storage fails, and the trial's checkpoint is there, or has to be.
        """
        state = self._state
        if self._is_on_cluster and number not in state.remote:
            self._uploader.send_changed(self._uploader.names(trial_prefix(number)))
            state.remote.add(number)
            state.write()
        elif not self._is_on_cluster and number in state.remote:
            self._fetch(number, with_last=True)
        self._send_soon()
        return self.storage.address if self._is_on_cluster else ""

    def trial_ended(self, number: int) -> None:
        """Fetch what the study keeps of a remote trial, and send its row soon."""
        if number in self._state.remote:
            self._owed.add(number)
        try:
            self._fetch_owed()
        except EngineError as error:
            self._problem = error
        self._send_soon()

    def look(self) -> None:
        """Report a failure to send, once until sending succeeds.

        Raises:
            StudyError: Another driver took the study over.
        """
        problem = self._problem
        if isinstance(problem, StudyError):
            raise problem
        if problem is None:
            self._is_told = False
        elif not self._is_told:
            self._is_told = True
            self._notify(
                f"warning: {problem}; the study goes on, and sends again when a trial begins or ends"
            )

    def close(self) -> None:
        """Send the rest and give the lease back.

        Raises:
            StudyError: Another driver took the study over.
            EngineError: The storage fails; the message says how to send later.
        """
        self._pool.shutdown(wait=True, cancel_futures=True)
        try:
            self._fetch_owed()
            if self._is_on_cluster:
                self._fetch_logs()
                self.storage.remove(ARCHIVE)
            self._send()
            give_back(self.storage, self._state)
        except EngineError as error:
            raise EngineError(
                f"not all of the study is at {self.storage.address}: {error}; {self._study.directory} has "
                f"what the driver knows; to send it later: reeltune resume {self._study.name}"
            ) from error

    def abandon(self) -> None:
        """Send the rest if that is possible: the run broke off, and the error is reported by another."""
        if isinstance(self._problem, StudyError):
            self._pool.shutdown(wait=True, cancel_futures=True)
            return
        try:
            self.close()
        except ReeltuneError as error:
            self._notify(f"warning: {error}")

    def _send_soon(self) -> None:
        self._n_asked += 1
        self._pool.submit(self._catch_up, self._n_asked)

    def _catch_up(self, asked: int) -> None:
        """Send, unless that was done since it was asked for."""
        if asked <= self._n_done or isinstance(self._problem, StudyError):
            return
        now = self._n_asked
        try:
            self._send()
            self._problem = None
        except ReeltuneError as error:
            self._problem = error
        self._n_done = now

    def _send(self) -> None:
        check_held(self.storage, self._state)
        remote = _prefixes(self._state)
        names = [name for name in self._uploader.names() if not _is_of_a_trial(name, remote)]
        gone = sorted(self._state.sent.keys() - set(names))
        here = self._study.directory
        self._uploader.remove([n for n in gone if not (_is_of_a_trial(n, remote) or (here / n).exists())])
        self._uploader.send_changed(names)
        self._state.write()

    def _fetch_owed(self) -> None:
        for number in sorted(self._owed):
            # The last checkpoint of an ended trial serves those that begin from it alone.
            self._fetch(number, with_last=self._study.spec.population is not None)
            self._owed.discard(number)

    def _fetch(self, number: int, *, with_last: bool) -> None:
        found = self.storage.sizes(trial_prefix(number))
        left = ROW_FILES if with_last else (*ROW_FILES, LAST_CHECKPOINT)
        self._uploader.receive([name for name in found if Path(name).name not in left])
        for name, size in found.items():
            self._state.sent.setdefault(name, (size, 0))  # what is not here is removed there
        self._state.remote.discard(number)
        self._state.write()

    def _fetch_logs(self) -> None:
        for folder in LOGS:
            there = self.storage.sizes(folder)
            here = {name: (self._study.directory / name) for name in there}
            wanted = [n for n, path in here.items() if not path.exists() or path.stat().st_size != there[n]]
            self._uploader.receive(wanted)

    def _forget_what_is_not_there(self) -> None:
        """Bring what is known as sent in line with the storage: someone may have tidied it, or moved it."""
        there = self.storage.sizes()
        for name in [n for n, (size, _) in self._state.sent.items() if there.get(n) != size]:
            del self._state.sent[name]
        remote = _prefixes(self._state)
        for name, size in there.items():
            if name.startswith(f"{TRIALS}/") and not _is_of_a_trial(name, remote):
                self._state.sent.setdefault(name, (size, 0))


def _prefixes(state: MirrorState) -> set[str]:
    """Return where the objects of the remote trials begin."""
    return {trial_prefix(number) for number in tuple(state.remote)}


def _is_of_a_trial(name: str, prefixes: set[str]) -> bool:
    """Return whether an object is a trial's own, of one of the trials at ``prefixes``."""
    folder, _, last = name.partition("/")[2].partition("/")
    return f"{TRIALS}/{folder}" in prefixes and name.startswith(f"{TRIALS}/") and last not in ROW_FILES


@contextmanager
def mirrored(
    study: Study, notify: Callable[[str], None], *, is_on_cluster: bool, is_taking_over: bool = False
) -> Iterator[Mirror | SharedFolder]:
    """Yield where the files of ``study`` are while its driver runs: its folder, mirrored or not.

    Raises:
        ConfigError: The address is malformed.
        StudyError: Another study is there, another driver holds it, or it was resumed elsewhere.
        EngineError: The storage does not answer, or at the end not all could be sent.
    """
    if study.spec.study.storage is None:
        try:
            yield SharedFolder(study)
        finally:
            (study.directory / ARCHIVE).unlink(missing_ok=True)
        return
    storage = ObjectStorage.open_checked(below(study.spec.study.storage, study.name))
    mirror = Mirror(study, storage, notify, is_on_cluster=is_on_cluster, is_taking_over=is_taking_over)
    try:
        yield mirror
    except BaseException:
        mirror.abandon()
        raise
    mirror.close()


def send_results(directory: Path, notify: Callable[[str], None]) -> None:
    """Send what was written into a study's folder after its run, such as its evaluation.

    Nothing is sent where the study has no storage, or where a driver runs it, which sends by itself.

    Raises:
        StudyError: The study is damaged.
        EngineError: The storage fails.
    """
    study = Study.open(directory)
    address = study.spec.study.storage
    if address is None or study.is_locked():
        return
    with study.lock():
        storage = ObjectStorage(below(address, study.name))
        state = MirrorState.read(study.directory, address)
        lease = read_lease(storage)
        if lease is None or lease.holder is not None or lease.token not in (state.own, state.seen):
            notify(f"not sent to {storage.address}, which another driver holds or went on with")
            return
        remote = _prefixes(state)
        uploader = Uploader(study.directory, storage, state.sent)
        uploader.send_changed([name for name in uploader.names() if not _is_of_a_trial(name, remote)])
        state.write()
