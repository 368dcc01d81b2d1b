"""What re-ranking costs in accuracy and what it brings, on validation: the figures and their drawing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reeltune.report.page import items, note, section
from reeltune.report.svg import Panel, number, panels
from reeltune.tuning.records.reader import read_record

GAINS = {
    "popularity": ("mean_events", "mean training events of a listed movie"),
    "novelty": ("distance", "mean distance from the user's movies"),
    "calibration": ("miscalibration", "divergence of the list's genres from the user's"),
}
"""For each weight, the figure that it moves and how the axis names it."""


@dataclass(frozen=True)
class Point:
    """Means over users for one weight."""

    weight: float
    ndcg: float  # at 10
    mean_events: float  # training events of a listed movie
    distance: float  # of a listed movie from the user's movies, 0 to 2
    miscalibration: float  # divergence of the list's genres from the user's, 0 is best
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
    return read_record(study_dir / "tradeoff.json", TradeOff.from_plain, "run reeltune tradeoff again")


def draw_trade_off(trade_off: TradeOff) -> str:
    """Return the curves as one SVG, a panel a weight."""
    drawn = []
    for name, points in trade_off.curves.items():
        field, label = GAINS[name]
        tuned = trade_off.tuned[name]
        labelled = {points[0].weight, 0.0, points[-1].weight, tuned}
        drawn.append(
            Panel(
                title=f"{name}, NDCG@{trade_off.k}",
                below=label,
                points=tuple(
                    (
                        getattr(point, field),
                        point.ndcg,
                        f"{point.weight:g}" if point.weight in labelled else "",
                        f"{name} {point.weight:g}: NDCG {point.ndcg:.4f}, {number(getattr(point, field))}",
                    )
                    for point in points
                ),
                ringed=next((i for i, point in enumerate(points) if point.weight == tuned), -1),
            )
        )
    return panels(drawn, title=f"NDCG@{trade_off.k} against what each weight of re-ranking moves") + "\n"


def trade_off_section(trade_off: TradeOff | None) -> str:
    """Return the section of the report, empty where nothing was measured."""
    if trade_off is None:
        return ""
    joint = ", ".join(f"{name} {number(weight)}" for name, weight in trade_off.joint.items())
    before, after = trade_off.plain_point(), trade_off.joint_point()
    tuned = [f"{name}: {number(weight)}" for name, weight in trade_off.tuned.items()]
    tuned.append(
        f"together: {joint}; NDCG {before.ndcg:.4f} to {after.ndcg:.4f}, "
        f"coverage {before.coverage:.0%} to {after.coverage:.0%}"
    )
    text = (
        f"What one weight at a time brings and what it costs on validation, {trade_off.n_people:,} users of "
        f"trial {trade_off.trial}, lists of {trade_off.k}. The ring is the strongest weight that keeps "
        f"{100 * (1 - trade_off.tolerance):.0f} % of the NDCG."
    )
    drawn = f'<div class="scroll" tabindex="0">{draw_trade_off(trade_off)}</div>'
    return section("Re-ranking", note(text) + drawn + items(tuned), is_long=True)
