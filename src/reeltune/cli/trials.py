"""``reeltune trials``: compare the trials of a study in the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reeltune.cli.options import STUDIES, STUDY, study_path

if TYPE_CHECKING:
    from reeltune.tuning.records.rows import TrialRow
    from reeltune.tuning.study.folder import Study

__all__ = ["trials"]


def trials(
    study: str = STUDY,
    studies: Path | None = STUDIES,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON list with everything known."),
) -> None:
    """Compare the trials of a study, best first; also while it runs."""
    from reeltune.tuning.study.folder import Study

    opened = Study.open(study_path(study, studies))
    best = opened.best()
    others = [row for row in opened.rows() if row.number not in {winner.number for winner in best}]
    if as_json:
        print(json.dumps([row.plain() for row in best + others], indent=2, ensure_ascii=False))
        return
    if not best and not others:
        print(f"study {opened.name} has no trials yet")
        return
    _print_table(opened, best + others)
    for row in others:
        if row.state.is_finished:
            print(f"trial {row.number} {row.state}: {row.reason}")


def _print_table(study: Study, rows: list[TrialRow]) -> None:
    from rich.table import Table

    from reeltune.cli.progress import short_time, short_value
    from reeltune.cli.tables import print_table
    from reeltune.tuning.search.population import population_of

    names = list(study.spec.space.space)
    table = Table(box=None, pad_edge=False, header_style="bold")
    metrics = sorted(
        {metric for row in rows for metric in row.metrics}, key=lambda m: (m != study.objective, m)
    )
    is_population = population_of(study.spec) is not None
    after_head = ["after"] if is_population else []
    for heading in [
        "trial",
        "state",
        *after_head,
        "epochs",
        *metrics,
        "time",
        *(n.rpartition(".")[2] for n in names),
    ]:
        table.add_column(heading, justify="left" if heading == "state" else "right", no_wrap=True)
    for row in rows:
        epochs = (
            f"{row.best_epoch}/{row.start_epoch + row.n_epochs}"
            if row.state.is_finished
            else str(row.start_epoch + len(study.epochs(row.number)))
        )
        figures = [f"{row.metrics[metric]:.4f}" if metric in row.metrics else "" for metric in metrics]
        values = [short_value(row.params[name]) if name in row.params else "" for name in names]
        after = ["" if row.parent is None else str(row.parent)] if is_population else []
        table.add_row(
            str(row.number), str(row.state), *after, epochs, *figures, short_time(row.seconds), *values
        )
    print_table(table)
