"""The results as a reader gets them: a Markdown page, one HTML page and SVG figures, all from the JSON."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from reeltune.contest.card import render_card
from reeltune.contest.figures import Point, curve, forest
from reeltune.contest.tables import (
    Table,
    budget_table,
    groups_table,
    importance_table,
    lists_table,
    privacy_lines,
    standings_table,
    verdict_lines,
)
from reeltune.data.config import split_in_words
from reeltune.evaluation.leaderboard import VERDICT_METRIC
from reeltune.evaluation.sections.parts import facts_list, section
from reeltune.files import write_text

__all__ = ["figures_of", "render_html", "render_markdown", "write_pages"]


def write_pages(result: Mapping[str, Any], out: Path) -> None:
    """Write ``README.md``, ``MODEL_CARD.md``, ``report.html`` and ``figures/*.svg`` of ``result``."""
    figures = figures_of(result)
    for name, (_, svg) in figures.items():
        write_text(out / "figures" / f"{name}.svg", svg + "\n")
    write_text(out / "README.md", render_markdown(result, figures))
    write_text(out / "MODEL_CARD.md", render_card(result))
    write_text(out / "report.html", render_html(result, figures))


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
    return figures


def render_markdown(result: Mapping[str, Any], figures: Mapping[str, tuple[str, str]]) -> str:
    """Return the result as a Markdown page."""
    parts = [f"# {result['question']}", result["answer"]["sentence"], *_bullets(verdict_lines(result))]
    parts += [_markdown(standings_table(result)), f"![{figures['standings'][0]}](figures/standings.svg)"]
    parts += ["## Lists", _markdown(lists_table(result))]
    parts += ["## Groups", _markdown(groups_table(result))]
    if lines := privacy_lines(result):
        parts += ["## Privacy and explanations", *_bullets(lines)]
    parts += ["## Impact"]
    parts += [
        f"![{caption}](figures/{name}.svg)" for name, (caption, _) in figures.items() if name != "standings"
    ]
    for title, table in _impact_tables(result):
        parts += [f"### {title}", _markdown(table)]
    parts += ["## Protocol", *_bullets([f"{key}: {value}" for key, value in _protocol(result).items()])]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ").replace("\n- ", "\n\n- ", 1) + "\n"


def render_html(result: Mapping[str, Any], figures: Mapping[str, tuple[str, str]]) -> str:
    """Return the result as one HTML page that opens without a network."""
    answer = result["answer"]
    kind = "yes" if answer["word"] == "Yes" else "no"
    verdicts = "".join(f"<li>{escape(line)}</li>" for line in verdict_lines(result))
    head = (
        f'<header><p class="eyebrow">Contest {escape(result["name"])}</p>'
        f"<h1>{escape(result['question'])}</h1>"
        f'<div class="verdict {kind}"><strong>{escape(answer["sentence"])}</strong>'
        f"<span>Test set, {result['n_people']:,} people; every choice was made on validation.</span></div>"
        "</header>"
    )
    shown = {name: _figure(*figure) for name, figure in figures.items()}
    later = "".join(svg for name, svg in shown.items() if name not in ("standings", "differences"))
    impact = later + "".join(
        f"<h3>{escape(title)}</h3>{_html(table)}" for title, table in _impact_tables(result)
    )
    private = "".join(f"<li>{escape(line)}</li>" for line in privacy_lines(result))
    body = [
        head,
        section("Standings", shown["standings"] + _html(standings_table(result))),
        section("Verdicts", f"<ul>{verdicts}</ul>{shown['differences']}"),
        section("Lists", _html(lists_table(result))),
        section("Groups", _html(groups_table(result))),
        section("Privacy and explanations", f"<ul>{private}</ul>") if private else "",
        section("Impact", impact) if impact else "",
        section("Protocol", facts_list(_protocol(result))),
    ]
    template = string.Template(_asset("report.html"))
    return template.substitute(
        title=escape(f"{result['question']} - reeltune"),
        css=_asset("report.css") + "\nsvg { max-width: 100%; height: auto; } figure { margin: 1.2rem 0; }",
        body="\n".join(part for part in body if part),
        script="",
    )


def _impact_tables(result: Mapping[str, Any]) -> list[tuple[str, Table]]:
    """Return the tables of the search: what mattered, and what a smaller budget would have cost."""
    found = [
        (f"What mattered for {name}", importance_table(of))
        for name, of in result["impact"].items()
        if of["fields"]
    ]
    if result["impact"]:
        found.append(("What each halving of the trials would have cost", budget_table(result["impact"])))
    return found


def _protocol(result: Mapping[str, Any]) -> dict[str, Any]:
    ledger = result["ledger"]
    return {
        "data": f"{ledger['dataset']}, {ledger['n_users']:,} people, {ledger['n_items']:,} movies, "
        f"{ledger['n_interactions']:,} ratings, movies with at least {ledger['k_core']}",
        "split": f"{ledger['split']}: {split_in_words(ledger['split'])}",
        "candidates": "the whole catalogue, movies of the history removed, ties count against the target",
        "selection": f"{result['objective'].upper()} on validation",
        "seed": result["seed"],
        "order of ties": ledger["tie_rule"],
        "fingerprint of the test": ledger["fingerprint"],
        "test openings": "; ".join(opening["time"] for opening in result["openings"]),
        "versions": ", ".join(f"{name} {version}" for name, version in result["versions"].items()),
    }


def _figure(caption: str, svg: str) -> str:
    return f'<figure>{svg}<figcaption class="note">{escape(caption)}</figcaption></figure>'


def _html(table: Table) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _markdown(table: Table) -> str:
    lines = [table.heads, tuple("---" for _ in table.heads), *table.rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _bullets(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _values(figure: Mapping[str, float]) -> tuple[float, float, float]:
    return figure["value"], figure["low"], figure["high"]


def _asset(name: str) -> str:
    return resources.files("reeltune.evaluation").joinpath(name).read_text(encoding="utf-8").strip()
