"""Runs the service on a port until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from reeltune.errors import ConfigError, UserError
from reeltune.serving.http.app import LOOPBACK, Service, guarded

__all__ = ["open_port", "serve", "told_address"]

STOP_SECONDS = 10
"""Time that requests under way have to finish after the signal to stop."""

MAX_WAITING = 1024
"""Connections and requests held at once; more are answered 503."""


def open_port(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one.

    Raises:
        ConfigError: The port is taken or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); "
            "choose another --port, 0 takes a free one"
        ) from error
    return bound


def serve(
    directory: Path,
    bound: socket.socket,
    host: str,
    notify: Callable[[str], None],
    *,
    engine: str = "auto",
    parent: int | None = None,
) -> None:
    """Serve the bundle in ``directory`` on ``bound`` until SIGINT or SIGTERM; SIGHUP reads it anew.

    Args:
        directory: Folder of the bundle.
        bound: Socket to answer on.
        host: Name or address that the socket was bound to.
        notify: Receives a line at the start, at the end and for each new bundle.
        engine: What computes the scores.
        parent: Id of the process that keeps several of this one: it says nothing of start and end, ends
            when that one is gone, and hands a wish to reload on to it.

    Raises:
        BundleError: The bundle is absent, damaged or foreign, or has no graph for ONNX Runtime.
        UserError: The engine is not installed.
    """
    import torch

    torch.set_num_threads(1)  # a single history is too small to share; the other core takes requests
    _hold_reload_signal(signal.SIG_BLOCK)
    told = None if parent is None else functools.partial(_hang_up, parent)
    service = Service(directory, engine, on_wish_to_reload=told)
    hosts = LOOPBACK | {host} if host in LOOPBACK else None
    config = uvicorn.Config(
        guarded(service, hosts),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=30,
        limit_concurrency=MAX_WAITING,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    bound.listen(MAX_WAITING)  # whoever reads the next line may connect at once
    if parent is None:
        notify(told_address(directory, bound, host))
    server = _Server(config, service, notify, parent)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[bound]))
    if parent is None:
        notify("stopped")


def told_address(directory: Path, bound: socket.socket, host: str) -> str:
    """Return the line that tells where ``directory`` is served."""
    shown = f"[{host}]" if ":" in host else host
    return f"serving {directory} on http://{shown}:{bound.getsockname()[1]}  (Ctrl-C ends it)"


def _hang_up(process: int) -> None:
    os.kill(process, signal.SIGHUP)


def _hold_reload_signal(how: int) -> None:
    """Hold back SIGHUP, or let it through: one that comes before the bundle is read is not lost."""
    if hasattr(signal, "SIGHUP"):
        signal.pthread_sigmask(how, {signal.SIGHUP})


class _Server(uvicorn.Server):
    """Ends with exit code 0 on a signal to stop, and reads the bundle anew on SIGHUP."""

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        notify: Callable[[str], None],
        parent: int | None = None,
    ) -> None:
        super().__init__(config)
        self._service = service
        self._notify = notify
        self._parent = parent
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]
        handlers = {signal.SIGINT: self.handle_exit, signal.SIGTERM: self.handle_exit}

        def reload(sig: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._start_reload)

        if hasattr(signal, "SIGHUP"):
            handlers[signal.SIGHUP] = reload
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        _hold_reload_signal(signal.SIG_UNBLOCK)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; a worker does so when its parent is gone."""
        if self._parent is not None and os.getppid() != self._parent:
            self.should_exit = True
        return await super().on_tick(counter)

    def _start_reload(self) -> None:
        task = asyncio.get_running_loop().create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        try:
            reloaded = await asyncio.to_thread(self._service.reload)
        except UserError as error:
            self._notify(f"the old bundle stays: {error}")
            return
        self._notify("new bundle in place" if reloaded.is_changed else "the bundle is the same as before")
