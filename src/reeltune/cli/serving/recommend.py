"""``reeltune recommend``: movies for a user the model has never seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from reeltune.cli.options import AS_CSV, AS_JSON, note
from reeltune.cli.tables import Table, print_plain, print_table

if TYPE_CHECKING:
    from reeltune.serving.recommend.recommender import Recommender


def recommend(
    bundle: Path = typer.Argument(
        metavar="DIR", help="A folder made by reeltune export.", show_default=False
    ),
    liked: list[str] = typer.Option(
        [], "--liked", metavar="TITLE", help="A movie that was seen, the oldest first; repeat the option."
    ),
    rated: list[str] = typer.Option(
        [], "--rated", metavar="TITLE=RATING", help='A movie with its rating, e.g. "Fargo (1996)=4.5".'
    ),
    disliked: list[str] = typer.Option(
        [], "--disliked", metavar="TITLE", help="A movie that is kept out of the history and of the list."
    ),
    ratings: Path | None = typer.Option(
        None,
        "--from",
        metavar="FILE",
        help="Seen movies from Letterboxd, IMDb or Netflix (CSV or zip), or a CSV title,rating,date.",
    ),
    genres: list[str] = typer.Option([], "--genre", help="List only movies of this genre, or of these."),
    without_genres: list[str] = typer.Option([], "--no-genre", help="List no movie of this genre."),
    first_year: int | None = typer.Option(
        None, "--since", metavar="YEAR", help="List only movies from then on."
    ),
    last_year: int | None = typer.Option(
        None, "--until", metavar="YEAR", help="List only movies up to then."
    ),
    people: list[str] = typer.Option(
        [], "--person", metavar="NAME", help="List only movies that this person made or plays in."
    ),
    is_tuned: bool = typer.Option(
        False, "--tuned", help="Re-rank with the weights that the bundle was tuned to on validation."
    ),
    popularity: float | None = typer.Option(
        None, "--popularity", help="-1 to 1: weight of well known movies; below 0 of little known ones."
    ),
    novelty: float | None = typer.Option(
        None, "--novelty", help="0 to 1: weight of movies unlike those that were seen."
    ),
    calibration: float | None = typer.Option(
        None, "--calibration", help="0 to 1: weight of genres in the user's own proportions."
    ),
    is_explained: bool = typer.Option(False, "--why", help="Say which seen movie speaks for each line."),
    k: int = typer.Option(10, "--k", "-k", help="Number of movies."),
    as_json: bool = AS_JSON,
    as_csv: bool = AS_CSV,
    batch: Path | None = typer.Option(
        None,
        "--batch",
        metavar="TABLE",
        help="Lists for all users of a CSV or Parquet: user, item or title, and optional rating, timestamp.",
    ),
    out: Path | None = typer.Option(None, "--out", metavar="FILE", help="Parquet file for --batch."),
    engine: str = typer.Option(
        "auto", "--engine", help="What computes: torch, onnx, or auto: onnx where installed and exported."
    ),
) -> None:
    """Recommend movies from a bundle.

    Titles may leave out case, article and, where one movie bears it, the year.

    With --batch, for all users of a table: lists are written to the Parquet file --out.
    """
    from reeltune.serving.bundle.reranking import AS_SCORED
    from reeltune.serving.recommend.filters import Filters
    from reeltune.serving.recommend.recommender import Recommender

    recommender = Recommender.load(bundle, engine)
    filters = Filters(tuple(genres), tuple(without_genres), first_year, last_year, tuple(people))
    start = recommender.tuned if is_tuned else AS_SCORED
    rerank = start.changed(popularity=popularity, novelty=novelty, calibration=calibration)
    if batch is not None or out is not None:
        is_mixed = bool(liked or rated or disliked or ratings or is_explained)
        _recommend_many(recommender, batch, out, is_mixed=is_mixed, k=k, filters=filters, rerank=rerank)
        return
    history: list[str | tuple[str, float]] = [*liked, *(_rating(entry) for entry in rated)]
    if ratings is not None:
        seen, missed = recommender.read(ratings, note)
        some = f", e.g. {', '.join(map(repr, missed[:3]))}" if missed else ""
        note(f"{ratings}: {len(seen)} movies known, {len(missed)} not in the catalogue{some}")
        history = [*seen, *history]
    found = recommender.recommend(
        history,
        k,
        exclude=disliked,
        filters=filters,
        rerank=rerank,
        is_explained=is_explained,
    )
    if print_plain([line.plain() for line in found], as_json=as_json, as_csv=as_csv):
        return
    if not found:
        note("no movie is left: every one of these genres and years is seen or disliked; ask for more")
        return
    heads = ["title", "score", "genres", *(["because of"] if is_explained else [])]
    table = Table(*heads, left=heads[2:], spare=["genres"])
    for line in found:
        cells = [f"{line.rank:>3}  {line.title}", f"{line.score:.3f}", ", ".join(line.genres), line.because]
        table.add(*cells[: len(heads)])
    print_table(table)


def _recommend_many(
    recommender: Recommender, table: Path | None, out: Path | None, *, is_mixed: bool, **choice: Any
) -> None:
    from reeltune.cli.bar import progress_bar
    from reeltune.errors import UserError
    from reeltune.serving.recommend.many import recommend_many

    if table is None or out is None:
        raise UserError("--batch and --out go together: --batch ratings.csv --out lists.parquet")
    if is_mixed:
        raise UserError(
            "--batch takes its users from the table; leave --liked, --rated, --from and --why out"
        )
    with progress_bar("ratings") as progress:
        done = recommend_many(recommender, table, out, progress=progress, notify=note, **choice)
    if done.n_unknown:
        some = ", ".join(map(repr, done.unknown))
        note(f"{done.n_unknown:,} of {done.n_rows:,} ratings are of movies not in the catalogue, e.g. {some}")
    if done.n_without:
        note(f"{done.n_without:,} users have no movie of the catalogue, so no list")
    print(f"lists of {done.n_users:,} users: {out} ({done.seconds:.1f} s)")


def _rating(entry: str) -> tuple[str, float]:
    from reeltune.errors import UserError

    title, _, rating = entry.rpartition("=")
    try:
        if title.strip():
            return title.strip(), float(rating)
    except ValueError:
        pass  # reported below, with the form that is wanted
    raise UserError(f'--rated {entry!r} is not TITLE=RATING; write it like "Fargo (1996)=4.5"')
