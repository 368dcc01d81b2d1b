"""The tables of what a contest asks beside its ranking: other splits, ties in time, stars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reeltune.benchmark.tables import Table, interval_text
from reeltune.data.config import split_in_words

__all__ = [
    "decisions_table",
    "errors_table",
    "rating_lines",
    "rivals_table",
    "split_lines",
    "splits_table",
    "ties_table",
]

_ERRORS = {"rmse": "RMSE", "mae": "MAE", "star_accuracy": "right star"}
_DECISIONS = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "mcc": "MCC",
    "roc_auc": "ROC AUC",
}
_WITH_INTERVAL = ("rmse", "mae", "star_accuracy", "accuracy")
_ORDERS = {
    "file": "as in the file",
    "movie": "movie id",
    "float32": "seconds as float32, then as in the file",
}


def splits_table(result: Mapping[str, Any], label: str) -> Table:
    """Return one metric of every contestant on the contest's own split and on the further ones."""
    parts = {result["ledger"]["split"]: result, **result["also"]}
    figures = {
        split: {row["name"]: row["metrics"][label] for row in part["standings"]}
        for split, part in parts.items()
    }
    rows = tuple(
        (
            row["name"],
            *(interval_text(of[row["name"]]) if row["name"] in of else "diverged" for of in figures.values()),
        )
        for row in result["standings"]
    )
    return Table((f"{label.upper()} on test", *parts), rows)


def split_lines(result: Mapping[str, Any]) -> list[str]:
    """Return for each split what is asked, of whom, and the answer there."""
    parts = {result["ledger"]["split"]: result, **result["also"]}
    lines = []
    for name, part in parts.items():
        ledger = part["ledger"]
        settings = "" if name == ledger["split"] else f", {ledger['split']}"
        lines.append(
            f"{name} ({ledger['dataset']}{settings}): {split_in_words(ledger['split'])}; "
            f"{part['n_queries']:,} targets of {part['n_people']:,} people. {part['answer']['sentence']}"
        )
    return lines


def ties_table(result: Mapping[str, Any]) -> Table:
    """Return what each order of the events of one second changes."""
    ties = result["ties"]
    names = list(next(iter(ties["rules"].values()))["figures"])
    rows = []
    for rule, of in ties["rules"].items():
        cells = []
        for name in names:
            figure, gap = of["figures"][name]["figure"], of["figures"][name]["difference"]
            if figure is None:
                cells.append("diverged")
                continue
            told = (
                "" if rule == "file" else f" ({gap['value']:+.4f}, {gap['low']:+.4f} to {gap['high']:+.4f})"
            )
            cells.append(f"{figure['value']:.4f}{told}")
        tested = "" if rule == "file" else f"{100 * result['changed_targets'][rule]:.1f} %"
        changed = "" if rule == "file" else f"{100 * of['changed_validation']:.1f} %"
        rows.append((_ORDERS[rule], changed, tested, *cells))
    return Table(
        ("events of one second", "other targets, validation", "other targets, test", *names), tuple(rows)
    )


def errors_table(ratings: Mapping[str, Any]) -> Table:
    """Return the errors of every predictor of stars, smallest first, and those of the most frequent star."""
    rows = [
        (row["name"], row["role"], *_cells(row, _ERRORS), row["n_trials"], row["n_seeds"])
        for row in ratings["standings"]
    ]
    frequent = ratings["standings"][0]["decisions"]["majority_star_accuracy"]
    rows.append(("always the most frequent star", "", "", "", f"{frequent:.4f}", "", ""))
    return Table(("stars on the test rows", "role", *_ERRORS.values(), "trials", "seeds"), tuple(rows))


def decisions_table(ratings: Mapping[str, Any]) -> Table:
    """Return the like/dislike decisions of every predictor, most accurate first, and the majority class."""
    ordered = sorted(ratings["standings"], key=lambda row: -row["figures"]["accuracy"]["value"])
    rows = [(row["name"], *_cells(row, _DECISIONS)) for row in ordered]
    majority = ordered[0]["decisions"]["majority"]
    known = (majority.get(name) for name in _DECISIONS)
    rows.append(("majority class", *("" if of is None else f"{of:.4f}" for of in known)))
    return Table((f"liked from {ratings['threshold']:g} stars on", *_DECISIONS.values()), tuple(rows))


def _cells(row: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    cells = []
    for name in names:
        of = row["figures"][name]
        plain = "" if of is None else f"{of['value']:.4f}"
        cells.append(interval_text(of) if of is not None and name in _WITH_INTERVAL else plain)
    return cells


def rivals_table(ratings: Mapping[str, Any]) -> Table:
    """Return how the champion of the stars differs from each other predictor, corrected for their number."""
    error, right = (ratings["findings"][name] for name in ("squared error saved", "accuracy"))
    rows = []
    for name, finding in error.items():
        cells = []
        for of in (finding, right[name]):
            gap, p = of["comparison"]["difference"], of["adjusted_p"]
            cells += [
                f"{gap['value']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f})",
                f"{p:.4f}",
            ]
        rows.append((name, *cells))
    heads = (
        f"{ratings['champion']} against",
        "squared error saved",
        "p (Holm)",
        "right decisions gained",
        "p (Holm)",
    )
    return Table(heads, tuple(rows))


def rating_lines(ratings: Mapping[str, Any]) -> list[str]:
    """Return what the figures of the stars are of, in sentences."""
    ledger, own = ratings["ledger"], _champion(ratings)
    decisions = own["decisions"]
    return [
        f"{ratings['n_ratings']:,} ratings of {ratings['n_people']:,} people ({ledger['split']}: "
        f"{split_in_words(ledger['split'])}); liked from {ratings['threshold']:g} stars on; in brackets 95 % "
        "bootstrap intervals over people, means over seeds.",
        f"{own['name']} decides {decisions['accuracy']:.1%} of the ratings rightly, always the more frequent "
        f"answer {decisions['majority']['accuracy']:.1%}; the nearest star is right for "
        f"{decisions['star_accuracy']:.1%}, always the most frequent one for "
        f"{decisions['majority_star_accuracy']:.1%}. Predicted and given stars are "
        f"{decisions['calibration_error']:.3f} apart on average over the bins (first seed).",
    ]


def _champion(ratings: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(row for row in ratings["standings"] if row["name"] == ratings["champion"])
    return found
