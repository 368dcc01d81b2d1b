"""Prints a leaderboard and its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reeltune.evaluation.leaderboard import Leaderboard
    from reeltune.evaluation.repeats import Repeats
    from reeltune.tuning.study.folder import Study

__all__ = ["print_front", "print_leaderboard", "print_repeats"]


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


def print_front(study: Study) -> None:
    """Print the trials that no other beats in every objective; nothing where there is one objective."""
    from reeltune.cli.progress import short_params
    from reeltune.cli.tables import make_table, print_table
    from reeltune.tuning.search.results import pareto_front

    front = pareto_front(study.rows(), study.goal)
    if front is None:
        return
    labels = [*study.goal.objectives, *(x for x in study.goal.limits if x not in study.goal.objectives)]
    table = make_table("front", *labels)
    table.add_column("parameters", overflow="ellipsis", no_wrap=True)
    for row in front.rows:
        is_knee = row.number == front.knee
        name = f"trial {row.number}{' (knee)' if is_knee else ''}"
        figures = [f"{row.metrics[label]:.4g}" for label in labels]
        table.add_row(name, *figures, short_params(row.params), style="bold" if is_knee else None)
    print_table(table)
    print(f"hypervolume {front.hypervolume:.3f} of the box between the worst and best of each objective")


def print_repeats(study: Study, repeats: Repeats | None) -> None:
    """Print what the best configurations reach from other seeds; nothing where none was repeated."""
    from reeltune.cli.tables import make_table, print_table

    if repeats is None:
        return
    labels = study.goal.objectives
    table = make_table("over seeds", "seeds", "chosen at", *labels)
    for found in repeats.configurations:
        figures = [f"{found.mean(label):.4f} +- {found.sd(label):.4f}" for label in labels]
        is_winner = found.trial == repeats.winner
        name = f"trial {found.trial}{' (winner)' if is_winner else ''}"
        cells = [str(len(found.seeds)), f"{found.own:.4f}", *figures]
        table.add_row(name, *cells, style="bold" if is_winner else None)
    print_table(table)
