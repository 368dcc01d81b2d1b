"""``reeltune compare``: several studies side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reeltune.cli.options import DATA_DIR, STUDIES, note, study_path

if TYPE_CHECKING:
    from reeltune.evaluation.across import Across

__all__ = ["compare"]


def compare(
    names: list[str] = typer.Argument(metavar="STUDY STUDY...", help="Names or folders of studies."),
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
    is_forced: bool = typer.Option(
        False, "--anyway", help="Show figures of studies on different data, without a test."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object with everything known."),
) -> None:
    """Compare the winners of several studies on validation, best first, with a paired test."""
    from reeltune.evaluation.across import compare_studies

    paths = [study_path(name, studies) for name in names]
    found = compare_studies(paths, data_dir=data_dir, is_forced=is_forced, notify=note)
    if as_json:
        print(json.dumps(found.plain(), indent=2, ensure_ascii=False))
    else:
        _print(found)


def _print(found: Across) -> None:
    from reeltune.cli.progress import short_time
    from reeltune.cli.tables import make_table, print_table

    labels = list(found.lines[0].metrics)
    has_test = any(line.test for line in found.lines)
    headings = ["model", "trial", "trials", *labels, *([f"test {labels[1]}"] if has_test else [])]
    table = make_table("study", *headings, "parameters", "time")
    for line in found.lines:
        figures = [f"{m.value:.4f} ({m.low:.4f} to {m.high:.4f})" for m in line.metrics.values()]
        test = [f"{line.test[labels[1]]:.4f}" if line.test else ""] if has_test else []
        cells = [line.model, str(line.trial), str(line.n_trials), *figures, *test]
        table.add_row(line.study, *cells, f"{line.n_parameters:,}", short_time(line.seconds))
    print_table(table)
    for line in found.lines:
        if line.against_best is not None:
            print(f"{found.lines[0].study} {line.against_best.verdict()}")
    for difference in found.differences:
        note(f"warning: not comparable: {difference}")
