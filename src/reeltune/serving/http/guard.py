"""What stands before every request: hosts, body size, pages of other sites, headers, counters.

Plain ASGI layers, so that a request costs them a few microseconds.
"""

from __future__ import annotations

import os
import time

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 256 * 1024
"""Largest body of a request: 1,000 titles of 250 bytes."""

UPLOAD_PATH = "/history"

MAX_UPLOAD_BYTES = 8 * 1024 * 1024
"""Largest body of an upload; the export of a user with 10,000 reviews has about 5 MB as a zip."""

SHARED_COUNTS = "PROMETHEUS_MULTIPROC_DIR"
"""Name in the environment, set by prometheus_client, of the folder in which processes add up their counts."""

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

_HEADERS = [
    # Nothing outside this service may be loaded by the page, and no other site may frame it.
    (b"content-security-policy", b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class Measures:
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
    """Wraps the application; ``HEAD`` is answered as ``GET`` without its body."""

    def __init__(self, app: ASGIApp, measures: Measures, hosts: tuple[str, ...]) -> None:
        """Guard ``app`` under the names of :func:`reeltune.serving.http.address.own_names`."""
        self._app, self._uploads = (
            TrustedHostMiddleware(RequestBodyLimitMiddleware(app, limit), hosts, www_redirect=False)
            for limit in (MAX_BODY_BYTES, MAX_UPLOAD_BYTES)
        )
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        is_head = scope["method"] == "HEAD"

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        headers = Headers(scope=scope)
        origin = headers.get("origin")
        app: ASGIApp = self._uploads if scope["path"] == UPLOAD_PATH else self._app
        if origin is not None and origin.partition("://")[2] != headers.get("host", ""):
            text = "pages of other sites may not call this service"
            app = JSONResponse({"detail": [{"loc": ["request"], "msg": text, "type": "refused"}]}, 403)
        try:
            await app({**scope, "method": "GET"} if is_head else scope, receive, send_marked)
        finally:
            self._measures.count(scope, status, time.perf_counter() - started)
