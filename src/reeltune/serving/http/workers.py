"""Several processes that answer on one port: started, told to reload, replaced and stopped together."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from reeltune.errors import EngineError

__all__ = ["run_workers"]

BACKLOG = 1024
"""Connections that wait for a worker."""

CHECK_SECONDS = 0.2
"""Time between two looks at the workers."""

EARLY_SECONDS = 10.0
"""A worker that ends sooner than this failed to start; the next one is started after a pause."""

MAX_EARLY = 3
"""Workers that may fail to start, one after the other, before all ends, unless another still answers."""

LONGEST_PAUSE_SECONDS = 30.0
"""Time between two starts where workers fail to start; the pause doubles up to it."""

STOP_SECONDS = 15.0
"""Time that workers have to finish after the signal to stop, more than a service takes by itself."""


def run_workers(
    command: Sequence[str],
    n_workers: int,
    bound: socket.socket,
    *,
    environment: Mapping[str, str],
    notify: Callable[[str], None],
    started: str,
) -> None:
    """Keep ``n_workers`` processes of ``command`` running until SIGINT or SIGTERM; SIGHUP is handed to each.

    A worker that dies is replaced. Requests that it held are lost, those of the others are not.

    Args:
        command: Starts one worker, which answers on the inherited socket.
        n_workers: Number of processes.
        bound: Socket that the workers inherit by its number.
        environment: Environment of the workers.
        notify: Receives ``started``, and a line when a worker is replaced.
        started: What is said once requests may come: they wait until the first worker answers.

    Raises:
        EngineError: No worker could be started.
    """
    workers = _Workers(command, n_workers, bound.fileno(), environment)
    before = {number: signal.signal(number, workers.stop) for number in (signal.SIGINT, signal.SIGTERM)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, workers.reload)
    try:
        workers.look_after()
        bound.listen(BACKLOG)
        notify(started)
        while not workers.is_stopping:
            time.sleep(CHECK_SECONDS)
            for code in workers.look_after():
                notify(f"a worker ended with exit code {code} and is replaced")
    finally:
        workers.end()
        for number, handler in before.items():
            signal.signal(number, handler)


class _Workers:
    def __init__(
        self, command: Sequence[str], n_workers: int, socket_number: int, environment: Mapping[str, str]
    ) -> None:
        self._command = list(command)
        self._n_workers = n_workers
        self._socket_number = socket_number
        self._environment = dict(environment)
        self._running: dict[subprocess.Popen[bytes], float] = {}  # when each was started
        self._n_early = 0  # workers that failed to start, one after the other
        self._next_start = 0.0
        self.is_stopping = False

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        self.is_stopping = True

    def reload(self, _number: int, _frame: FrameType | None) -> None:
        for worker in self._running:
            if worker.poll() is None:
                worker.send_signal(signal.SIGHUP)

    def look_after(self) -> list[int]:
        """Start the workers that are missing, and return the exit codes of those that ended."""
        now = time.monotonic()
        dead = [worker for worker in self._running if worker.poll() is not None]
        for worker in dead:
            is_early = now - self._running.pop(worker) < EARLY_SECONDS
            self._n_early = self._n_early + 1 if is_early else 0
            self._next_start = now + min(LONGEST_PAUSE_SECONDS, 2.0**self._n_early - 1.0)
        codes = [int(worker.returncode) for worker in dead]
        if not self._running and self._n_early >= MAX_EARLY:
            raise EngineError(
                f"{self._n_early} workers ended within {EARLY_SECONDS:g} s of their start, the last with "
                f"exit code {codes[-1] if codes else 'unknown'}; serve with --workers 1 to see why"
            )
        while now >= self._next_start and len(self._running) < self._n_workers and not self.is_stopping:
            self._start()
        return codes

    def end(self) -> None:
        """Ask all workers to stop and wait for them; those that do not are killed."""
        for worker in self._running:
            worker.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._running:
            try:
                worker.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def _start(self) -> None:
        # The worker inherits the mask and lifts it when it can handle the signal, which would kill it before.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            # A session of its own: Ctrl-C reaches the workers through this process alone.
            worker = subprocess.Popen(
                self._command,
                env=self._environment,
                pass_fds=(self._socket_number,),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        self._running[worker] = time.monotonic()
