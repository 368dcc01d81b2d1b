"""The tables and sentences of a result, without a markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Table",
    "budget_table",
    "groups_table",
    "cuts_table",
    "importance_table",
    "interval_text",
    "lists_table",
    "privacy_lines",
    "recorded_table",
    "standings_table",
    "verdict_lines",
]

SHOWN = ("hr@10", "ndcg@10", "mrr@10", "precision@10")
"""Metrics of the printed table; the JSON holds all at every cut."""


N_PAIRS = 5
"""Pairs of searched values that are told; the JSON holds all."""


@dataclass(frozen=True)
class Table:
    """Headings and rows."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def standings_table(result: Mapping[str, Any]) -> Table:
    """Return the contestants with their figures, best first."""
    heads = ("on the test set", "role", *(label.upper() for label in SHOWN), "trials", "seeds")
    rows = tuple(
        (
            row["name"],
            row["role"],
            *(interval_text(row["metrics"][label]) for label in SHOWN),
            row["n_trials"],
            row["n_seeds"],
        )
        for row in result["standings"]
    )
    return Table(heads, rows)


def recorded_table(result: Mapping[str, Any]) -> Table:
    """Return the contestants with two figures and the outcome against the champion, best first."""
    own = result["answer"]["champion"]
    rows = []
    for row in result["standings"]:
        finding = result["findings"].get(row["name"])
        outcome = "the champion" if row["name"] == own else "not shown"
        if finding is not None and (finding["is_better"] or finding["is_worse"]):
            outcome = "yes" if finding["is_better"] else "no, it is worse"
        figures = (interval_text(row["metrics"][label]) for label in ("hr@10", "ndcg@10"))
        rows.append((row["name"], row["role"], *figures, outcome, row["n_trials"], row["n_seeds"]))
    heads = ("on the test set", "role", "HR@10", "NDCG@10", f"does {own} beat it?", "trials", "seeds")
    return Table(heads, tuple(rows))


def cuts_table(result: Mapping[str, Any]) -> Table:
    """Return every metric at every length of the list; with one target a person, recall is the hit rate."""
    labels = list(result["standings"][0]["metrics"])
    rows = tuple(
        (row["name"], *(f"{row['metrics'][label]['value']:.4f}" for label in labels))
        for row in result["standings"]
    )
    return Table(("on the test set", *(label.upper() for label in labels)), rows)


def verdict_lines(result: Mapping[str, Any]) -> list[str]:
    """Return the verdict on each other contestant, and how much the selected trials flattered themselves."""
    own = result["answer"]["champion"]
    lines = [f"{own} {finding['verdict']}." for finding in result["findings"].values()]
    curses = [(one["name"], one["curse"]) for one in result["contestants"] if one["curse"]]
    return lines + [f"{name}: {curse['sentence']}." for name, curse in curses]


def lists_table(result: Mapping[str, Any]) -> Table:
    """Return what the lists of each contestant are like."""
    names = list(next(iter(result["lists"].values())))
    rows = tuple(
        (who, *("unknown" if of[name] is None else f"{of[name]['value']:.3f}" for name in names))
        for who, of in result["lists"].items()
    )
    return Table(("lists of ten", *names), rows)


def groups_table(result: Mapping[str, Any]) -> Table:
    """Return the champion's figure for each group with enough people, and its gap to everyone else."""
    rows = []
    for report in result["groups"][result["answer"]["champion"]]:
        for group in report["groups"]:
            if group["figure"] is None:
                rows.append((report["grouping"], group["label"], group["n_people"], "too few", "", ""))
                continue
            gap, p = group["gap"], group["p_value"]
            rows.append((
                report["grouping"], group["label"], group["n_people"],
                f"{report['metric']} {interval_text(group['figure'])}",
                "" if gap is None else f"{gap['value']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f})",
                "" if p is None else f"{p:.3f}" if p >= 0.001 else "under 0.001",
            ))  # fmt: skip
    return Table(("by", "group", "people", "figure", "gap to the others", "p (Holm)"), tuple(rows))


def importance_table(of: Mapping[str, Any]) -> Table:
    """Return what the searched values of a contestant explain, alone and the five largest pairs together."""
    pairs = list(of["pairs"].items())[:N_PAIRS]
    rows = tuple(
        (
            name,
            f"{100 * share['share']:.0f} %",
            f"{100 * share['low']:.0f} to {100 * share['high']:.0f} %",
        )
        for name, share in [*of["fields"].items(), *pairs]
    )
    return Table((of["basis"], "explains", "bootstrap range"), rows)


def budget_table(impact: Mapping[str, Any]) -> Table:
    """Return what each halving of the number of trials would have cost each contestant on validation."""
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


def interval_text(figure: Mapping[str, float]) -> str:
    """Return a figure with its interval."""
    return f"{figure['value']:.4f} ({figure['low']:.4f} to {figure['high']:.4f})"
