"""``reeltune benchmark``: several models under one protocol, one of which is the winner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reeltune.cli.options import CHANGES, DATA_DIR, note
from reeltune.cli.tables import Table, interval_cell, print_table

if TYPE_CHECKING:
    from reeltune.report.tables import Table as Rows

FILE = typer.Argument(metavar="BENCHMARK", help="An experiments/*.yaml file with the key models.")
OUT = typer.Option(None, "--out", help="Folder of the results. [default: results/NAME]", show_default=False)
QUICK = typer.Option(False, "--quick", help="The small version: what the file's key quick says.")


def benchmark(
    file: Path = FILE,
    out: Path | None = OUT,
    data_dir: Path | None = DATA_DIR,
    is_quick: bool = QUICK,
    changes: list[str] = CHANGES,
) -> None:
    """Tune several models alike, test them once, compare them.

    The same command resumes a run that was interrupted.
    """
    from reeltune.benchmark.run import run_benchmark
    from reeltune.benchmark.spec import load_benchmark
    from reeltune.cli.progress import make_observer
    from reeltune.report.benchmark_tables import selection_lines, standings_table

    loaded = load_benchmark(file, changes, is_quick=is_quick)
    directory = (out or Path("results") / loaded.name).resolve()
    result = run_benchmark(loaded, directory, data_dir=data_dir, observe=make_observer, notify=note)
    if result is None:
        note("interrupted; the same command resumes")
        raise typer.Exit(130)
    print_table(_for_terminal(standings_table(result)))
    for line in [*selection_lines(result), result["answer"]["sentence"], f"report: {directory}/report.html"]:
        print(line)


def experiment(
    file: Path = FILE,
    out: Path | None = OUT,
    data_dir: Path | None = DATA_DIR,
    is_quick: bool = QUICK,
    changes: list[str] = CHANGES,
) -> None:
    """Run a benchmark under the verb's former name."""
    note("reeltune experiment is now called reeltune benchmark; the old name goes with the next release")
    benchmark(file, out, data_dir, is_quick, changes)


def _for_terminal(table: Rows) -> Table:
    from reeltune.evaluation.compare import Interval

    drawn = Table(*table.heads, left=[table.heads[1]], spare=["seeds", "trials", "MRR@10", "HR@10", "group"])
    for row, texts in zip(table.rows, table.cells(), strict=True):
        pairs = zip(row, texts, strict=True)
        drawn.add(*(interval_cell(cell) if isinstance(cell, Interval) else text for cell, text in pairs))
    return drawn
