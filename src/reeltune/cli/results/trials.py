"""``reeltune trials``: compare the trials of a study in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reeltune.cli.options import AS_CSV, AS_JSON, STUDIES, STUDY, study_path
from reeltune.cli.tables import Table, print_plain, print_table, short_time

if TYPE_CHECKING:
    from reeltune.tuning.records.rows import TrialRow
    from reeltune.tuning.study.folder import Study


def trials(
    study: str = STUDY,
    studies: Path | None = STUDIES,
    as_json: bool = AS_JSON,
    as_csv: bool = AS_CSV,
) -> None:
    """List the trials of a study, best first; also while it runs."""
    from reeltune.tuning.study.folder import Study

    opened = Study.open(study_path(study, studies))
    best = opened.best()
    others = [row for row in opened.rows() if row.number not in {winner.number for winner in best}]
    plain = (row.plain() for row in best + others)
    if print_plain(plain, as_json=as_json, as_csv=as_csv):
        return
    if not best and not others:
        print(f"study {opened.name} has no trials yet")
        return
    print_table(trials_table(opened, best + others))
    for row in others:
        if row.state.is_finished:
            print(f"trial {row.number} {row.state}: {row.reason}")


def trials_table(study: Study, rows: list[TrialRow]) -> Table:
    """Return the trials as a table, in the order of ``rows``."""
    others = sorted({metric for row in rows for metric in row.metrics} - {study.objective})
    is_population = study.spec.population is not None
    after_head = ["after"] if is_population else []
    table = Table(
        "trial",
        "state",
        *after_head,
        "epochs",
        study.objective,
        *others,
        "time",
        left=["state"],
        spare=[*reversed(others), "after", "time", "epochs"],
        params=True,
    )
    usual = study.spec.default_point
    for row in rows:
        epochs = (
            f"{row.best_epoch}/{row.start_epoch + row.n_epochs}"
            if row.state.is_finished
            else str(row.start_epoch + len(study.epochs(row.number)))
        )
        metrics = (study.objective, *others)
        figures = [f"{row.metrics[metric]:.4f}" if metric in row.metrics else "" for metric in metrics]
        after = ["" if row.parent is None else str(row.parent)] if is_population else []
        cells = (str(row.number), str(row.state), *after, epochs, *figures, short_time(row.seconds))
        table.add(*cells, params=row.params, usual=usual)
    return table
