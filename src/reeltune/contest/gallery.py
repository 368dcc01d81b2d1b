"""Which figures a result is drawn as, with their captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reeltune.contest.figures import Point, curve, forest, matrix, reliability
from reeltune.evaluation.leaderboard import VERDICT_METRIC

__all__ = ["RATING_FIGURES", "figures_of"]

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
    for name, rows_of in result["variants"]["factors"].items():
        at = result["variants"]["at"].get(name)
        points = [
            Point(f"{row['value']:g}" if isinstance(row["value"], float) else str(row["value"]),
                  *_values(row["figure"]), is_marked=row["value"] == at)
            for row in rows_of if row["figure"] is not None
        ]  # fmt: skip
        if points:
            words = name.rpartition(".")[2].replace("_", " ")
            slug = words.replace(" ", "-")
            figures[slug] = (
                f"{own} with another {words}, everything else as chosen; validation.",
                curve(points, title=f"{result['objective'].upper()} on validation", below=words),
            )
    if "ratings" in result:
        figures |= _of_ratings(result["ratings"])
    return figures


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
            matrix(decisions["star_matrix"], tuple("12345"), title="confusion matrix of stars"),
        ),
        "calibration": (
            f"{name}, first seed: the mean of the stars given where so many were predicted; larger dots hold "
            "more ratings.",
            reliability(bins, title="stars given, by stars predicted"),
        ),
    }


def _values(figure: Mapping[str, float]) -> tuple[float, float, float]:
    return figure["value"], figure["low"], figure["high"]
