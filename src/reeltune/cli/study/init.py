"""``reeltune init``: an experiment of one's own, written from a look at the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

REMARKS = {
    "user": "ids of the users",
    "item": "ids of the movies",
    "rating": "an empty one is unknown",
    "timestamp": "without it the rows of a user must stand in order of time",
    "time_unit": "seconds, milliseconds, microseconds, days since 1970; day for 2019-06-30; order",
    "lowest_rating": "of the scale; a smaller one is an error",
    "highest_rating": "of the scale; a larger one is an error",
}


def init(
    file: Path | None = typer.Argument(
        None, metavar="[FILE.csv]", help="A table of ratings or watch events."
    ),
    dataset: str | None = typer.Option(None, "--dataset", help="A known data set instead of a file."),
    name: str | None = typer.Option(None, "--name", help="Name of the experiment. [default: the data's]"),
    user: str | None = typer.Option(None, "--user", metavar="COLUMN", help="Column of the users."),
    item: str | None = typer.Option(None, "--item", metavar="COLUMN", help="Column of the movies."),
    model: str | None = typer.Option(
        None, "--model", help="The shipped search space to begin with. [default: that of the GRU]"
    ),
) -> None:
    """Write an experiment and a search space for your data.

    Columns, unit of time and scale are guessed from the file; look at what was written.
    """
    from reeltune.config import Document, parse
    from reeltune.data.config import DataConfig
    from reeltune.data.guess import guess_columns
    from reeltune.errors import UserError
    from reeltune.files import write_text
    from reeltune.models.registry import DEFAULT_NETWORK
    from reeltune.shipped import find_yaml

    if (file is None) == (dataset is None):
        raise UserError("give a file or a known data set: reeltune init ratings.csv, or --dataset NAME")
    columns: dict[str, Any] = {}
    if file is not None:
        given = {key: value for key, value in (("user", user), ("item", item)) if value is not None}
        columns = guess_columns(file, given)
        data: dict[str, Any] = {"dataset": "csv", "path": str(file), "columns": columns}
    else:
        data = {"dataset": dataset}
    parse(DataConfig, Document(data, {}, "reeltune init"))
    stem = name or (file.name.split(".")[0] if file is not None else str(dataset))
    experiment, space = Path(f"{stem}.yaml"), Path(f"{stem}_space.yaml")
    for path in (experiment, space):
        if path.exists():
            raise UserError(f"{path} exists; choose another --name, or remove it")
    write_text(space, find_yaml(model or DEFAULT_NETWORK, "search_spaces").read_text(encoding="utf-8"))
    write_text(experiment, _experiment(data, columns, space))
    print(f"written: {experiment}, {space}\nnext:    reeltune check {experiment}")


def _experiment(data: dict[str, Any], columns: dict[str, Any], space: Path) -> str:
    """Return the text of the experiment, a remark beside each guess."""
    import json

    of = data.get("path", data["dataset"])
    lines = [f"question: How well can a tuned network rank the next movie in {of}?", "data:"]
    lines += [f"  {key}: {json.dumps(value)}" for key, value in data.items() if key != "columns"]
    if columns:
        lines.append("  columns:")
        for key, value in columns.items():
            remark = f"  # {REMARKS[key]}" if key in REMARKS else ""
            lines.append(f"    {key}: {json.dumps(value, ensure_ascii=False)}{remark}")
    return "\n".join(
        [
            *lines,
            "  k_core: 5           # movies with fewer interactions are dropped",
            "  split: leave-one-out  # the last movie of each user is test, the one before it validation",
            "training: {max_epochs: 10}",
            "study:",
            f"  space: {space}",
            "  trials: 16          # the first one is the default configuration",
            "  objective: ndcg@10",
            "  seed: 17",
            "final: {seeds: 2}     # fresh seeds of the winner before the test set is opened",
            "",
        ]
    )
