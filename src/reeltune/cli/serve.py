"""``reeltune serve``: a bundle as a service with a page."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path

import typer

from reeltune.cli.options import note

__all__ = ["serve"]


def serve(
    bundle: Path = typer.Argument(
        metavar="DIR", help="A folder made by reeltune export.", show_default=False
    ),
    host: str = typer.Option(
        "127.0.0.1", "--host", help="Address to listen on; the default is this machine alone."
    ),
    port: int = typer.Option(8000, "--port", min=0, max=65535, help="Port; 0 takes a free one."),
    engine: str = typer.Option(
        "auto", "--engine", help="What computes: torch, onnx, or auto: onnx where installed and exported."
    ),
    workers: int = typer.Option(
        1, "--workers", min=1, max=256, help="Processes that answer; one a core is plenty."
    ),
    inherited: int | None = typer.Option(None, "--socket", hidden=True),
    parent: int | None = typer.Option(None, "--parent", hidden=True),
) -> None:
    """Serve a bundle over HTTP, with a page to try it.

    Ctrl-C ends it; SIGHUP reloads the bundle.
    """
    from reeltune.errors import UserError

    try:
        from reeltune.serving.http.server import open_port
        from reeltune.serving.http.server import serve as run
    except ModuleNotFoundError as error:
        raise UserError(
            f'the service needs {error.name}, which is not installed: pip install "reeltune[serve]"'
        ) from error
    if inherited is not None:
        run(bundle, socket.socket(fileno=inherited), host, note, engine=engine, parent=parent)
        return
    with open_port(host, port) as bound:
        if workers == 1:
            run(bundle, bound, host, note, engine=engine)
        else:
            _serve_with(workers, bundle, bound, host, engine)


def _serve_with(n_workers: int, bundle: Path, bound: socket.socket, host: str, engine: str) -> None:
    from reeltune.errors import UserError
    from reeltune.serving.bundle.bundle import load_bundle
    from reeltune.serving.bundle.engine import open_scorer
    from reeltune.serving.http.guard import SHARED_COUNTS
    from reeltune.serving.http.server import told_address

    if sys.platform == "win32":
        raise UserError(
            "--workers needs processes that inherit a socket, which Windows has not; leave it out"
        )
    from reeltune.serving.http.workers import run_workers

    open_scorer(load_bundle(bundle), engine)  # told once, not by each worker
    start = "from reeltune.cli.app import main; main()"
    options = ["--host", host, "--engine", engine, "--socket", str(bound.fileno())]
    options += ["--parent", str(os.getpid())]
    with tempfile.TemporaryDirectory(prefix="reeltune-counts-") as counts:
        run_workers(
            [sys.executable, "-c", start, "serve", str(bundle), *options],
            n_workers,
            bound,
            environment=os.environ | {SHARED_COUNTS: counts},
            notify=note,
            started=f"{told_address(bundle, bound, host)}, {n_workers} processes",
        )
    note("stopped")
