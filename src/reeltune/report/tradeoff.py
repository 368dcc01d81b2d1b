"""What re-ranking costs in accuracy and what it brings, on validation: the figures and their drawing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from reeltune.errors import StudyError
from reeltune.files import read_json
from reeltune.report.charts import number

__all__ = ["GAINS", "Point", "TradeOff", "draw_trade_off", "read_trade_off", "trade_off_section"]

GAINS = {
    "popularity": ("mean_events", "mean training events of a listed movie"),
    "novelty": ("distance", "mean distance from the person's movies"),
    "calibration": ("miscalibration", "divergence of the list's genres from the person's"),
}
"""For each weight, the figure that it moves and how the axis names it."""

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 340, 260, 56, 52, 34


@dataclass(frozen=True)
class Point:
    """Means over people for one weight."""

    weight: float
    ndcg: float  # at 10
    mean_events: float  # training events of a listed movie
    distance: float  # of a listed movie from the person's movies, 0 to 2
    miscalibration: float  # divergence of the list's genres from the person's, 0 is best
    coverage: float  # share of the catalogue that is in anybody's list

    def figures(self) -> dict[str, float]:
        """Return the figures by name, without the weight."""
        return {name: value for name, value in asdict(self).items() if name != "weight"}

    def at(self, weight: float) -> Point:
        """Return the same figures under another weight."""
        return replace(self, weight=weight)


@dataclass(frozen=True)
class TradeOff:
    """The curve of each weight, the others 0, and the strongest weight within the tolerance.

    Weights that each cost little may cost much together: ``together`` follows all tuned weights, scaled
    down alike, and ``joint`` are the strongest of these within the tolerance.
    """

    study: str
    trial: int
    k: int
    n_people: int
    n_candidates: int
    tolerance: float  # share of NDCG that may be lost
    curves: dict[str, tuple[Point, ...]]
    tuned: dict[str, float]  # weight by name, each for itself
    together: tuple[Point, ...]  # all tuned weights times a scale, which stands as the point's weight
    joint: dict[str, float]  # weight by name, to be used together
    popularity_among: str = "catalogue"  # what popularity was brought to 0..1 in; "candidates" since 0.2

    def joint_point(self) -> Point:
        """Return the figures of the joint weights."""
        scale = next((w / self.tuned[n] for n, w in self.joint.items() if self.tuned[n]), 0.0)
        return min(self.together, key=lambda point: abs(point.weight - scale))

    def plain_point(self) -> Point:
        """Return the figures of the lists as scored."""
        return min(self.together, key=lambda point: point.weight)

    def plain(self) -> dict[str, Any]:
        """Return the trade-off as plain Python values."""
        return asdict(self) | {"split": "validation"}

    @classmethod
    def from_plain(cls, value: dict[str, Any]) -> TradeOff:
        """Return the trade-off that :meth:`plain` wrote."""
        curves = {name: tuple(Point(**p) for p in points) for name, points in value["curves"].items()}
        together = tuple(Point(**point) for point in value["together"])
        kept = {key: item for key, item in value.items() if key != "split"}
        return cls(**kept | {"curves": curves, "together": together})


def read_trade_off(study_dir: Path) -> TradeOff | None:
    """Return the trade-off that was measured for a study, None where there is none.

    Raises:
        StudyError: The file is damaged.
    """
    path = study_dir / "tradeoff.json"
    if not path.exists():
        return None
    try:
        return TradeOff.from_plain(read_json(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"{path} is damaged: {error!r}; run reeltune tradeoff again") from error


def draw_trade_off(trade_off: TradeOff) -> str:
    """Return the curves as one SVG, a panel a weight; text and lines take the colour of the page."""
    width = _WIDTH * len(trade_off.curves)
    panels = "".join(
        f'<g transform="translate({i * _WIDTH} 0)">{_panel(trade_off, name)}</g>'
        for i, name in enumerate(trade_off.curves)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" '
        'font-family="system-ui, sans-serif" font-size="11" fill="currentColor" role="img" '
        f'aria-label="NDCG@{trade_off.k} against what each weight of re-ranking moves">{panels}</svg>\n'
    )


def trade_off_section(trade_off: TradeOff | None) -> str:
    """Return the section of the report, empty where nothing was measured."""
    if trade_off is None:
        return ""
    tuned = "".join(f"<li>{escape(name)}: {number(weight)}</li>" for name, weight in trade_off.tuned.items())
    joint = ", ".join(f"{name} {number(weight)}" for name, weight in trade_off.joint.items())
    before, after = trade_off.plain_point(), trade_off.joint_point()
    tuned += (
        f"<li>together: {escape(joint)}; NDCG {before.ndcg:.4f} to {after.ndcg:.4f}, "
        f"coverage {before.coverage:.0%} to {after.coverage:.0%}</li>"
    )
    return (
        "<section class=long><h2>Re-ranking</h2>"
        f'<p class="note">What one weight at a time brings and what it costs on validation, '
        f"{trade_off.n_people:,} people of trial {trade_off.trial}, lists of {trade_off.k}. The ring is the "
        f"strongest weight that keeps {100 * (1 - trade_off.tolerance):.0f} % of the NDCG.</p>"
        f'<div class="scroll">{draw_trade_off(trade_off)}</div><ul>{tuned}</ul></section>'
    )


def _panel(trade_off: TradeOff, name: str) -> str:
    field, label = GAINS[name]
    points = trade_off.curves[name]
    across, up = [getattr(p, field) for p in points], [p.ndcg for p in points]
    x = _scale(across, _LEFT, _WIDTH - 24)
    y = _scale([0.0, *up], _HEIGHT - _BOTTOM, _TOP)
    path = " ".join(f"{x(a):.1f},{y(u):.1f}" for a, u in zip(across, up, strict=True))
    marks = []
    for point in points:
        at = f'cx="{x(getattr(point, field)):.1f}" cy="{y(point.ndcg):.1f}"'
        told = f"{name} {point.weight:g}: NDCG {point.ndcg:.4f}, {number(getattr(point, field))}"
        is_tuned = point.weight == trade_off.tuned[name]
        marks.append(f'<circle {at} r="3"><title>{escape(told)}</title></circle>')
        if is_tuned:
            marks.append(f'<circle {at} r="7" fill="none" stroke="currentColor" stroke-width="1.5"/>')
        if is_tuned or point.weight in (points[0].weight, 0.0, points[-1].weight):
            # Below the ring: the points beside it have their labels above.
            height = y(point.ndcg) + (20 if is_tuned else -10)
            marks.append(
                f'<text x="{x(getattr(point, field)):.1f}" y="{height:.1f}" text-anchor="middle">'
                f"{point.weight:g}</text>"
            )
    base, right = _HEIGHT - _BOTTOM, _WIDTH - 24
    ticks = "".join(
        f'<text x="{x(value):.1f}" y="{base + 16}" text-anchor="{anchor}">{number(value)}</text>'
        for value, anchor in ((min(across), "start"), (max(across), "end"))
    )
    ticks += "".join(
        f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3f}</text>'
        for value in (0.0, max(up))
    )
    return (
        f'<text x="{_LEFT}" y="14"><tspan font-weight="600">{escape(name)}</tspan>, NDCG@{trade_off.k}</text>'
        f'<path d="M{_LEFT} {_TOP}V{base}H{right}" fill="none" stroke="currentColor" opacity=".4"/>{ticks}'
        f'<text x="{(_LEFT + right) / 2}" y="{base + 36}" text-anchor="middle">{escape(label)}</text>'
        f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="1.5" opacity=".7"/>'
        f"{''.join(marks)}"
    )


def _scale(values: list[float], start: float, stop: float) -> Any:
    low, width = min(values), (max(values) - min(values)) or 1.0
    return lambda value: start + (stop - start) * (value - low) / width
