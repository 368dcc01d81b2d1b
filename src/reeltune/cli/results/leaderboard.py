"""Prints a leaderboard and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reeltune.cli.tables import Table, print_table, short_time

if TYPE_CHECKING:
    from reeltune.evaluation.leaderboard import Leaderboard
    from reeltune.evaluation.repeats import Repeats
    from reeltune.tuning.study.folder import Study


def print_leaderboard(leaderboard: Leaderboard, usual: Mapping[str, Any]) -> None:
    """Print trials and baselines on validation, best first, and the verdict.

    Searched values are shown where they differ from the ``usual`` ones.
    """
    labels = list(leaderboard.entries[0].metrics)
    spare = ["time", "epochs", labels[-1], labels[0]]
    table = Table("validation", *labels, "epochs", "time", spare=spare, params=True)
    for entry in leaderboard.entries:
        figures = [f"{entry.metrics[label].value:.4f}" for label in labels]
        epochs = str(entry.n_epochs) if entry.kind == "trial" else ""
        style = "bold" if entry.kind == "baseline" else None
        cells = (entry.name, *figures, epochs, short_time(entry.seconds))
        table.add(*cells, params=entry.params, usual=usual, style=style)
    print_table(table)
    for line in leaderboard.summary():
        print(line)


def print_front(study: Study) -> None:
    """Print the trials that no other beats in every objective; nothing where there is one objective."""
    from reeltune.tuning.search.results import pareto_front

    front = pareto_front(study.rows(), study.goal)
    if front is None:
        return
    labels = [*study.goal.objectives, *(x for x in study.goal.limits if x not in study.goal.objectives)]
    table = Table("front", *labels, spare=labels[:1:-1], params=True)
    for row in front.rows:
        is_knee = row.number == front.knee
        name = f"trial {row.number}{' (knee)' if is_knee else ''}"
        figures = [f"{row.metrics[label]:.4g}" for label in labels]
        style = "bold" if is_knee else None
        table.add(name, *figures, params=row.params, usual=study.spec.default_point, style=style)
    print_table(table)
    print(f"hypervolume {front.hypervolume:.3f} of the box between the worst and best of each objective")


def print_repeats(study: Study, repeats: Repeats | None) -> None:
    """Print what the best configurations reach from other seeds; nothing where none was repeated."""
    if repeats is None:
        return
    labels = study.goal.objectives
    table = Table("over seeds", "seeds", "chosen at", *labels, spare=[*labels[:0:-1], "chosen at"])
    for found in repeats.configurations:
        figures = [f"{found.mean(label):.4f} +- {found.sd(label):.4f}" for label in labels]
        is_winner = found.trial == repeats.winner
        name = f"trial {found.trial}{' (winner)' if is_winner else ''}"
        cells = [str(len(found.seeds)), f"{found.own:.4f}", *figures]
        table.add(name, *cells, style="bold" if is_winner else None)
    print_table(table)
