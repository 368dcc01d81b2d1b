"""Pieces that several sections of a study's report are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reeltune.evaluation.compare import Comparison, Interval
from reeltune.evaluation.leaderboard import FIGURES, VERDICT_METRIC
from reeltune.evaluation.repeats import read_repeats
from reeltune.report.charts import range_bar
from reeltune.report.tables import Html, Table
from reeltune.tuning.study.folder import Study


def metric_table(
    rows: Sequence[tuple[str, str, Mapping[str, Interval]]], comparisons: Sequence[Comparison], own: str
) -> str:
    """Return a table of kind, name and metrics, best first, with the verdict metric's intervals drawn.

    What ``comparisons`` say of ``own`` and a row's name stands in a column of its own.
    """
    against = {comparison.opponent: comparison.standing() for comparison in comparisons}
    low = min(metrics[VERDICT_METRIC].low for _, _, metrics in rows)
    high = max(metrics[VERDICT_METRIC].high for _, _, metrics in rows)
    ordered = sorted(rows, key=lambda row: -row[2][VERDICT_METRIC].value)
    cells = tuple(
        (
            name,
            against.get(name, ""),
            *(metrics[label].value for label in FIGURES),
            Html(range_bar(metrics[VERDICT_METRIC], low, high)),
        )
        for _, name, metrics in ordered
    )
    heads = (
        "",
        f"against {own}",
        *map(str.upper, FIGURES),
        f"{VERDICT_METRIC.upper()}, {low:.3f} to {high:.3f}",
    )
    return Table(heads, cells, tuple(kind for kind, _, _ in ordered)).html()


def short_name(name: str) -> str:
    """Return a searched field as a heading.

    >>> short_name("model.hidden_dim")
    'hidden dim'
    """
    return name.rpartition(".")[2].replace("_", " ")


def winner(study: Study) -> int | None:
    """Return the number of the trial that the study selects, None where none has a figure."""
    best, repeats = study.best(1), read_repeats(study)
    if repeats is not None:
        return repeats.winner
    return best[0].number if best else None
