"""The charts of a page as HTML and SVG strings: no script needed to read them, none fetched.

Lines are drawn in a square of 100 by 100 that stretches with the page; text and marks are
HTML on top of it, so that they keep their size on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from reeltune.evaluation.compare import Interval
from reeltune.report.svg import Scale, number
from reeltune.tuning.space.parameters import Choice, Parameter


class Share(Protocol):
    """A share and the range of its estimate, each 0 to 1."""

    @property
    def share(self) -> float: ...  # noqa: D102
    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Curve:
    """The objective of one trial, epoch by epoch."""

    name: str
    values: tuple[float, ...]  # epoch ``start + 1`` first
    kind: str  # "best", "stopped", "diverged" or ""
    start: int = 0  # epochs before


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


@dataclass(frozen=True)
class Axis:
    """An axis of the parallel coordinates."""

    name: str
    low: str
    high: str
    place: Callable[[Any], float]  # value to 0..1
    ticks: tuple[tuple[float, str], ...] = ()  # of choices

    @classmethod
    def of(cls, name: str, parameter: Parameter) -> Axis:
        """Return the axis of a searched field, on the scale that was searched."""
        short = name.rpartition(".")[2].replace("_", " ")
        if isinstance(parameter, Choice):
            last = len(parameter.values) - 1
            places = {value: index / last for index, value in enumerate(parameter.values)}
            ticks = tuple((place, number(value)) for value, place in places.items())
            return cls(short, "", "", lambda value: places[value], ticks)
        return cls(short, number(parameter.low), number(parameter.high), parameter.place)


def range_bar(figure: Interval, low: float, high: float) -> str:
    """Return an interval with its mean on a scale from ``low`` to ``high``."""
    width = (high - low) or 1.0
    places = {"low": figure.low, "high": figure.high, "at": figure.value}
    style = ";".join(f"--{name}:{100 * (value - low) / width:.2f}%" for name, value in places.items())
    return f'<div class="range" style="{style}"><i></i><b></b></div>'


_LABEL_HEIGHT = 5.0  # percent of the height of a plot


def _apart(labels: Sequence[tuple[float, str]]) -> list[tuple[float, list[str]]]:
    """Return labels with their places, highest first; those that would overprint share the highest place.

    >>> _apart([(40, "EASE"), (80, "Markov"), (42, "BPR")])
    [(80, ['Markov']), (42, ['BPR', 'EASE'])]
    """
    found: list[tuple[float, list[str]]] = []
    for place, name in sorted(labels, reverse=True):
        if found and found[-1][0] - place < _LABEL_HEIGHT:
            found[-1][1].append(name)
        else:
            found.append((place, [name]))
    return found


def learning_curves(curves: Sequence[Curve], *, label: str, rulers: Sequence[tuple[str, float]]) -> str:
    """Return the objective over epochs, one line a trial, with horizontal rulers such as baselines."""
    values = [v for curve in curves for v in curve.values] + [value for _, value in rulers]
    n_epochs = max(curve.start + len(curve.values) for curve in curves)
    y = Scale([min(0.0, *values), *values], 0, 100)

    def x(epoch: int) -> float:
        return 100 * (epoch - 1) / max(n_epochs - 1, 1)

    lines = [_level(y(tick)) for tick in y.ticks]
    marks = [_mark("y", number(tick), bottom=y(tick)) for tick in y.ticks]
    lines += [_level(y(value), "baseline") for _, value in rulers]
    marks += [
        _mark("ruler", ", ".join(names), bottom=bottom)
        for bottom, names in _apart([(y(value), name) for name, value in rulers])
    ]
    # The best curve is drawn last, on top of the others.
    for curve in sorted(curves, key=lambda curve: curve.kind == "best"):
        points = [(x(i), y(v)) for i, v in enumerate(curve.values, start=curve.start + 1)]
        lines.append(_line(points, curve.kind, curve.name))
        left, bottom = points[-1]
        marks.append(_mark(f"end {curve.kind}", "", left=left, bottom=bottom, title=curve.name))
    marks += [_mark("x", f"{epoch}", left=x(epoch)) for epoch in _epoch_ticks(n_epochs)]
    return _plot(lines, marks, "epoch", f"{label} after each epoch for {len(curves)} trials")


def parallel_coordinates(axes: Sequence[Axis], lines: Sequence[tuple[str, Sequence[Any], float]]) -> str:
    """Return the trials as lines over ``axes``.

    Args:
        axes: From left to right.
        lines: Name, one value an axis (None where it was not searched) and goodness 0..1, worst first.
    """
    step = 100 / max(len(axes) - 1, 1)
    drawn = []
    for order, (name, values, goodness) in enumerate(lines, start=1):
        heights = [None if v is None else axis.place(v) for axis, v in zip(axes, values, strict=True)]
        points = [(i * step, 100 * height) for i, height in enumerate(heights) if height is not None]
        data = ",".join("" if height is None else f"{height:.4f}" for height in heights)
        more = f' data-heights="{data}" style="--good:{100 * goodness:.0f}%"'
        drawn.append(_line(points, "best" if order == len(lines) else "", name, more))
    marks = [
        f'<div class="axis" style="left:{i * step:.2f}%"><span class="name">{escape(axis.name)}</span>'
        f'<span class="high">{escape(axis.high)}</span>'
        + "".join(_mark("tick", text, bottom=100 * place) for place, text in axis.ticks)
        + f'<span class="low">{escape(axis.low)}</span></div>'
        for i, axis in enumerate(axes)
    ]
    return (
        f'<div class="scroll" tabindex="0"><div class="axes" style="--n:{len(axes)}" role="img" '
        f'aria-label="Searched values of {len(lines)} trials; the table of trials holds the same">'
        f"{_square(drawn)}{''.join(marks)}</div></div>"
    )


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
    y = Scale([dot.y for dot in dots] + [y for _, y in line], 0, 100, 3)
    lines = [_level(y(tick)) for tick in y.ticks]
    if line:
        lines.append(_line([(100 * at, y(value)) for at, value in line], "front"))
    marks = [f'<span class="above">{escape(above)}</span>'] if above else []
    marks += [_mark("y", number(tick), bottom=y(tick)) for tick in y.ticks]
    marks += [_mark("x", text, left=100 * at) for at, text in ticks]
    marks += [_mark(f"dot {dot.kind}", "", left=100 * dot.x, bottom=y(dot.y), title=dot.name) for dot in dots]
    return _plot(lines, marks, title, label)


def trial_bars(bars: Sequence[Bar], *, unit: str, label: str) -> str:
    """Return one upright bar a trial, in the order given."""
    y = Scale([0.0, max(bar.height for bar in bars) or 1.0], 0, 100, 4)
    marks = "".join(_mark("y", number(tick), bottom=y(tick)) for tick in y.ticks)
    every = max(1, -(-len(bars) // 16))
    columns = "".join(
        f'<div title="{escape(bar.name)}"><i class="{bar.kind}" style="height:{y(bar.height):.2f}%"></i>'
        f"<span>{escape(bar.label) if place % every == 0 else ''}</span></div>"
        for place, bar in enumerate(bars)
    )
    return (
        f'<div class="upright" role="img" aria-label="{escape(label)}">{marks}'
        f'<div class="columns">{columns}</div><span class="unit">{escape(unit)}</span></div>'
    )


def interval_bars(found: Mapping[str, Share]) -> str:
    """Return one bar a name, as long as its share, with the range of the estimate on it."""
    scale = max((max(item.share, item.high) for item in found.values()), default=0.0) or 1.0
    rows = "".join(
        f'<span>{escape(name)}</span><div style="--share:{100 * item.share / scale:.1f}%;'
        f'--low:{100 * item.low / scale:.1f}%;--high:{100 * item.high / scale:.1f}%"><i></i><u></u></div>'
        f"<b>{100 * item.share:.0f} % <small>{100 * item.low:.0f} to {100 * item.high:.0f}</small></b>"
        for name, item in found.items()
    )
    return f'<div class="bars">{rows}</div>'


def _plot(lines: Sequence[str], marks: Sequence[str], title: str, label: str) -> str:
    return (
        f'<div class="plot" role="img" aria-label="{escape(label)}">{_square(lines)}{"".join(marks)}'
        f'<span class="title">{escape(title)}</span></div>'
    )


def _square(lines: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{"".join(lines)}</svg>'


def _level(y: float, kind: str = "") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'<line{marked} x1="0" x2="100" y1="{100 - y:.2f}" y2="{100 - y:.2f}"/>'


def _line(points: Sequence[tuple[float, float]], kind: str, name: str = "", more: str = "") -> str:
    places = " ".join(f"{x:.2f},{100 - y:.2f}" for x, y in points)
    inside = f"><title>{escape(name)}</title></polyline>" if name else "/>"
    return f'<polyline class="{kind}" points="{places}"{more}{inside}'


def _mark(kind: str, text: str, *, title: str = "", **place: float) -> str:
    style = ";".join(f"{side}:{value:.2f}%" for side, value in place.items())
    said = f' title="{escape(title)}"' if title else ""
    return f'<span class="{kind}" style="{style}"{said}>{escape(text)}</span>'


def _epoch_ticks(n_epochs: int) -> list[int]:
    step = max(1, math.ceil(n_epochs / 8))
    return [1, *(epoch for epoch in range(step, n_epochs + 1, step) if epoch > max(1, step // 2))]
