"""``reeltune studies`` and ``reeltune rm``: list and remove."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from reeltune.cli.options import AS_CSV, AS_JSON, STUDIES, STUDY, studies_root, study_path
from reeltune.cli.tables import Table, print_plain, print_table


def studies(studies: Path | None = STUDIES, as_json: bool = AS_JSON, as_csv: bool = AS_CSV) -> None:
    """List the studies with their state and best metric."""
    from reeltune.tuning.study.folders import list_studies

    root = studies_root(studies)
    rows = [_row(path) for path in list_studies(root)]
    if print_plain(rows, as_json=as_json, as_csv=as_csv):
        return
    if not rows:
        print(f"no studies in {root}; start one with: reeltune tune EXPERIMENT")
        return
    table = Table("study", "state", "created", "trials", "best", left=["state"], spare=["created"])
    for row in rows:
        best = "" if row["best"] is None else f"{row['objective']} {row['best']:.4f}"
        trials = "" if row["error"] else f"{row['n_finished']}/{row['n_trials']}"
        table.add(row["study"], row["state"], row["created"][:10], trials, best)
    print_table(table)
    for row in rows:
        if row["error"]:
            print(f"{row['study']}: {row['error']}")


def _row(path: Path) -> dict[str, Any]:
    """Return what is listed of the study in ``path``; a damaged one is listed with its error."""
    from reeltune.errors import StudyError
    from reeltune.tuning.study.folder import Study

    try:
        study = Study.open(path)
        n_finished = sum(row.state.is_finished for row in study.rows())
        best = study.best(1)
    except StudyError as error:
        empty = dict.fromkeys(("n_finished", "n_trials", "objective", "best"))
        return {"study": path.name, "state": "damaged", "created": "", **empty, "error": str(error)}
    return {
        "study": path.name,
        "state": "running" if study.is_locked() else "finished" if study.is_finished else "interrupted",
        "created": study.created,
        "n_finished": n_finished,
        "n_trials": study.n_trials,
        "objective": study.objective,
        "best": best[0].value if best else None,
        "error": "",
    }


def rm(
    study: str = STUDY,
    studies: Path | None = STUDIES,
    is_sure: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
) -> None:
    """Remove a study and everything in its folder."""
    from reeltune.tuning.study.folders import remove_study

    path = study_path(study, studies)
    if not is_sure:
        if not sys.stdin.isatty():
            from reeltune.errors import StudyError

            raise StudyError(f"removing {path} cannot be undone; add --yes to do it")
        typer.confirm(f"remove {path} and everything in it?", abort=True)
    remove_study(path)
    print(f"removed {path}")
