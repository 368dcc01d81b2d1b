"""Runs the service on a port, in one process or several, until it is asked to stop."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from ctypes import c_int
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from reeltune.errors import UserError
from reeltune.serving.http.address import own_names, shown
from reeltune.serving.http.app import guarded
from reeltune.serving.http.guard import SHARED_COUNTS, Guard
from reeltune.serving.http.protocol import MAX_CONNECTIONS, LimitedProtocol
from reeltune.serving.http.service import Service

STOP_SECONDS = 10
"""Time that requests under way have to finish after the signal to stop."""

KILL_SECONDS = STOP_SECONDS + 5
"""Time that a worker has to end after it; more than it takes by itself."""

Notify = Callable[[str], None]


def serve(
    directory: Path,
    bound: socket.socket,
    host: str,
    notify: Notify,
    *,
    engine: str = "auto",
    n_workers: int = 1,
) -> None:
    """Serve the bundle in ``directory`` on ``bound`` until SIGINT or SIGTERM; SIGHUP reads it again.

    ``notify`` receives a line at the start, at the end and for each new bundle.
    """
    if n_workers > 1 and os.name == "nt":
        raise UserError("--workers needs sockets that processes inherit, which Windows has not; leave it out")
    # The one counter that all processes see; where it changed, each reads the bundle again.
    wishes: c_int = multiprocessing.get_context("spawn").RawValue("i", 0)
    hosts = own_names(bound, host)
    service = Service(directory, engine, wishes=wishes, notify=notify)  # fails here, not in each worker
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    _allow_files(2 * MAX_CONNECTIONS)
    bound.listen(MAX_CONNECTIONS)  # whoever reads the next line may connect at once
    line = f"serving {directory} on http://{shown(host)}:{bound.getsockname()[1]}  (Ctrl-C ends it)"
    if n_workers == 1:
        _set_reload_signal(lambda *_: _wish(wishes))
        notify(line)
        _run(guarded(service, hosts), bound)
    else:
        notify(f"{line}, {n_workers} processes")
        worker = functools.partial(
            _worker, directory, engine, hosts, wishes=wishes, notify=notify, parent=os.getpid()
        )
        with tempfile.TemporaryDirectory(prefix="reeltune-counts-") as counts:
            os.environ[SHARED_COUNTS] = counts  # read by the workers, which inherit it
            try:
                _Supervisor(_config(worker, factory=True, workers=n_workers), bound, wishes, notify).run()
            finally:
                del os.environ[SHARED_COUNTS]
    notify("stopped")


def _worker(
    directory: Path, engine: str, hosts: tuple[str, ...], *, wishes: c_int, notify: Notify, parent: int
) -> Guard:
    """Return the application in a process of several."""
    _set_reload_signal(signal.SIG_IGN)
    _share_the_cores()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return guarded(Service(directory, engine, wishes=wishes, notify=notify, parent=parent), hosts)


class _Supervisor(Multiprocess):
    """uvicorn's supervisor of several processes, with four differences.

    A reload leaves the processes alive: no request and no connection is lost. A process is replaced when
    it has ended, not when it is slow to answer: on a busy machine the start takes longer than uvicorn
    waits. The port is closed before they are asked to stop: a connection that comes later is refused, not
    reset. One that does not stop in time is killed.
    """

    def __init__(self, config: uvicorn.Config, bound: socket.socket, wishes: c_int, notify: Notify) -> None:
        super().__init__(config, [bound])
        self._wishes = wishes
        self._notify = notify

    def handle_hup(self) -> None:
        _wish(self._wishes)

    def keep_subprocess_alive(self) -> None:
        if all(process.process.is_alive() for process in self.processes):
            return
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if old is not new:
                self._notify(f"a worker ended with exit code {old.exitcode} and is replaced")

    def terminate_all(self) -> None:
        for bound in self.sockets:
            bound.close()
        super().terminate_all()

    def join_all(self) -> None:
        for process in self.processes:
            process.process.join(KILL_SECONDS)
            if process.process.is_alive():
                process.process.kill()
        super().join_all()


def _config(app: Any, **options: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=30,
        timeout_worker_healthcheck=60,
        **options,
    )


def _run(app: Guard, bound: socket.socket) -> None:
    _share_the_cores()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in handlers:
        signal.signal(number, lambda *_: None)  # uvicorn raises the signal again at the end; that is no error
    try:
        uvicorn.Server(_config(app)).run([bound])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _allow_files(n_files: int) -> None:
    """Let this process and its workers open ``n_files``, where the system allows: a connection is one."""
    if os.name != "nt":
        import resource

        now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if now != resource.RLIM_INFINITY:
            at_most = n_files if most == resource.RLIM_INFINITY else min(n_files, most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, at_most), most))


def _share_the_cores() -> None:
    import torch

    torch.set_num_threads(1)  # a single history is too small to share; the other cores take requests


def _set_reload_signal(handler: Any) -> None:
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, handler)


def _wish(wishes: c_int) -> None:
    wishes.value += 1
