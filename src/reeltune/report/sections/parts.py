"""Pieces that several sections of the report are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from reeltune.evaluation.compare import Interval
from reeltune.evaluation.leaderboard import FIGURES, VERDICT_METRIC
from reeltune.evaluation.repeats import read_repeats
from reeltune.report.charts import number, range_bar
from reeltune.tuning.study.folder import Study

__all__ = [
    "cell",
    "duration",
    "facts_list",
    "figure_table",
    "section",
    "sentence",
    "signed",
    "times",
    "winner",
]


def section(title: str, body: str, *, is_long: bool = False) -> str:
    """Return a section under its heading; a long one may be broken over pages in print."""
    return f"<section{' class=long' if is_long else ''}><h2>{escape(title)}</h2>{body}</section>"


def figure_table(rows: Sequence[tuple[str, str, Mapping[str, Interval]]]) -> str:
    """Return a table of kind, name and figures, with the intervals of the verdict's metric drawn."""
    low = min(metrics[VERDICT_METRIC].low for _, _, metrics in rows)
    high = max(metrics[VERDICT_METRIC].high for _, _, metrics in rows)
    heads = "".join(f'<th class="number">{label.upper()}</th>' for label in FIGURES)
    body = "".join(
        f'<tr class="{kind}"><td>{escape(name)}</td>'
        + "".join(f'<td class="number">{metrics[label].value:.4f}</td>' for label in FIGURES)
        + f'<td class="range-cell">{range_bar(metrics[VERDICT_METRIC], low, high)}</td></tr>'
        for kind, name, metrics in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr><th></th>{heads}<th>{VERDICT_METRIC.upper()}, {low:.3f} to '
        f"{high:.3f}</th></tr></thead><tbody>{body}</tbody></table></div>"
    )


def facts_list(facts: Mapping[str, Any]) -> str:
    """Return names and values as a list of two columns."""
    cells = "".join(f"<dt>{escape(k)}</dt><dd>{escape(number(v))}</dd>" for k, v in facts.items())
    return f'<dl class="facts">{cells}</dl>'


def cell(value: Any) -> str:
    """Return a cell of a table that sorts by its value."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="number" data-value="{value}">{number(value)}</td>'
    return f'<td data-value="{escape(str(value or ""))}">{escape("-" if value is None else str(value))}</td>'


def sentence(verdict: str) -> str:
    """Return a verdict that begins a sentence."""
    # The p-value stays on one line.
    return (verdict[:1].upper() + verdict[1:]).replace("p = ", "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")


def signed(figure: Interval) -> str:
    """Return a difference with its sign and interval."""
    return f"{figure.value:+.4f} (95 % interval {figure.low:+.4f} to {figure.high:+.4f})"


def times(n: int) -> str:
    """Return how often, in words."""
    return "once" if n == 1 else f"{n} times"


def duration(seconds: float) -> str:
    """Return a time in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def winner(study: Study) -> int | None:
    """Return the number of the trial that the study selects, None where none has a figure."""
    best, repeats = study.best(1), read_repeats(study)
    if repeats is not None:
        return repeats.winner
    return best[0].number if best else None
