"""``reeltune studies`` and ``reeltune rm``: list and remove."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from reeltune.cli.options import STUDIES, STUDY, studies_root, study_path

__all__ = ["rm", "studies"]


def studies(studies: Path | None = STUDIES) -> None:
    """List the studies with their state and best figure."""
    from reeltune.errors import StudyError
    from reeltune.tuning.study.folder import Study
    from reeltune.tuning.study.folders import list_studies

    root = studies_root(studies)
    found = list_studies(root)
    if not found:
        print(f"no studies in {root}; start one with: reeltune tune EXPERIMENT")
        return
    width = max(len(path.name) for path in found)
    for path in found:
        try:
            study = Study.open(path)
            n_finished = sum(row.state.is_finished for row in study.rows())
            best = study.best(1)
        except StudyError as error:
            print(f"{path.name:<{width}}  {error}")
            continue
        state = "running" if study.is_locked() else "finished" if study.is_finished else "interrupted"
        figure = f"  best {study.objective} {best[0].value:.4f}" if best else ""
        print(
            f"{path.name:<{width}}  {state:<11}  {study.created[:10]}  "
            f"{n_finished}/{study.n_trials} trials{figure}"
        )


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
