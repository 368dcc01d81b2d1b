"""The tables and sentences of a benchmark's result, without a markup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reeltune.data.config import split_in_words
from reeltune.evaluation.compare import p_text, standing
from reeltune.evaluation.seeds import SeedSpread, WinnersCurse
from reeltune.report.benchmark_result import interval, winner_row
from reeltune.report.tables import Cell, Table

SHOWN = ("hr@10", "ndcg@10", "mrr@10")
"""Metrics of the printed table; the JSON holds all at every cut."""

_ERRORS = {"rmse": "RMSE", "mae": "MAE", "star_accuracy": "right rating"}
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


def standings_table(result: Mapping[str, Any]) -> Table:
    """Return the models with their metrics, best first, and how each differs from the winner."""
    own = result["answer"]["winner"]
    rows: list[tuple[Cell, ...]] = []
    for row in result["standings"]:
        metrics = (interval(row["metrics"][label]) for label in SHOWN)
        finding = result["findings"].get(row["name"])
        against = (
            "winner"
            if finding is None
            else standing(finding["comparison"]["difference"]["value"], finding["adjusted_p"])
        )
        rows.append((row["name"], row["group"], *metrics, against, row["n_trials"], row["n_seeds"]))
    heads = ("on the test set", "group", *map(str.upper, SHOWN), f"against {own}", "trials", "seeds")
    kinds = tuple("best" if row["name"] == own else "" for row in result["standings"])
    return Table(heads, tuple(rows), kinds)


def pairs_table(result: Mapping[str, Any]) -> Table:
    """Return how the winner differs from each other model, pair by pair, corrected for their number."""
    own, first = result["answer"]["winner"], next(iter(result["findings"].values()))
    label = first["comparison"]["metric"]
    rows: list[tuple[Cell, ...]] = []
    for row in result["standings"]:
        finding = result["findings"].get(row["name"])
        if finding is None:
            continue
        comparison, theirs = finding["comparison"], row["metrics"][label]["value"]
        gain = comparison["difference"]["value"]
        rows.append((
            row["name"],
            interval(comparison["difference"]),
            f"{100 * gain / theirs:+.1f} %" if theirs else "",
            p_text(finding["adjusted_p"]),
            p_text(finding["adjusted_wilcoxon_p"]),
            f"{100 * finding['share_better']:.0f} %",
        ))  # fmt: skip
    heads = (
        f"{own} minus",
        label.upper(),
        "relative",
        "sign-flip test",
        "Wilcoxon's test",
        "users better off",
    )
    return Table(heads, tuple(rows))


def all_pairs_table(result: Mapping[str, Any]) -> Table:
    """Return how any two models differ; of recorded results that lack it, the winner and each other."""
    if "pairs" not in result:
        return pairs_table(result)
    label = result["pairs"][0]["metric"].upper()
    rows = tuple(
        (pair["model"], pair["opponent"], interval(pair["difference"]), pair["p_value"], pair["adjusted_p"])
        for pair in result["pairs"]
    )
    return Table(("model", "minus", label, "p", "p (Holm)"), rows)


def cuts_table(result: Mapping[str, Any]) -> Table:
    """Return every metric at every length of the list; with one target a user, recall is the hit rate."""
    labels = list(result["standings"][0]["metrics"])
    rows = tuple(
        (row["name"], *(float(row["metrics"][label]["value"]) for label in labels))
        for row in result["standings"]
    )
    return Table(("on the test set", *(label.upper() for label in labels)), rows)


def selection_lines(result: Mapping[str, Any]) -> list[str]:
    """Return how much the selected trial of each model flattered itself on validation."""
    lines = []
    for one in result["models"]:
        if curse := one["curse"]:
            spread = SeedSpread(**curse["reseeded"])
            lines.append(
                f"{one['name']}: {WinnersCurse(curse['best'], curse['n_trials'], spread).sentence()}."
            )
    return lines


def lists_table(result: Mapping[str, Any]) -> Table:
    """Return what the lists of each model are like."""
    names = list(next(iter(result["lists"].values())))
    rows = tuple(
        (who, *(None if of[name] is None else float(of[name]["value"]) for name in names))
        for who, of in result["lists"].items()
    )
    return Table(("lists of ten", *names), rows, digits=".3f")


def user_groups_table(result: Mapping[str, Any]) -> Table:
    """Return the winner's metric for each group with enough users, and its gap to everyone else."""
    rows: list[tuple[Cell, ...]] = []
    for report in result["user_groups"][result["answer"]["winner"]]:
        for group in report["groups"]:
            head = (report["grouping"], group["label"], group["n_users"])
            if group["figure"] is None:
                rows.append((*head, "too few", None, None, None))
                continue
            p = "" if group["p_value"] is None else p_text(group["p_value"])
            rows.append((*head, report["metric"], interval(group["figure"]), _signed(group["gap"]), p))
    heads = ("by", "group", "users", "metric", "value", "gap to the others", "Holm")
    return Table(heads, tuple(rows))


def importance_table(of: Mapping[str, Any]) -> Table:
    """Return what each searched value of a model explains."""
    rows = tuple(
        (name, *(f"{100 * share[key]:.0f} %" for key in ("share", "low", "high")))
        for name, share in of["fields"].items()
    )
    return Table((of["basis"], "explains", "5th percentile", "95th"), rows)


def budget_table(impact: Mapping[str, Any]) -> Table:
    """Return what each halving of the number of trials would have cost each model on validation."""
    n_columns = max(len(of["budget"]) for of in impact.values())
    parts = ("all trials", "half of them", *(f"1 of {2**k}" for k in range(2, n_columns)))
    rows = []
    for name, of in impact.items():
        cells = [
            f"{row['trials']}: {row['expected']:.4f}"
            + ("" if row["loss"] is None else f" (-{row['loss']:.4f})")
            for row in reversed(of["budget"])
        ]
        rows.append((name, *cells, *("" for _ in range(n_columns - len(cells)))))
    return Table(("expected best", *parts[:n_columns]), tuple(rows))


def privacy_lines(result: Mapping[str, Any]) -> list[str]:
    """Return what was found of privacy and explanations, a sentence each."""
    lines = []
    private = result.get("privacy")
    if private:
        lines += [probe["verdict"] + "." for probe in private["probes"].values() if probe is not None]
        lines += [of["verdict"] + "." for of in private["membership"].values()]
    if result.get("explanations"):
        lines.append(result["explanations"]["verdict"] + ".")
    return [line[0].upper() + line[1:] for line in lines]


def splits_table(result: Mapping[str, Any], label: str) -> Table:
    """Return one metric of every model on the benchmark's own split and on the other splits."""
    parts = {result["ledger"]["split"]: result, **result["splits"]}
    of_split = [{row["name"]: row["metrics"][label] for row in part["standings"]} for part in parts.values()]
    rows = tuple(
        (name, *(interval(of[name]) if name in of else "diverged" for of in of_split))
        for name in (row["name"] for row in result["standings"])
    )
    return Table((f"{label.upper()} on test", *parts), rows)


def split_lines(result: Mapping[str, Any]) -> list[str]:
    """Return for each split what is asked, of whom, and the answer there."""
    lines = []
    for name, part in {result["ledger"]["split"]: result, **result["splits"]}.items():
        ledger = part["ledger"]
        settings = "" if name == ledger["split"] else f", {ledger['split']}"
        lines.append(
            f"{name} ({ledger['dataset']}{settings}): {split_in_words(ledger['split'])}; "
            f"{part['n_queries']:,} targets of {part['n_users']:,} users. {part['answer']['sentence']}"
        )
    return lines


def ties_table(result: Mapping[str, Any]) -> Table:
    """Return what each order of the events of one second changes."""
    ties = result["ties"]
    names = list(next(iter(ties["rules"].values()))["figures"])
    rows = []
    for rule, of in ties["rules"].items():
        is_own = rule == "file"
        tested = "" if is_own else f"{100 * result['changed_targets'][rule]:.1f} %"
        changed = "" if is_own else f"{100 * of['changed_validation']:.1f} %"
        cells = []
        for name in names:
            figure, gap = of["figures"][name]["figure"], of["figures"][name]["difference"]
            text = "" if is_own or figure is None else f" ({_signed(gap)})"
            cells.append("diverged" if figure is None else f"{figure['value']:.4f}{text}")
        rows.append((_ORDERS[rule], changed, tested, *cells))
    heads = ("events of one second", "other targets, validation", "other targets, test", *names)
    return Table(heads, tuple(rows))


def errors_table(ratings: Mapping[str, Any]) -> Table:
    """Return the errors of every predictor of ratings, smallest first, and those of the most frequent one."""
    rows: list[tuple[Cell, ...]] = [
        (row["name"], row["group"], *_cells(row, _ERRORS), row["n_trials"], row["n_seeds"])
        for row in ratings["standings"]
    ]
    frequent = float(ratings["standings"][0]["decisions"]["majority_star_accuracy"])
    rows.append(("always the most frequent rating", None, None, None, frequent, None, None))
    return Table(("on the test ratings", "group", *_ERRORS.values(), "trials", "seeds"), tuple(rows))


def decisions_table(ratings: Mapping[str, Any]) -> Table:
    """Return the like/dislike decisions of every predictor, most accurate first, and the majority class."""
    ordered = sorted(ratings["standings"], key=lambda row: -row["figures"]["accuracy"]["value"])
    majority = ordered[0]["decisions"]["majority"]
    rows = [(row["name"], *_cells(row, _DECISIONS)) for row in ordered]
    rows.append(("majority class", *(majority.get(name) for name in _DECISIONS)))
    return Table((f"liked from {ratings['threshold']:g} on", *_DECISIONS.values()), tuple(rows))


def predictors_table(ratings: Mapping[str, Any]) -> Table:
    """Return how the best predictor of ratings differs from each other, corrected for their number."""
    error, right = (ratings["findings"][name] for name in ("squared error saved", "accuracy"))
    rows = tuple(
        (
            name,
            *(
                cell
                for of in (finding, right[name])
                for cell in (_signed(of["comparison"]["difference"]), p_text(of["adjusted_p"]))
            ),
        )
        for name, finding in error.items()
    )
    heads = (f"{ratings['winner']} against", "squared error saved", "Holm", "right decisions gained", "Holm")
    return Table(heads, rows)


def rating_lines(ratings: Mapping[str, Any]) -> list[str]:
    """Return what the metrics of the ratings are of, in sentences."""
    ledger, own = ratings["ledger"], winner_row(ratings, ratings["winner"])
    decisions = own["decisions"]
    return [
        f"{ratings['n_ratings']:,} ratings of {ratings['n_users']:,} users ({ledger['split']}: "
        f"{split_in_words(ledger['split'])}); liked from {ratings['threshold']:g} on; in brackets 95 % "
        "bootstrap intervals over users, means over seeds.",
        f"{own['name']} decides {decisions['accuracy']:.1%} of the ratings rightly, always the more frequent "
        f"answer {decisions['majority']['accuracy']:.1%}. The nearest rating is right for "
        f"{decisions['star_accuracy']:.1%}, always the most frequent one for "
        f"{decisions['majority_star_accuracy']:.1%}. Predicted and given ratings are "
        f"{decisions['calibration_error']:.3f} apart on average over the bins (first seed).",
    ]


def _cells(row: Mapping[str, Any], names: Mapping[str, str]) -> list[Cell]:
    figures = {name: interval(row["figures"][name]) for name in names}
    return [of if of is None or name in _WITH_INTERVAL else of.value for name, of in figures.items()]


def _signed(gap: Mapping[str, float] | None) -> str:
    return "" if gap is None else f"{gap['value']:+.4f}, {gap['low']:+.4f} to {gap['high']:+.4f}"
