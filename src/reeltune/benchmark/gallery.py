"""Which figures a result is drawn as, with their captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reeltune.benchmark.figures import Point, curve, forest, matrix, reliability
from reeltune.evaluation.leaderboard import VERDICT_METRIC

__all__ = ["RATING_FIGURES", "figures_of", "sweeps"]

RATING_FIGURES = ("decisions", "confusion", "stars", "calibration")
"""Figures about predicted stars."""


def figures_of(result: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return caption and SVG of each figure, by its name."""
    label = VERDICT_METRIC.upper()
    own = result["answer"]["champion"]
    rows = [
        Point(row["name"], *_values(row["metrics"][VERDICT_METRIC]), is_marked=row["name"] == own)
        for row in result["standings"]
    ]
    figures = {
        "standings": (
            f"{label} on the test set; intervals for other people and other seeds.",
            forest(rows, title=f"{label} on test"),
        )
    }
    gains = sorted(result["findings"].items(), key=lambda item: -item[1]["comparison"]["difference"]["value"])
    differences = [
        Point(name, *_values(of["comparison"]["difference"]), is_marked=of["is_better"]) for name, of in gains
    ]
    figures["differences"] = (
        f"{own} minus each other, pair by pair; marked where it is better after correction.",
        forest(differences, title=f"difference in {label}", zero=True),
    )
    for name, points in sweeps(result["variants"]).items():
        words = name.rpartition(".")[2].replace("_", " ")
        figures[words.replace(" ", "-")] = (
            f"{own} with another {words}, everything else as chosen; its own is marked; validation.",
            curve(points, title=f"{result['objective'].upper()} on validation", below=words),
        )
    if "ratings" in result:
        figures |= _of_ratings(result["ratings"])
    return figures


def sweeps(variants: Mapping[str, Any]) -> dict[str, list[Point]]:
    """Return the points of each factor that changed alone, the winner as it was chosen among them.

    The winner as it was chosen is the point of the learning curve that has all people.
    """
    factors = variants["factors"]
    chosen = next((row for row in factors.get("share of people", []) if row["value"] == 1), None)
    own = {**variants["at"], "share of people": 1, "movies of each person": "all"}
    found = {}
    for name, rows in factors.items():
        at = own.get(name)
        is_there = name not in own or any(row["value"] == at for row in rows)
        with_own = rows if is_there or chosen is None else _ordered([*rows, {**chosen, "value": at}])
        points = [
            Point(_told(row["value"]), *_values(row["figure"]), is_marked=row["value"] == at)
            for row in with_own
            if row["figure"] is not None
        ]
        if points:
            found[name] = points
    return found


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return numbers by size; what is no number comes last."""
    return sorted(
        rows,
        key=lambda row: (isinstance(row["value"], str), 0 if isinstance(row["value"], str) else row["value"]),
    )


def _told(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _of_ratings(ratings: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    own = next(row for row in ratings["standings"] if row["name"] == ratings["champion"])
    decisions, name = own["decisions"], own["name"]
    limit = f"{ratings['threshold']:g}"
    points = [
        Point(row["name"], *_values(row["figures"]["accuracy"]), is_marked=row["name"] == name)
        for row in sorted(ratings["standings"], key=lambda row: -row["figures"]["accuracy"]["value"])
    ]
    line = (decisions["majority"]["accuracy"], "majority class")
    bins = [(part["mean_predicted"], part["mean_actual"], part["n"]) for part in decisions["calibration"]]
    return {
        "decisions": (
            f"Share of right like/dislike decisions (liked from {limit} stars on); the line is always "
            "answering the more frequent class.",
            forest(points, title="accuracy on test", ruler=line),
        ),
        "confusion": (
            f"{name}, first seed: liked ({limit} stars or more) and disliked.",
            matrix(decisions["matrix"], ("disliked", "liked"), title="confusion matrix of likes"),
        ),
        "stars": (
            f"{name}, first seed: the nearest star.",
            matrix(
                decisions["star_matrix"],
                [f"{each:g}" for each in decisions.get("classes", range(1, 6))],
                title="confusion matrix of stars",
            ),
        ),
        "calibration": (
            f"{name}, first seed: the mean of the stars given where so many were predicted; larger dots hold "
            "more ratings.",
            reliability(bins, title="stars given, by stars predicted"),
        ),
    }


def _values(figure: Mapping[str, float]) -> tuple[float, float, float]:
    return figure["value"], figure["low"], figure["high"]
