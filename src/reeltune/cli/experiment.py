"""``reeltune experiment``: a contest of several models that settles a claim."""

from __future__ import annotations

from pathlib import Path

import typer

from reeltune.cli.options import CHANGES, DATA_DIR, note

__all__ = ["experiment"]


def experiment(
    file: Path = typer.Argument(metavar="CONTEST", help="An experiments/*.yaml file with contestants."),
    out: Path | None = typer.Option(
        None, "--out", help="Folder of the results. [default: results/NAME]", show_default=False
    ),
    data_dir: Path | None = DATA_DIR,
    is_quick: bool = typer.Option(
        False, "--quick", help="The small version: what the file's key quick says."
    ),
    changes: list[str] = CHANGES,
) -> None:
    """Tune several models alike, test them once, compare them.

    The same command resumes a run that was interrupted.
    """
    from reeltune.benchmark.run import run_contest
    from reeltune.benchmark.spec import load_contest
    from reeltune.cli.progress import make_observer

    contest = load_contest(file, changes, is_quick=is_quick)
    directory = (out or Path("results") / contest.name).resolve()
    result = run_contest(contest, directory, data_dir=data_dir, observe=make_observer, notify=note)
    if result is None:
        note("interrupted; the same command goes on")
        raise typer.Exit(130)
    _print(result, directory)


def _print(result: dict[str, object], directory: Path) -> None:
    from reeltune.benchmark.tables import standings_table, verdict_lines
    from reeltune.cli.tables import Table, print_table

    standings = standings_table(result)
    table = Table(*standings.heads)
    for row in standings.rows:
        table.add(*map(str, row))
    print_table(table)
    for line in verdict_lines(result):
        print(line)
    print(result["answer"]["sentence"])  # type: ignore[index]
    print(f"report: {directory / 'report.html'}")
