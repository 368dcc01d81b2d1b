"""``reeltune compare``: several studies side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reeltune.cli.options import AS_CSV, AS_JSON, DATA_DIR, STUDIES, note, study_path
from reeltune.cli.tables import Table, interval_cell, print_plain, print_table, short_time

if TYPE_CHECKING:
    from reeltune.evaluation.across import Across


def compare(
    names: list[str] = typer.Argument(metavar="STUDY STUDY...", help="Names or folders of studies."),
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
    is_forced: bool = typer.Option(
        False, "--anyway", help="Show figures of studies on different data, without a test."
    ),
    as_json: bool = AS_JSON,
    as_csv: bool = AS_CSV,
) -> None:
    """Compare the winners of several studies on validation.

    The best is first; a paired test compares it with each of the others.
    """
    from reeltune.evaluation.across import compare_studies

    paths = [study_path(name, studies) for name in names]
    found = compare_studies(paths, data_dir=data_dir, is_forced=is_forced, notify=note)
    plain = found.plain()
    if not print_plain(plain["lines"], as_json=as_json, as_csv=as_csv, whole=plain):
        _print(found)


def _print(found: Across) -> None:
    print_table(compare_table(found))
    for line in found.lines:
        if line.against_best is not None:
            print(f"{found.lines[0].study} {line.against_best.verdict()}")
    for difference in found.differences:
        note(f"warning: not comparable: {difference}")


def compare_table(found: Across) -> Table:
    """Return the studies as a table, best first."""
    labels = list(found.lines[0].metrics)
    main, others = labels[1], [labels[0], *labels[2:]]
    has_test = any(line.test for line in found.lines)
    headings = ["model", "trial", "trials", *labels, *([f"test {main}"] if has_test else [])]
    spare = ["time", "parameters", "trials", *reversed(others), "trial", "model"]
    table = Table("study", *headings, "parameters", "time", spare=spare)
    for line in found.lines:
        figures = [interval_cell(metric) for metric in line.metrics.values()]
        test = [f"{line.test[main]:.4f}" if line.test else ""] if has_test else []
        cells: list[str | tuple[str, str]] = [
            line.model,
            str(line.trial),
            str(line.n_trials),
            *figures,
            *test,
        ]
        table.add(line.study, *cells, f"{line.n_parameters:,}", short_time(line.seconds))
    return table
