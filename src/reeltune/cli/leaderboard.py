"""Prints a leaderboard and its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reeltune.evaluation.leaderboard import Leaderboard

__all__ = ["print_leaderboard"]


def print_leaderboard(leaderboard: Leaderboard) -> None:
    """Print trials and baselines on validation, best first, and the verdict."""
    from reeltune.cli.progress import short_params, short_time
    from reeltune.cli.tables import make_table, print_table

    labels = list(leaderboard.entries[0].metrics)
    table = make_table("validation", *labels, "epochs", "time")
    table.add_column("parameters", overflow="ellipsis", no_wrap=True)
    for entry in leaderboard.entries:
        figures = [f"{entry.metrics[label].value:.4f}" for label in labels]
        epochs = str(entry.n_epochs) if entry.kind == "trial" else ""
        style = "bold" if entry.kind == "baseline" else None
        params = short_params(entry.params)
        table.add_row(entry.name, *figures, epochs, short_time(entry.seconds), params, style=style)
    print_table(table)
    print(leaderboard.verdict)
