"""The report's charts as HTML and SVG strings: no script needed to read them, none fetched.

Lines are drawn in a square of 100 by 100 that stretches with the page; text and marks are
HTML on top of it, so that they keep their size on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from reeltune.evaluation.compare import Interval
from reeltune.tuning.space.parameters import Choice, Parameter

__all__ = ["Axis", "Curve", "learning_curves", "number", "parallel_coordinates", "range_bar", "round_ticks"]


def number(value: Any) -> str:
    """Return ``value`` as a reader likes it: four digits, no needless zeros.

    >>> number(0.00123456), number(128), number("gru"), number(0.25)
    ('0.001235', '128', 'gru', '0.25')
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


@dataclass(frozen=True)
class Curve:
    """The objective of one trial, epoch by epoch."""

    name: str
    values: tuple[float, ...]  # epoch ``start + 1`` first
    kind: str  # "best", "stopped", "diverged" or ""
    start: int = 0  # epochs before


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
    places = {
        name: 100 * (value - low) / width
        for name, value in (("low", figure.low), ("high", figure.high), ("at", figure.value))
    }
    style = ";".join(f"--{name}:{place:.2f}%" for name, place in places.items())
    return f'<div class="range" style="{style}"><i></i><b></b></div>'


def learning_curves(curves: Sequence[Curve], *, label: str, rulers: Sequence[tuple[str, float]]) -> str:
    """Return the objective over epochs, one line a trial, with horizontal rulers such as baselines."""
    values = [v for curve in curves for v in curve.values] + [value for _, value in rulers]
    n_epochs = max(curve.start + len(curve.values) for curve in curves)
    ticks = round_ticks(min(0.0, *values), max(values))
    low, high = ticks[0], max(ticks[-1], *values)

    def x(epoch: int) -> float:
        return 100 * (epoch - 1) / max(n_epochs - 1, 1)

    def y(value: float) -> float:
        return 100 * (value - low) / ((high - low) or 1.0)

    lines = [f'<line x1="0" x2="100" y1="{100 - y(t):.2f}" y2="{100 - y(t):.2f}"/>' for t in ticks]
    marks = [f'<span class="y" style="bottom:{y(t):.2f}%">{number(t)}</span>' for t in ticks]
    for name, value in rulers:
        height = f"{100 - y(value):.2f}"
        lines.append(f'<line class="baseline" x1="0" x2="100" y1="{height}" y2="{height}"/>')
        marks.append(f'<span class="ruler" style="bottom:{y(value):.2f}%">{escape(name)}</span>')
    # The best curve is drawn last, on top of the others.
    for curve in sorted(curves, key=lambda curve: curve.kind == "best"):
        points = " ".join(
            f"{x(i):.2f},{100 - y(v):.2f}" for i, v in enumerate(curve.values, start=curve.start + 1)
        )
        lines.append(
            f'<polyline class="{curve.kind}" points="{points}"><title>{escape(curve.name)}</title></polyline>'
        )
        style = f"left:{x(curve.start + len(curve.values)):.2f}%;bottom:{y(curve.values[-1]):.2f}%"
        marks.append(f'<span class="end {curve.kind}" style="{style}" title="{escape(curve.name)}"></span>')
    marks += [f'<span class="x" style="left:{x(e):.2f}%">{e}</span>' for e in _epoch_ticks(n_epochs)]
    text = f"{label} after each epoch for {len(curves)} trials"
    return (
        f'<div class="plot" role="img" aria-label="{escape(text)}">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{"".join(lines)}</svg>'
        f'{"".join(marks)}<span class="title">epoch</span></div>'
    )


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
        points = " ".join(
            f"{i * step:.2f},{100 - 100 * height:.2f}"
            for i, height in enumerate(heights)
            if height is not None
        )
        data = ",".join("" if height is None else f"{height:.4f}" for height in heights)
        kind = "best" if order == len(lines) else ""
        drawn.append(
            f'<polyline class="{kind}" points="{points}" data-heights="{data}" '
            f'style="--good:{100 * goodness:.0f}%"><title>{escape(name)}</title></polyline>'
        )
    marks = []
    for i, axis in enumerate(axes):
        ticks = "".join(
            f'<span class="tick" style="bottom:{100 * place:.2f}%">{escape(text)}</span>'
            for place, text in axis.ticks
        )
        marks.append(
            f'<div class="axis" style="left:{i * step:.2f}%"><span class="name">{escape(axis.name)}</span>'
            f'<span class="high">{escape(axis.high)}</span>{ticks}'
            f'<span class="low">{escape(axis.low)}</span></div>'
        )
    return (
        f'<div class="scroll"><div class="axes" style="--n:{len(axes)}" role="img" '
        f'aria-label="Searched values of {len(lines)} trials; the table of trials holds the same">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{"".join(drawn)}</svg>'
        f"{''.join(marks)}</div></div>"
    )


def round_ticks(low: float, high: float, n: int = 5) -> list[float]:
    """Return about ``n`` round values that reach from ``low`` to ``high``."""
    raw = ((high - low) or 1.0) / n
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]


def _epoch_ticks(n_epochs: int) -> list[int]:
    step = max(1, math.ceil(n_epochs / 8))
    return [1, *(epoch for epoch in range(step, n_epochs + 1, step) if epoch > max(1, step // 2))]
