"""``reeltune serve``: a bundle as a service with a page."""

from __future__ import annotations

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
) -> None:
    """Serve recommendations, a page to try them, and their description until Ctrl-C; SIGHUP reloads."""
    from reeltune.errors import UserError

    try:
        from reeltune.serving.http_server import open_port
        from reeltune.serving.http_server import serve as run
    except ModuleNotFoundError as error:
        raise UserError(
            f'the service needs {error.name}, which is not installed: pip install "reeltune[serve]"'
        ) from error
    with open_port(host, port) as bound:
        run(bundle, bound, host, note)
