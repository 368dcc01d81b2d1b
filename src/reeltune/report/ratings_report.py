"""An experiment on ratings as one HTML page that opens without a network."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any


def render_rating_report(found: Mapping[str, Any]) -> str:
    """Return what :func:`reeltune.evaluation.ratings.evaluate_ratings` returned as a page of HTML."""
    models = sorted(found["models"].items(), key=lambda item: item[1]["rmse"]["mean"])
    best, figures = models[0]
    decisions, question = figures["decisions"], found["spec"]["question"] or "Predicted stars"
    limit = f"{decisions['threshold']:g}"
    parts = [
        f'<p class="eyebrow">{escape(found["data"]["dataset"])}, {_folds(found)}, '
        f"{decisions['n']:,} ratings asked</p><h1>{escape(question)}</h1>",
        _section("Errors and decisions", _errors(models), _fold_note(found)),
        _section(
            f"{best}: liked or not",
            confusion_table(decisions["matrix"], ("disliked", "liked")),
            f"Liked means {limit} stars or more. {_sentence(decisions)}",
        ),
        _section(
            f"{best}: stars",
            confusion_table(decisions["star_matrix"], [f"{k}" for k in range(1, 6)]),
            f"The nearest star is right for {decisions['star_accuracy']:.1%} of the ratings, always the "
            f"most frequent one for {decisions['majority_star_accuracy']:.1%}.",
        ),
        _section(
            f"{best}: calibration",
            _calibration(decisions["calibration"]),
            "Bars: the mean of the stars given where so many were predicted. Lines: the mean prediction. "
            f"On average they are {decisions['calibration_error']:.3f} stars apart.",
        ),
    ]
    template = string.Template(_asset("report.html"))
    return template.substitute(
        title=escape(f"{question} - reeltune"),
        css=_asset("report.css") + _asset("ratings_report.css"),
        body="\n".join(parts),
        script="",
    )


def confusion_table(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """Return a confusion matrix drawn as a table, cells shaded by their share of the row."""
    head = "".join(f"<th>predicted {escape(label)}</th>" for label in labels)
    lines = []
    for label, row in zip(labels, matrix, strict=True):
        total = sum(row) or 1
        cells = "".join(
            f'<td style="--share:{count / total:.3f}"{" class=full" if count > 0.7 * total else ""}>{count:,}'
            f"<small>{count / total:.0%}</small></td>"
            for count in row
        )
        lines.append(f"<tr><th>actually {escape(label)}</th>{cells}</tr>")
    return f'<table class="matrix"><tr><th></th>{head}</tr>{"".join(lines)}</table>'


def _section(title: str, body: str, note: str) -> str:
    return (
        f'<section><h2>{escape(title)}</h2><p class="note">{escape(note)}</p>'
        f'<div class="scroll">{body}</div></section>'
    )


def _errors(models: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    names = ("accuracy", "precision", "recall", "f1", "mcc", "roc_auc")
    heads = ("RMSE", "MAE", "accuracy", "precision", "recall", "F1", "MCC", "ROC AUC")
    head = "".join(f"<th>{label}</th>" for label in ("", *heads))
    lines = []
    for name, model in models:
        errors = [_error(model[metric]) for metric in ("rmse", "mae")]
        cells = [*errors, *(_figure(model["decisions"][key]) for key in names)]
        lines.append(_row(name, cells))
    majority = models[0][1]["decisions"]["majority"]
    lines.append(_row("majority class", ["", "", *(_figure(majority.get(key)) for key in names)]))
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _calibration(bins: Sequence[Mapping[str, Any]]) -> str:
    def place(stars: float) -> str:
        return f"{100 * (stars - 1) / 4:.1f}%"

    lines = [
        f"<span>{part['low']:.1f} to {part['high']:.1f}</span>"
        f'<div><i style="width:{place(part["mean_actual"])}"></i>'
        f'<b style="left:{place(part["mean_predicted"])}"></b></div>'
        f"<span>{part['mean_actual']:.2f} of {part['n']:,}</span>"
        for part in bins
    ]
    return f'<div class="bars">{"".join(lines)}</div>'


def _sentence(decisions: Mapping[str, Any]) -> str:
    return (
        f"Right for {decisions['accuracy']:.1%} of the ratings; always the more frequent answer is right for "
        f"{decisions['majority']['accuracy']:.1%}."
    )


def _fold_note(found: Mapping[str, Any]) -> str:
    threshold = found["spec"]["threshold"]
    return (
        f"RMSE and MAE in stars: mean and standard deviation over {_folds(found)}. Decisions: "
        f"all test ratings together, liked from {threshold:g} stars on."
    )


def _error(figure: Mapping[str, float]) -> str:
    spread = f" &plusmn; {figure['sd']:.4f}" if figure["sd"] else ""
    return f"{figure['mean']:.4f}{spread}"


def _folds(found: Mapping[str, Any]) -> str:
    n_folds = len(found["folds"])
    return f"{n_folds} fold" if n_folds == 1 else f"{n_folds} folds"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _asset(name: str) -> str:
    return (resources.files("reeltune.report") / name).read_text(encoding="utf-8")
