"""``reeltune dashboard``: optuna-dashboard on a study's own storage, also while it runs."""

from __future__ import annotations

import socket
from pathlib import Path

import typer

from reeltune.cli.options import STUDIES, STUDY, study_path

__all__ = ["dashboard"]

HOST = "127.0.0.1"


def dashboard(
    study: str = STUDY,
    port: int = typer.Option(
        8080, "--port", min=0, max=65535, help="Port on this machine; 0 takes a free one."
    ),
    studies: Path | None = STUDIES,
) -> None:
    """Serve optuna-dashboard for a study until Ctrl-C."""
    from reeltune.errors import StudyError
    from reeltune.tuning.study.folder import Study

    opened = Study.open(study_path(study, studies))
    if not opened.storage_path.is_file():
        raise StudyError(
            f"study {opened.name!r} has no trials yet; run it with: reeltune resume {opened.name}"
        )
    number = _free_port(port)

    from optuna_dashboard import run_server

    from reeltune.tuning.study.storage import storage_url

    print(f"dashboard of {opened.name}: http://{HOST}:{number}/dashboard  (Ctrl-C ends it)", flush=True)
    run_server(storage_url(opened.storage_path), host=HOST, port=number)


def _free_port(port: int) -> int:
    """Return ``port`` if nothing listens there, or a free one for 0.

    Raises:
        ConfigError: The port is taken.
    """
    from reeltune.errors import ConfigError

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigError(
                f"port {port} cannot be used ({error.strerror}); choose another --port; 0 takes a free one"
            ) from error
        return int(probe.getsockname()[1])
