"""optuna-dashboard behind a guard: its own pages may change a study, those of other sites may not."""

from __future__ import annotations

import socketserver
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from reeltune.serving.http.address import open_port, own_names

HOST = "127.0.0.1"
"""Where it listens: this machine alone."""

IDLE_SECONDS = 30
"""Time that a connection may be silent."""

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def guarded_dashboard(app: WSGI, hosts: tuple[str, ...]) -> WSGI:
    """Return ``app`` behind a check of ``Host`` and ``Origin``; ``hosts`` are those that may be named."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "")
        origin = environ.get("HTTP_ORIGIN")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name.lower() not in hosts:
            problem = "400 Bad Request", b"the Host header does not name this dashboard\n"
        elif origin is not None and origin.partition("://")[2] != host:
            problem = "403 Forbidden", b"pages of other sites may not call this dashboard\n"
        else:
            return app(environ, start)
        start(problem[0], [("content-type", "text/plain"), ("content-length", str(len(problem[1])))])
        return [problem[1]]

    return answer


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = IDLE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def dashboard_server(storage: str, port: int) -> WSGIServer:
    """Return a server of optuna-dashboard for the storage at the URL ``storage``; port 0 takes a free one."""
    from optuna_dashboard import wsgi

    with open_port(HOST, port) as probe:
        number, hosts = probe.getsockname()[1], own_names(probe, HOST)
    app = guarded_dashboard(wsgi(storage), hosts)
    return make_server(HOST, number, app, server_class=_Server, handler_class=_Handler)
