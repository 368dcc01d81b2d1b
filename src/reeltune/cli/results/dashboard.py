"""``reeltune dashboard``: optuna-dashboard on a study's own storage, also while it runs."""

from __future__ import annotations

from pathlib import Path

import typer

from reeltune.cli.options import STUDIES, STUDY, study_path


def dashboard(
    study: str = STUDY,
    port: int = typer.Option(
        8080, "--port", min=0, max=65535, help="Port on this machine; 0 takes a free one."
    ),
    studies: Path | None = STUDIES,
) -> None:
    """Serve optuna-dashboard for a study until Ctrl-C."""
    from reeltune.errors import StudyError
    from reeltune.serving.http.dashboard import HOST, dashboard_server
    from reeltune.tuning.study.folder import Study
    from reeltune.tuning.study.storage import storage_url

    opened = Study.open(study_path(study, studies))
    if not opened.storage_path.is_file():
        raise StudyError(
            f"study {opened.name!r} has no trials yet; run it with: reeltune resume {opened.name}"
        )
    with dashboard_server(storage_url(opened.storage_path), port) as server:
        address = f"http://{HOST}:{server.server_port}/dashboard"
        print(f"dashboard of {opened.name}: {address}  (Ctrl-C ends it)", flush=True)
        server.serve_forever()
