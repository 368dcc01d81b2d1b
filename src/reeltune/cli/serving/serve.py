"""``reeltune serve``: a bundle as a service with a page."""

from __future__ import annotations

from pathlib import Path

import typer

from reeltune.cli.options import note


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
) -> None:
    """Serve a bundle over HTTP, with a page to try it.

    Ctrl-C ends it; SIGHUP reloads the bundle.
    """
    from reeltune.errors import UserError

    try:
        from reeltune.serving.http.address import open_port
        from reeltune.serving.http.server import serve as run
    except ModuleNotFoundError as error:
        raise UserError(
            f'the service needs {error.name}, which is not installed: pip install "reeltune[serve]"'
        ) from error
    with open_port(host, port) as bound:
        run(bundle, bound, host, note, engine=engine, n_workers=workers)
