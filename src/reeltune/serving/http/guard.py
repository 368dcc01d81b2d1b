"""What stands before every request: size limit, foreign pages refused, headers, counters.

A plain ASGI layer, so that a request costs it a few microseconds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["MAX_BODY_BYTES", "SHARED_COUNTS", "Guard", "Meters"]

MAX_BODY_BYTES = 256 * 1024
"""Largest body of a request: 1,000 titles of 250 bytes."""

SHARED_COUNTS = "PROMETHEUS_MULTIPROC_DIR"
"""Name in the environment, set by prometheus_client, of the folder in which processes add up their counts."""

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

_HEADERS = [
    # Nothing outside this service may be loaded by the page, and no other site may frame it.
    (b"content-security-policy", b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Meters:
    """Prometheus counters of one service, in a registry of their own."""

    def __init__(self, paths: frozenset[str]) -> None:
        self.registry = CollectorRegistry()
        self.paths = paths
        self.requests = Counter(
            "reeltune_requests", "Requests answered.", ["path", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "reeltune_request_seconds",
            "Time to answer a request.",
            ["path"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.reloads = Counter("reeltune_reloads", "Bundles put in place.", registry=self.registry)

    def text(self) -> bytes:
        """Return the counts in the text form of Prometheus; of all processes, where there are several."""
        if SHARED_COUNTS not in os.environ:
            return generate_latest(self.registry)
        gathered = CollectorRegistry()
        MultiProcessCollector(gathered)  # type: ignore[no-untyped-call]
        return generate_latest(gathered)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answered request; paths and methods that are not served share one label."""
        path = scope["path"] if scope["path"] in self.paths else "other"
        method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD"} else "other"
        self.requests.labels(path, method, str(status)).inc()
        self.seconds.labels(path).observe(seconds)


class Guard:
    """Wraps an ASGI application."""

    def __init__(self, app: App, meters: Meters, hosts: frozenset[str] | None) -> None:
        """Guard ``app``.

        Args:
            app: The application.
            meters: Where requests are counted.
            hosts: Names this service is called by, None for any. With a list, a page of another site
                cannot reach a service on loopback through a name that it points there.
        """
        self._app = app
        self._meters = meters
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        try:
            headers = dict(scope["headers"])
            refusal = self._refusal(headers)
            if refusal is None:
                body = await _limited_body(headers, receive)
                refusal = (413, f"the body is larger than {MAX_BODY_BYTES} bytes") if body is None else None
            if refusal is not None:
                await _refuse(send_marked, *refusal)
                return
            await self._app(scope, _replay(body or b"", receive), send_marked)
        finally:
            self._meters.count(scope, status, time.perf_counter() - started)

    def _refusal(self, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if self._hosts is not None and _hostname(host) not in self._hosts:
            return 400, "the Host header does not name this service"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
            return 403, "pages of other sites may not call this service"
        return None


def _hostname(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    return host.partition(":")[0].casefold()


async def _limited_body(headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
    """Return the whole body, None where it is too large; no more than the limit is held."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def replayed() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(send: Send, status: int, text: str) -> None:
    body = json.dumps({"detail": [{"loc": ["request"], "msg": text, "type": "refused"}]}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
