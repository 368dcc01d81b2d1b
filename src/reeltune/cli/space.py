"""``reeltune space import``: a search space of another tool as one of reeltune's."""

from __future__ import annotations

from pathlib import Path

import typer

from reeltune.cli.options import example, note

app = typer.Typer(name="space", help="Search spaces of other tools.", no_args_is_help=True)


@app.callback()
def _space() -> None:
    pass


@app.command("import", epilog=example("space import hyper.test --out mine.yaml"))
def import_verb(
    file: Path = typer.Argument(help="A hyper.test file of RecBole or a paramspaces file of GRU4Rec."),
    model: str | None = typer.Option(None, "--model", help="The network that is searched; else a GRU."),
    out: Path | None = typer.Option(None, "--out", help="File to write. [default: the screen]"),
) -> None:
    """Write the space in FILE as one of reeltune; says what it cannot take."""
    from reeltune.files import write_text
    from reeltune.tuning.space.imports import import_space

    text, left_out = import_space(file) if model is None else import_space(file, model)
    for problem in left_out:
        note(f"not taken: {problem}")
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        print(f"the space is written to {out}")
