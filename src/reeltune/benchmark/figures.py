"""Figures as SVG files that stand alone: intervals, curves with intervals, matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from reeltune.report.charts import number, round_ticks

__all__ = ["Point", "curve", "forest", "matrix", "reliability"]

_STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#333}.s{fill:#777;font-size:11px}"
    ".g{stroke:#ddd;stroke-width:1}.i{stroke:#777;stroke-width:2}.d{fill:#777}"
    ".a .i{stroke:#b3261e}.a .d{fill:#b3261e}.a text{font-weight:600}"
    ".l{fill:none;stroke:#b3261e;stroke-width:2}.r{stroke:#333;stroke-width:1.5;stroke-dasharray:5 4}"
    ".c{fill:#b3261e}.w{fill:#fff}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}.s{fill:#999}.g{stroke:#444}"
    ".i{stroke:#999}.d{fill:#999}"
    ".a .i{stroke:#ff8a80}.a .d{fill:#ff8a80}.l{stroke:#ff8a80}.r{stroke:#ddd}"
    ".c{fill:#ff8a80}.w{fill:#1a1a1a}}</style>"
)


_NAME_LENGTH = 40
"""Letters of a name that a figure has room for."""


@dataclass(frozen=True)
class Point:
    """A figure with its interval."""

    name: str
    value: float
    low: float
    high: float
    is_marked: bool = False


def forest(
    points: Sequence[Point], *, title: str, zero: bool = False, ruler: tuple[float, str] | None = None
) -> str:
    """Return one line a point, its value and interval on a common scale.

    Args:
        points: From top to bottom.
        title: What the scale measures.
        zero: Whether the scale contains 0, for differences.
        ruler: A value that is drawn across all points, and its name.
    """
    right, row, top = 640, 26, 30
    left = max([190, *(9 * len(_short(point.name)) + 12 for point in points)])  # room for the longest name
    height = top + row * len(points) + (34 if ruler is None else 50)
    shown = ([0.0] if zero else []) + ([] if ruler is None else [ruler[0]])
    lows = [point.low for point in points] + shown
    highs = [point.high for point in points] + shown
    ticks = round_ticks(min(lows), max(highs), 5)
    low, high = min(ticks[0], *lows), max(ticks[-1], *highs)

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / ((high - low) or 1.0)

    parts = [f'<text class="s" x="{left}" y="16">{escape(title)}, 95 % interval</text>']
    bottom = top + row * len(points)
    for tick in ticks:
        parts.append(f'<line class="g" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 6}" y2="{bottom}"/>')
        parts.append(
            f'<text class="s" x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{number(tick)}</text>'
        )
    if ruler is not None:
        at = f"{x(ruler[0]):.1f}"
        parts.append(f'<line class="r" x1="{at}" x2="{at}" y1="{top - 6}" y2="{bottom + 24}"/>')
        parts.append(f'<text x="{at}" y="{bottom + 38}" text-anchor="middle">{escape(ruler[1])}</text>')
    for place, point in enumerate(points):
        y = top + row * place + row / 2
        parts.append(
            f'<g class="{"a" if point.is_marked else ""}"><text x="{left - 12}" y="{y + 4}" '
            f'text-anchor="end">{escape(_short(point.name))}</text><line class="i" x1="{x(point.low):.1f}" '
            f'x2="{x(point.high):.1f}" y1="{y}" y2="{y}"/><circle class="d" cx="{x(point.value):.1f}" '
            f'cy="{y}" r="4.5"/><text x="{right + 12}" y="{y + 4}">{point.value:.4f}</text></g>'
        )
    return _svg(720, height, title, parts)


def curve(points: Sequence[Point], *, title: str, below: str) -> str:
    """Return the points from left to right, evenly apart, joined by a line.

    Args:
        points: From left to right; the name stands below each.
        title: What the upright scale measures.
        below: What changes from left to right.
    """
    left, right, top, bottom = 60, 560, 34, 230
    ticks = round_ticks(min(p.low for p in points), max(p.high for p in points), 4)
    low = min(ticks[0], *(p.low for p in points))
    high = max(ticks[-1], *(p.high for p in points))
    step = (right - left) / max(len(points), 1)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / ((high - low) or 1.0)

    places = [left + step * (i + 0.5) for i in range(len(points))]
    parts = [f'<text class="s" x="{left}" y="16">{escape(title)}, 95 % interval</text>']
    for tick in ticks:
        parts.append(f'<line class="g" x1="{left}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(
            f'<text class="s" x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{number(tick)}</text>'
        )
    line = " ".join(f"{x:.1f},{y(p.value):.1f}" for x, p in zip(places, points, strict=True))
    parts.append(f'<polyline class="l" points="{line}"/>')
    for x, point in zip(places, points, strict=True):
        parts.append(
            f'<g class="{"a" if point.is_marked else ""}"><line class="i" x1="{x:.1f}" x2="{x:.1f}" '
            f'y1="{y(point.low):.1f}" y2="{y(point.high):.1f}"/><circle class="d" cx="{x:.1f}" '
            f'cy="{y(point.value):.1f}" r="4.5"/><text x="{x:.1f}" y="{bottom + 18}" '
            f'text-anchor="middle">{escape(point.name)}</text></g>'
        )
    parts.append(f'<text class="s" x="{right}" y="{bottom + 38}" text-anchor="end">{escape(below)}</text>')
    return _svg(600, bottom + 48, f"{title} by {below}", parts)


def matrix(rows: Sequence[Sequence[int]], labels: Sequence[str], *, title: str) -> str:
    """Return a confusion matrix: a cell is the darker the larger its share of its row.

    Args:
        rows: Counts; a row is what was, a column what was predicted.
        labels: Of the classes, for rows and columns alike.
        title: Said to who cannot see it.
    """
    left, top, height = 130, 44, 46
    width = max(64, 130 - 14 * len(labels))
    parts = []
    for column, label in enumerate(labels):
        x = left + width * (column + 0.5)
        parts.append(f'<text class="s" x="{x}" y="16" text-anchor="middle">predicted</text>')
        parts.append(f'<text x="{x}" y="34" text-anchor="middle">{escape(label)}</text>')
    for place, (label, row) in enumerate(zip(labels, rows, strict=True)):
        y, total = top + height * place, sum(row) or 1
        parts.append(
            f'<text x="{left - 12}" y="{y + height / 2 + 4}" text-anchor="end">actually '
            f"{escape(label)}</text>"
        )
        for column, count in enumerate(row):
            share, x = count / total, left + width * column
            colour = ' class="w"' if share > 0.6 else ""
            small = colour or ' class="s"'
            parts.append(
                f'<rect class="c" fill-opacity="{share:.3f}" x="{x + 1}" y="{y + 1}" width="{width - 2}" '
                f'height="{height - 2}" rx="3"/><text{colour} x="{x + width / 2}" y="{y + 20}" '
                f'text-anchor="middle">{count:,}</text><text{small} x="{x + width / 2}" y="{y + 36}" '
                f'font-size="11" text-anchor="middle">{share:.0%}</text>'
            )
    return _svg(left + width * len(labels) + 10, top + height * len(labels) + 10, title, parts)


def reliability(bins: Sequence[tuple[float, float, int]], *, title: str) -> str:
    """Return the mean that was given over the mean that was predicted, by bins, beside the diagonal.

    Args:
        bins: Mean predicted and mean given stars, and how many there are; from 1 to 5 stars.
        title: What the upright scale measures.
    """
    left, right, top, bottom = 60, 340, 34, 314

    def x(stars: float) -> float:
        return left + (right - left) * (stars - 1) / 4

    def y(stars: float) -> float:
        return bottom - (bottom - top) * (stars - 1) / 4

    parts = [f'<text class="s" x="{left}" y="16">{escape(title)}</text>']
    for tick in range(1, 6):
        parts.append(f'<line class="g" x1="{left}" x2="{right}" y1="{y(tick)}" y2="{y(tick)}"/>')
        parts.append(f'<text class="s" x="{left - 8}" y="{y(tick) + 4}" text-anchor="end">{tick}</text>')
        parts.append(f'<text class="s" x="{x(tick)}" y="{bottom + 18}" text-anchor="middle">{tick}</text>')
    parts.append(f'<line class="r" x1="{x(1)}" y1="{y(1)}" x2="{x(5)}" y2="{y(5)}"/>')
    line = " ".join(f"{x(predicted):.1f},{y(given):.1f}" for predicted, given, _ in bins)
    parts.append(f'<polyline class="l" points="{line}"/>')
    most = max(n for _, _, n in bins)
    for predicted, given, n in bins:
        radius = 2.5 + 5.5 * (n / most) ** 0.5
        parts.append(
            f'<g class="a"><circle class="d" cx="{x(predicted):.1f}" cy="{y(given):.1f}" '
            f'r="{radius:.1f}"/></g>'
        )
    parts.append(f'<text class="s" x="{right}" y="{bottom + 36}" text-anchor="end">predicted stars</text>')
    return _svg(380, bottom + 46, title, parts)


def _short(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}\N{HORIZONTAL ELLIPSIS}"


def _svg(width: int, height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" width="{width}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(label)}">{_STYLE}{"".join(parts)}</svg>'
    )
