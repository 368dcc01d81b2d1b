"""Runs the service on a port until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from reeltune.errors import BundleError, ConfigError
from reeltune.serving.http import LOOPBACK, Service, guarded

__all__ = ["open_port", "serve"]

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


def serve(directory: Path, bound: socket.socket, host: str, notify: Callable[[str], None]) -> None:
    """Serve the bundle in ``directory`` on ``bound`` until SIGINT or SIGTERM; SIGHUP reads it anew.

    Raises:
        BundleError: The bundle is absent, damaged or foreign.
    """
    import torch

    torch.set_num_threads(1)  # a single history is too small to share; the other core takes requests
    service = Service(directory)
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
    port = bound.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    notify(f"serving {directory} on http://{shown}:{port}  (Ctrl-C ends it)")
    server = _Server(config, service, notify)
    asyncio.run(server.serve(sockets=[bound]))
    notify("stopped")


class _Server(uvicorn.Server):
    """Ends with exit code 0 on a signal to stop, and reads the bundle anew on SIGHUP."""

    def __init__(self, config: uvicorn.Config, service: Service, notify: Callable[[str], None]) -> None:
        super().__init__(config)
        self._service = service
        self._notify = notify
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
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start_reload(self) -> None:
        task = asyncio.get_running_loop().create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        try:
            reloaded = await asyncio.to_thread(self._service.reload)
        except BundleError as error:
            self._notify(f"the old bundle stays: {error}")
            return
        self._notify("new bundle in place" if reloaded.is_changed else "the bundle is the same as before")
