"""Figures as SVG files that stand alone: intervals, curves with intervals, matrices, trade-offs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#333}.s{fill:#666;font-size:11px}"
    ".b{fill:#fff}.g{stroke:#ddd;stroke-width:1}.i{stroke:#666;stroke-width:2}.d{fill:#666}"
    ".a .i{stroke:#b3261e}.a .d{fill:#b3261e}.a text{font-weight:600}"
    ".l{fill:none;stroke:#b3261e;stroke-width:2}.r{stroke:#333;stroke-width:1.5;stroke-dasharray:5 4}"
    ".o{fill:none;stroke:#333;stroke-width:1.5}.c{fill:#b3261e}.w{fill:#fff}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}.s{fill:#aaa}.b{fill:#1a1a1a}.g{stroke:#444}"
    ".i{stroke:#aaa}.d{fill:#aaa}.o{stroke:#ddd}"
    ".a .i{stroke:#ff8a80}.a .d{fill:#ff8a80}.l{stroke:#ff8a80}.r{stroke:#ddd}"
    ".c{fill:#ff8a80}.w{fill:#1a1a1a}}</style>"
)

_NAME_LENGTH = 40
"""Letters of a name that a figure has room for."""


def number(value: Any) -> str:
    """Return ``value`` as a reader likes it: four digits, no needless zeros.

    >>> number(0.00123456), number(128), number("gru"), number(0.25)
    ('0.001235', '128', 'gru', '0.25')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def round_ticks(low: float, high: float, n: int = 5) -> list[float]:
    """Return about ``n`` round values that reach from ``low`` to ``high``."""
    raw = ((high - low) or 1.0) / n
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]


class Scale:
    """Places values between ``start`` and ``stop``; its round ticks hold all ``values``."""

    def __init__(self, values: Sequence[float], start: float, stop: float, n_ticks: int = 5) -> None:
        self.ticks = round_ticks(min(values), max(values), n_ticks)
        self._low, self._high = min(self.ticks[0], *values), max(self.ticks[-1], *values)
        self._start, self._stop = start, stop

    def __call__(self, value: float) -> float:
        """Return the place of ``value``."""
        share = (value - self._low) / ((self._high - self._low) or 1.0)
        return self._start + (self._stop - self._start) * share


@dataclass(frozen=True)
class Point:
    """A value with its interval."""

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
    height, bottom = top + row * len(points) + (34 if ruler is None else 50), top + row * len(points)
    shown = ([0.0] if zero else []) + ([] if ruler is None else [ruler[0]])
    x = Scale([v for point in points for v in (point.low, point.high)] + shown, left, right)
    parts = [_text(left, 16, f"{title}, 95 % interval", small=True)]
    for tick in x.ticks:
        parts.append(_line("g", x(tick), top - 6, x(tick), bottom))
        parts.append(_text(x(tick), bottom + 16, number(tick), "middle", small=True))
    if ruler is not None:
        parts.append(_line("r", x(ruler[0]), top - 6, x(ruler[0]), bottom + 24))
        parts.append(_text(x(ruler[0]), bottom + 38, ruler[1], "middle"))
    for place, point in enumerate(points):
        y = top + row * place + row / 2
        parts.append(
            _group(
                point.is_marked,
                _text(left - 12, y + 4, _short(point.name), "end")
                + _line("i", x(point.low), y, x(point.high), y)
                + _dot(x(point.value), y)
                + _text(right + 12, y + 4, f"{point.value:.4f}"),
            )
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
    y = Scale([v for point in points for v in (point.low, point.high)], bottom, top, 4)
    step = (right - left) / max(len(points), 1)
    places = [left + step * (i + 0.5) for i in range(len(points))]
    parts = [_text(left, 16, f"{title}, 95 % interval", small=True)]
    for tick in y.ticks:
        parts.append(_line("g", left, y(tick), right, y(tick)))
        parts.append(_text(left - 8, y(tick) + 4, number(tick), "end", small=True))
    parts.append(_path([(x, y(p.value)) for x, p in zip(places, points, strict=True)]))
    for x, point in zip(places, points, strict=True):
        parts.append(
            _group(
                point.is_marked,
                _line("i", x, y(point.low), x, y(point.high))
                + _dot(x, y(point.value))
                + _text(x, bottom + 18, point.name, "middle"),
            )
        )
    parts.append(_text(right, bottom + 38, below, "end", small=True))
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
        parts += [_text(x, 16, "predicted", "middle", small=True), _text(x, 34, label, "middle")]
    for place, (label, row) in enumerate(zip(labels, rows, strict=True)):
        y, total = top + height * place, sum(row) or 1
        parts.append(_text(left - 12, y + height / 2 + 4, f"actually {label}", "end"))
        for column, count in enumerate(row):
            share, x = count / total, left + width * column
            kind = "w" if share > 0.6 else ""
            parts.append(
                f'<rect class="c" fill-opacity="{share:.3f}" x="{x + 1}" y="{y + 1}" width="{width - 2}" '
                f'height="{height - 2}" rx="3"/>'
                + _text(x + width / 2, y + 20, f"{count:,}", "middle", kind=kind)
                + _text(x + width / 2, y + 36, f"{share:.0%}", "middle", kind=kind, small=not kind)
            )
    return _svg(left + width * len(labels) + 10, top + height * len(labels) + 10, title, parts)


def reliability(bins: Sequence[tuple[float, float, int]], *, title: str) -> str:
    """Return the mean that was given over the mean that was predicted, by bins, beside the diagonal.

    Args:
        bins: Mean predicted and mean given rating, and how many there are; from 1 to 5.
        title: What the upright scale measures.
    """
    left, right, top, bottom = 60, 340, 34, 314
    x, y = Scale([1, 5], left, right), Scale([1, 5], bottom, top)
    parts = [_text(left, 16, title, small=True)]
    for tick in range(1, 6):
        parts.append(_line("g", left, y(tick), right, y(tick)))
        parts.append(_text(left - 8, y(tick) + 4, f"{tick}", "end", small=True))
        parts.append(_text(x(tick), bottom + 18, f"{tick}", "middle", small=True))
    parts.append(_line("r", x(1), y(1), x(5), y(5)))
    parts.append(_path([(x(predicted), y(given)) for predicted, given, _ in bins]))
    most = max(n for _, _, n in bins)
    for predicted, given, n in bins:
        parts.append(_group(True, _dot(x(predicted), y(given), 2.5 + 5.5 * (n / most) ** 0.5)))
    parts.append(_text(right, bottom + 36, "predicted", "end", small=True))
    return _svg(380, bottom + 46, title, parts)


@dataclass(frozen=True)
class Panel:
    """One small plot: points of (x, y, label, title), one of them ringed."""

    title: str
    below: str
    points: tuple[tuple[float, float, str, str], ...]  # an empty label is not written
    ringed: int


def panels(drawn: Sequence[Panel], *, title: str) -> str:
    """Return small plots side by side, each with 0 on its upright scale."""
    width, height, left, bottom, top = 340, 260, 56, 208, 34
    parts = []
    for place, panel in enumerate(drawn):
        across, up = [p[0] for p in panel.points], [0.0, *(p[1] for p in panel.points)]
        x, right = _exact(across, left, width - 24), width - 24
        y = _exact(up, bottom, top)
        inside = [
            _text(left, 14, panel.title),
            _line("g", left, top, left, bottom),
            _line("g", left, bottom, right, bottom),
            _text(x(min(across)), bottom + 16, number(min(across)), "start", small=True),
            _text(x(max(across)), bottom + 16, number(max(across)), "end", small=True),
            *(_text(left - 6, y(value) + 4, f"{value:.3f}", "end", small=True) for value in (0.0, max(up))),
            _text((left + right) / 2, bottom + 36, panel.below, "middle", small=True),
            _path([(x(a), y(u)) for a, u, _, _ in panel.points]),
        ]
        for index, (a, u, label, text) in enumerate(panel.points):
            is_ringed = index == panel.ringed
            inside.append(_dot(x(a), y(u), 3, text))
            if is_ringed:
                inside.append(f'<circle class="o" cx="{x(a):.1f}" cy="{y(u):.1f}" r="7"/>')
            if label:  # below the ring: the points beside it have their labels above
                inside.append(_text(x(a), y(u) + (20 if is_ringed else -10), label, "middle", small=True))
        parts.append(f'<g transform="translate({place * width} 0)">{"".join(inside)}</g>')
    return _svg(width * len(drawn), height, title, parts)


def _exact(values: Sequence[float], start: float, stop: float) -> Any:
    low, width = min(values), (max(values) - min(values)) or 1.0
    return lambda value: start + (stop - start) * (value - low) / width


def _short(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}\N{HORIZONTAL ELLIPSIS}"


def _text(x: float, y: float, text: str, anchor: str = "", *, kind: str = "", small: bool = False) -> str:
    kind = " ".join(name for name in (kind, "s" if small else "") if name)
    marks = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text{marks} x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _dot(x: float, y: float, radius: float = 4.5, title: str = "") -> str:
    inside = f"><title>{escape(title)}</title></circle>" if title else "/>"
    return f'<circle class="d" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"{inside}'


def _path(points: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="l" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _group(is_marked: bool, inside: str) -> str:
    return f'<g class="{"a" if is_marked else ""}">{inside}</g>'


def _svg(width: int, height: float, label: str, parts: Sequence[str]) -> str:
    """Return the whole file, on an opaque ground: a page may be darker or lighter than the reader's theme."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" width="{width}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(label)}">{_STYLE}'
        f'<rect class="b" width="{width}" height="{height:.0f}"/>{"".join(parts)}</svg>'
    )
