"""``reeltune ratings``: predict stars over folds, beside predictors without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from reeltune.cli.options import CHANGES, DATA_DIR, note


def ratings(
    experiment: Path = typer.Argument(metavar="EXPERIMENT", help="An experiments/ratings/*.yaml file."),
    out: Path | None = typer.Option(None, "--out", help="JSON file to write the figures to."),
    page: Path | None = typer.Option(None, "--report", help="HTML page to draw them on."),
    data_dir: Path | None = DATA_DIR,
    threads: int = typer.Option(1, "--threads", min=1, max=256, help="Threads that torch may use."),
    changes: list[str] = CHANGES,
) -> None:
    """Predict ratings over folds: errors and decisions."""
    from reeltune.evaluation.ratings import evaluate_ratings, load_rating_spec
    from reeltune.files import write_json, write_text
    from reeltune.report.ratings_report import render_rating_report

    spec = load_rating_spec(experiment, changes)
    found = evaluate_ratings(spec, data_dir=data_dir, n_threads=threads, notify=note)
    if out is not None:
        write_json(out, found)
    if page is not None:
        write_text(page, render_rating_report(found))
    _print_errors(found)
    best = min(found["models"], key=lambda name: found["models"][name]["rmse"]["mean"])
    _print_decisions(best, found["models"][best]["decisions"])


def _print_errors(found: dict[str, Any]) -> None:
    from reeltune.cli.tables import Table, print_table

    table = Table(f"folds: {len(found['folds'])}", "RMSE", "MAE", "accuracy", "F1", "MCC", "ROC AUC")
    for name, model in sorted(found["models"].items(), key=lambda item: item[1]["rmse"]["mean"]):
        decisions = model["decisions"]
        errors = (_error(model[metric]) for metric in ("rmse", "mae"))
        table.add(name, *errors, *(_figure(decisions[k]) for k in ("accuracy", "f1", "mcc", "roc_auc")))
    majority = next(iter(found["models"].values()))["decisions"]["majority"]
    table.add("majority class", "", "", *(_figure(majority[k]) for k in ("accuracy", "f1", "mcc")), "")
    print_table(table)


def _print_decisions(name: str, decisions: dict[str, Any]) -> None:
    from reeltune.cli.tables import Table, print_table

    limit = f"{decisions['threshold']:g}"
    table = Table(f"{name}, liked from {limit} stars", "predicted disliked", "predicted liked")
    for label, row in zip(("disliked", "liked"), decisions["matrix"], strict=True):
        table.add(f"actually {label}", *(f"{count:,}" for count in row))
    print_table(table)
    table = Table(f"{name}, stars", *(f"predicted {k}" for k in range(1, 6)))
    for stars, row in enumerate(decisions["star_matrix"], start=1):
        table.add(f"actually {stars}", *(f"{count:,}" for count in row))
    print_table(table)
    print(
        f"star classes: {decisions['star_accuracy']:.4f} right, always the most frequent one "
        f"{decisions['majority_star_accuracy']:.4f}; calibration error {decisions['calibration_error']:.3f}"
    )


def _error(figure: dict[str, float]) -> str:
    return f"{figure['mean']:.4f}" + (f" +- {figure['sd']:.4f}" if figure["sd"] else "")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
