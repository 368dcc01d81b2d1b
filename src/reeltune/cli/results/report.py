"""``reeltune report``: a study as one HTML page."""

from __future__ import annotations

from pathlib import Path

import typer

from reeltune.cli.options import DATA_DIR, STUDIES, STUDY, note, send_to_storage, study_path


def report(
    study: str = STUDY,
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
    is_opened: bool = typer.Option(False, "--open", help="Open the page in a browser."),
) -> None:
    """Write a study as one HTML page.

    The page opens without a network. A study that still runs can be reported too.
    """
    from reeltune.report.study import write_report

    folder = study_path(study, studies)
    path = write_report(folder, data_dir=data_dir, notify=note)
    print(path)
    send_to_storage(folder)
    if is_opened:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
