"""The limits of a connection: its number, the size of a request, and the time to send one.

uvicorn bounds neither a header nor the wait for one: a thousand silent connections or one endless header
would end a service.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from reeltune.serving.http.guard import MAX_UPLOAD_BYTES

MAX_CONNECTIONS = 1024
"""Connections held at once. The next one takes the place of the one that has been idle longest."""

MAX_HEAD_BYTES = 64 * 1024
"""Largest request line with headers, in front of at most one more read of 256 KiB; 431 beyond."""

MAX_REQUEST_BYTES = MAX_HEAD_BYTES + 2 * MAX_UPLOAD_BYTES
"""Where a connection is closed whose body is refused already but goes on coming."""

READ_SECONDS = 10.0
"""Time for a whole request to come, from the connection or the request's first byte on; 408 beyond."""

STOP_GRACE_SECONDS = 0.5
"""Time in which an idle connection may still ask after the signal to stop."""


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol within limits."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle_since = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None  # runs while a request is awaited or comes in
        self._n_bytes = 0  # of the request that comes in
        self._is_head = True
        self._is_stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection in; where there are too many, the one that is idle longest has to go."""
        super().connection_made(transport)
        self._start_timer()
        if len(self.connections) <= MAX_CONNECTIONS:
            return
        others = (c for c in self.connections if isinstance(c, LimitedProtocol) and c is not self)
        idle = [c for c in others if c._is_idle() and not c.transport.is_closing()]
        if idle:
            min(idle, key=lambda other: other._idle_since).transport.abort()
        else:
            self._refuse(503, "too many requests at once; ask again")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        if self._timer is None and self._n_bytes == 0:
            self._start_timer()
        self._n_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            self._stop_timer()
        elif self._is_head and self._n_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"the headers are larger than {MAX_HEAD_BYTES} bytes")
        elif self._n_bytes > MAX_REQUEST_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Note that a request comes in, at times behind another one in the same read."""
        super().on_message_begin()
        if self._timer is None:
            self._start_timer()

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._is_head = False
        super().on_headers_complete()
        if self._is_stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Note that the whole request is there."""
        super().on_message_complete()
        self._is_head, self._n_bytes = True, 0
        self._stop_timer()

    def on_response_complete(self) -> None:
        """Note that the connection is idle again."""
        self._idle_since = time.monotonic()
        super().on_response_complete()

    def shutdown(self) -> None:
        """Let a request finish that is under way, or that was sent just before the signal to stop."""
        self._is_stopping = True
        if self._is_idle():
            self.loop.call_later(STOP_GRACE_SECONDS, self._close_if_idle)
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle():
            self.transport.close()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(READ_SECONDS, self._on_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_late(self) -> None:
        self._timer = None
        if self._is_idle():
            self._refuse(408, f"no whole request came within {READ_SECONDS:g} seconds")
        else:
            self.transport.close()

    def _refuse(self, status: int, text: str) -> None:
        self._stop_timer()
        body = f'{{"detail": [{{"loc": ["request"], "msg": "{text}", "type": "refused"}}]}}'.encode()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(
            body
        )
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
