"""Dots, bars and intervals of the report as HTML strings; see :mod:`reeltune.report.charts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from reeltune.report.charts import number, round_ticks
from reeltune.tuning.study.importance import Importance

__all__ = ["Bar", "Dot", "interval_bars", "scatter", "trial_bars"]


@dataclass(frozen=True)
class Dot:
    """A trial in a plot."""

    x: float  # 0 left, 1 right
    y: float  # value on the vertical axis
    kind: str  # "best", "stopped", "front", "broken" or ""
    name: str


@dataclass(frozen=True)
class Bar:
    """A trial in a row of bars."""

    height: float
    kind: str  # "best", "stopped", "bad" or ""
    name: str
    label: str  # below it


def scatter(
    dots: Sequence[Dot],
    *,
    title: str,
    ticks: Sequence[tuple[float, str]],
    line: Sequence[tuple[float, float]] = (),
    label: str,
    above: str = "",
) -> str:
    """Return dots over a horizontal axis.

    Args:
        dots: The dots; later ones lie on top.
        title: Name of the horizontal axis.
        ticks: Place 0..1 and text of the marks below.
        line: Points (x 0..1, y) of a line behind the dots.
        label: Says in words what is drawn.
        above: Name of the vertical axis.
    """
    values = [dot.y for dot in dots] + [y for _, y in line]
    heights = round_ticks(min(values), max(values), 3)
    low, high = min(heights[0], *values), max(heights[-1], *values)

    def y(value: float) -> float:
        return 100 * (value - low) / ((high - low) or 1.0)

    lines = "".join(f'<line x1="0" x2="100" y1="{100 - y(t):.2f}" y2="{100 - y(t):.2f}"/>' for t in heights)
    if line:
        points = " ".join(f"{100 * at:.2f},{100 - y(value):.2f}" for at, value in line)
        lines += f'<polyline class="front" points="{points}"/>'
    marks = [f'<span class="above">{escape(above)}</span>'] if above else []
    marks += [f'<span class="y" style="bottom:{y(t):.2f}%">{number(t)}</span>' for t in heights]
    marks += [f'<span class="x" style="left:{100 * at:.2f}%">{escape(text)}</span>' for at, text in ticks]
    marks += [
        f'<span class="dot {dot.kind}" style="left:{100 * dot.x:.2f}%;bottom:{y(dot.y):.2f}%" '
        f'title="{escape(dot.name)}"></span>'
        for dot in dots
    ]
    return (
        f'<div class="plot" role="img" aria-label="{escape(label)}">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{lines}</svg>'
        f'{"".join(marks)}<span class="title">{escape(title)}</span></div>'
    )


def trial_bars(bars: Sequence[Bar], *, unit: str, label: str) -> str:
    """Return one upright bar a trial, in the order given."""
    ticks = round_ticks(0.0, max(bar.height for bar in bars) or 1.0, 4)
    top = ticks[-1]
    marks = "".join(f'<span class="y" style="bottom:{100 * t / top:.2f}%">{number(t)}</span>' for t in ticks)
    every = max(1, -(-len(bars) // 16))
    columns = "".join(
        f'<div title="{escape(bar.name)}">'
        f'<i class="{bar.kind}" style="height:{100 * bar.height / top:.2f}%"></i>'
        f"<span>{escape(bar.label) if place % every == 0 else ''}</span></div>"
        for place, bar in enumerate(bars)
    )
    return (
        f'<div class="upright" role="img" aria-label="{escape(label)}">{marks}'
        f'<div class="columns">{columns}</div><span class="unit">{escape(unit)}</span></div>'
    )


def interval_bars(found: Mapping[str, Importance], *, beside: Mapping[str, Importance] | None = None) -> str:
    """Return one bar a name, as long as its share, with the range of the estimate on it.

    Bars that are to be compared with those of ``beside`` are drawn on the scale of both.
    """
    drawn = [*found.values(), *(beside or {}).values()]
    scale = max((max(item.share, item.high) for item in drawn), default=0.0) or 1.0
    rows = "".join(
        f'<span>{escape(name)}</span><div style="--share:{100 * item.share / scale:.1f}%;'
        f'--low:{100 * item.low / scale:.1f}%;--high:{100 * item.high / scale:.1f}%"><i></i><u></u></div>'
        f"<b>{100 * item.share:.0f} % <small>{100 * item.low:.0f} to {100 * item.high:.0f}</small></b>"
        for name, item in found.items()
    )
    return f'<div class="bars">{rows}</div>'
