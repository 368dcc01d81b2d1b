"""Which figures a benchmark's result is drawn as, with their captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reeltune.evaluation.leaderboard import VERDICT_METRIC
from reeltune.report.benchmark_result import winner_row
from reeltune.report.svg import Point, curve, forest, matrix, reliability

RATING_FIGURES = ("decisions", "confusion", "stars", "calibration")
"""Figures about predicted ratings."""


def figures_of(result: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return caption and SVG of each figure, by its name."""
    label, own = VERDICT_METRIC.upper(), result["answer"]["winner"]
    rows = [_point(row["name"], row["metrics"][VERDICT_METRIC], own) for row in result["standings"]]
    gains = sorted(result["findings"].items(), key=lambda item: -item[1]["comparison"]["difference"]["value"])
    differences = [
        Point(name, *_values(of["comparison"]["difference"]), is_marked=of["is_better"] or of["is_worse"])
        for name, of in gains
    ]
    figures = {
        "standings": (
            f"{label} on the test set; intervals for other users and other seeds.",
            forest(rows, title=f"{label} on test"),
        ),
        "differences": (
            f"{own} minus each other, pair by pair; marked where the two differ after correction.",
            forest(differences, title=f"difference in {label}", zero=True),
        ),
    }
    for name, points in sweeps(result["ablations"]).items():
        words = name.rpartition(".")[2].replace("_", " ")
        figures[words.replace(" ", "-")] = (
            f"{own} with another {words}, everything else as chosen; its own is marked; validation.",
            curve(points, title=f"{result['objective'].upper()} on validation", below=words),
        )
    return figures | (_of_ratings(result["ratings"]) if "ratings" in result else {})


def sweeps(ablations: Mapping[str, Any]) -> dict[str, list[Point]]:
    """Return the points of each factor that changed alone, the winner as it was chosen among them.

    The winner as it was chosen is the point of the learning curve that has all users.
    """
    factors = ablations["factors"]
    chosen = next((row for row in factors.get("share of users", []) if row["value"] == 1), None)
    own = {**ablations["at"], "share of users": 1, "movies of each user": "all"}
    found = {}
    for name, rows in factors.items():
        at = own.get(name)
        is_there = name not in own or any(row["value"] == at for row in rows)
        with_own = (
            rows if is_there or chosen is None else sorted([*rows, {**chosen, "value": at}], key=_order)
        )
        points = [
            Point(_in_words(row["value"]), *_values(row["figure"]), is_marked=row["value"] == at)
            for row in with_own
            if row["figure"] is not None
        ]
        if points:
            found[name] = points
    return found


def _order(row: Mapping[str, Any]) -> tuple[bool, float]:
    """Return where a row belongs: numbers by size, what is no number last."""
    value = row["value"]
    return isinstance(value, str), 0.0 if isinstance(value, str) else float(value)


def _in_words(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _of_ratings(ratings: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    name, limit = ratings["winner"], f"{ratings['threshold']:g}"
    decisions = winner_row(ratings, name)["decisions"]
    points = [
        _point(row["name"], row["figures"]["accuracy"], name)
        for row in sorted(ratings["standings"], key=lambda row: -row["figures"]["accuracy"]["value"])
    ]
    bins = [(part["mean_predicted"], part["mean_actual"], part["n"]) for part in decisions["calibration"]]
    return {
        "decisions": (
            f"Share of right like/dislike decisions (liked from {limit} on); the line is always "
            "answering the more frequent class.",
            forest(
                points,
                title="accuracy on test",
                ruler=(decisions["majority"]["accuracy"], "majority class"),
            ),
        ),
        "confusion": (
            f"{name}, first seed: liked ({limit} or more) and disliked.",
            matrix(decisions["matrix"], ("disliked", "liked"), title="confusion matrix of likes"),
        ),
        "stars": (
            f"{name}, first seed: the nearest rating.",
            matrix(
                decisions["star_matrix"],
                [f"{each:g}" for each in decisions.get("classes", range(1, 6))],
                title="confusion matrix of ratings",
            ),
        ),
        "calibration": (
            f"{name}, first seed: the mean of the ratings given where so much was predicted; larger dots "
            "hold more ratings.",
            reliability(bins, title="ratings given, by ratings predicted"),
        ),
    }


def _point(name: str, figure: Mapping[str, float], own: str) -> Point:
    return Point(name, *_values(figure), is_marked=name == own)


def _values(figure: Mapping[str, float]) -> tuple[float, float, float]:
    return figure["value"], figure["low"], figure["high"]
