"""The results as a reader gets them: a Markdown page, one HTML page and SVG figures, all from the JSON."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from reeltune.benchmark.card import render_card
from reeltune.benchmark.gallery import RATING_FIGURES, figures_of
from reeltune.benchmark.part_tables import (
    decisions_table,
    errors_table,
    rating_lines,
    rivals_table,
    split_lines,
    splits_table,
    ties_table,
)
from reeltune.benchmark.tables import (
    Table,
    budget_table,
    cuts_table,
    groups_table,
    importance_table,
    lists_table,
    privacy_lines,
    standings_table,
    verdict_lines,
)
from reeltune.data.config import split_in_words
from reeltune.files import write_text
from reeltune.report.sections.parts import facts_list, section

__all__ = ["documents", "render_html", "render_markdown", "write_pages"]


def write_pages(result: Mapping[str, Any], out: Path) -> None:
    """Write ``README.md``, ``MODEL_CARD.md``, ``report.html`` and ``figures/*.svg`` of ``result``."""
    for name, text in documents(result).items():
        write_text(out / name, text)


def documents(result: Mapping[str, Any]) -> dict[str, str]:
    """Return all pages and figures of ``result`` by their paths in its folder."""
    figures = figures_of(result)
    return {f"figures/{name}.svg": svg + "\n" for name, (_, svg) in figures.items()} | {
        "README.md": render_markdown(result, figures),
        "MODEL_CARD.md": render_card(result),
        "report.html": render_html(result, figures),
    }


def render_markdown(result: Mapping[str, Any], figures: Mapping[str, tuple[str, str]]) -> str:
    """Return the result as a Markdown page."""
    parts = [f"# {result['question']}", result["answer"]["sentence"], _bullets(verdict_lines(result))]
    parts += [_markdown(standings_table(result)), f"![{figures['standings'][0]}](figures/standings.svg)"]
    parts += ["### All metrics", _markdown(cuts_table(result))]
    for title, lines, tables, names in _parts_of(result):
        parts += [f"## {title}", _bullets(lines), *map(_markdown, tables)]
        parts += [f"![{figures[name][0]}](figures/{name}.svg)" for name in names]
    parts += ["## Lists", _markdown(lists_table(result))]
    parts += ["## Groups", _markdown(groups_table(result))]
    if lines := privacy_lines(result):
        parts += ["## Privacy and explanations", _bullets(lines)]
    parts += ["## Impact"]
    parts += [
        f"![{caption}](figures/{name}.svg)"
        for name, (caption, _) in figures.items()
        if name not in ("standings", *RATING_FIGURES)
    ]
    for title, table in _impact_tables(result):
        parts += [f"### {title}", _markdown(table)]
    parts += ["## Protocol", _bullets([f"{key}: {value}" for key, value in _protocol(result).items()])]
    return "\n\n".join(parts) + "\n"


def render_html(result: Mapping[str, Any], figures: Mapping[str, tuple[str, str]]) -> str:
    """Return the result as one HTML page that opens without a network."""
    answer = result["answer"]
    kind = "yes" if answer["word"] == "Yes" else "no"
    verdicts = _items(verdict_lines(result))
    head = (
        f'<header><p class="eyebrow">Contest {escape(result["name"])}</p>'
        f"<h1>{escape(result['question'])}</h1>"
        f'<div class="verdict {kind}"><strong>{escape(answer["sentence"])}</strong>'
        f"<span>Test set, {result['n_people']:,} people; every choice was made on validation.</span></div>"
        "</header>"
    )
    shown = {name: _figure(*figure) for name, figure in figures.items()}
    others = ("standings", "differences", *RATING_FIGURES)
    later = "".join(svg for name, svg in shown.items() if name not in others)
    impact = later + "".join(
        f"<h3>{escape(title)}</h3>{_html(table)}" for title, table in _impact_tables(result)
    )
    private = _items(privacy_lines(result))
    body = [
        head,
        section(
            "Standings",
            shown["standings"]
            + _html(standings_table(result))
            + f"<details><summary>all metrics</summary>{_html(cuts_table(result))}</details>",
        ),
        section("Verdicts", f"<ul>{verdicts}</ul>{shown['differences']}"),
        *(
            section(
                title,
                f"<ul>{_items(lines)}</ul>" + "".join(map(_html, tables)) + "".join(shown[n] for n in names),
            )
            for title, lines, tables, names in _parts_of(result)
        ),
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


def _parts_of(result: Mapping[str, Any]) -> list[tuple[str, list[str], list[Table], tuple[str, ...]]]:
    """Return title, sentences, tables and figures of what the contest asked beside its ranking."""
    found: list[tuple[str, list[str], list[Table], tuple[str, ...]]] = []
    if result["also"]:
        tables = [splits_table(result, label) for label in ("ndcg@10", "hr@10")]
        told = "Settings were chosen on the first split; every contestant is trained anew on each."
        found.append(("Splits side by side", [*split_lines(result), told], tables, ()))
    if "ties" in result:
        told = (
            f"{100 * result['ties']['share_timed']:.0f} % of the people have all their times and can be "
            f"ordered anew. {result['objective'].upper()} on validation, each trained from one seed; in "
            "brackets the difference, paired by person, with its interval."
        )
        found.append(("Order of ties", [told], [ties_table(result)], ()))
    if "ratings" in result:
        ratings = result["ratings"]
        tables = [errors_table(ratings), decisions_table(ratings), rivals_table(ratings)]
        found.append(("Stars and likes", rating_lines(ratings), tables, RATING_FIGURES))
    return found


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


def _items(lines: Sequence[str]) -> str:
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _asset(name: str) -> str:
    return resources.files("reeltune.report").joinpath(name).read_text(encoding="utf-8").strip()
