"""``reeltune recommend``: movies for a person the model has never seen."""

from __future__ import annotations

import json
from pathlib import Path

import typer

__all__ = ["recommend"]


def recommend(
    bundle: Path = typer.Argument(
        metavar="DIR", help="A folder made by reeltune export.", show_default=False
    ),
    liked: list[str] = typer.Option(
        [], "--liked", metavar="TITLE", help="A movie that was seen, the oldest first; repeat the option."
    ),
    rated: list[str] = typer.Option(
        [], "--rated", metavar="TITLE=STARS", help='A movie with its rating, e.g. "Fargo (1996)=4.5".'
    ),
    disliked: list[str] = typer.Option(
        [], "--disliked", metavar="TITLE", help="A movie that is kept out of the history and of the list."
    ),
    k: int = typer.Option(10, "-k", help="Number of movies."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON list."),
) -> None:
    """Recommend movies; titles may leave out case, article and, where one movie bears it, the year."""
    from reeltune.serving.recommender import Recommender

    history: list[str | tuple[str, float]] = [*liked, *(_rating(entry) for entry in rated)]
    found = Recommender.load(bundle).recommend(history, k, exclude=disliked)
    if as_json:
        print(json.dumps([line.plain() for line in found], indent=2, ensure_ascii=False))
        return
    from rich.markup import escape

    from reeltune.cli.tables import make_table, print_table

    table = make_table("title", "score")
    table.add_column("genres")
    for line in found:
        table.add_row(
            f"{line.rank:>3}  {escape(line.title)}", f"{line.score:.3f}", escape(", ".join(line.genres))
        )
    print_table(table)


def _rating(entry: str) -> tuple[str, float]:
    from reeltune.errors import UserError

    title, _, stars = entry.rpartition("=")
    try:
        if title.strip():
            return title.strip(), float(stars)
    except ValueError:
        pass  # told below, with the form that is wanted
    raise UserError(f'--rated {entry!r} is not TITLE=STARS; write it like "Fargo (1996)=4.5"')
