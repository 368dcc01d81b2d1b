"""A benchmark's result as a reader gets it, all from its JSON: Markdown, HTML, CSV, LaTeX and figures."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from reeltune.data.config import split_in_words
from reeltune.files import write_text
from reeltune.report import benchmark_tables as tables
from reeltune.report.benchmark_figures import RATING_FIGURES, figures_of
from reeltune.report.benchmark_result import read_result
from reeltune.report.cards import benchmark_card
from reeltune.report.page import bullets, facts_list, figure, head, items, page, section
from reeltune.report.tables import Table

Figures = Mapping[str, tuple[str, str]]


def write_pages(result: Mapping[str, Any], out: Path) -> None:
    """Write all of :func:`documents` into the folder ``out``."""
    for name, text in documents(result).items():
        write_text(out / name, text)


def documents(recorded: Mapping[str, Any]) -> dict[str, str]:
    """Return all pages, tables and figures of a result by their paths in its folder."""
    result = read_result(recorded)
    figures, standings = figures_of(result), tables.standings_table(result)
    return {f"figures/{name}.svg": svg + "\n" for name, (_, svg) in figures.items()} | {
        "README.md": _markdown(result, figures),
        "MODEL_CARD.md": benchmark_card(result),
        "report.html": _html(result, figures),
        "standings.csv": standings.csv(),
        "standings.tex": standings.latex(),
        "pairs.csv": tables.all_pairs_table(result).csv(),
    }


def _markdown(result: Mapping[str, Any], figures: Figures) -> str:
    def picture(name: str) -> str:
        return f"![{figures[name][0]}](figures/{name}.svg)"

    parts = [f"# {result['question']}", result["answer"]["sentence"]]
    parts += [tables.standings_table(result).markdown(), picture("standings")]
    parts += ["### Pair by pair", tables.pairs_table(result).markdown(), picture("differences")]
    parts += ["### All metrics", tables.cuts_table(result).markdown()]
    for title, lines, shown, names in _parts_of(result):
        parts += [f"## {title}", bullets(lines), *(table.markdown() for table in shown), *map(picture, names)]
    parts += ["## Search", bullets(tables.selection_lines(result))]
    parts += [picture(name) for name in _sweeps(figures)]
    for title, table in _search_tables(result):
        parts += [f"### {title}", table.markdown()]
    parts += ["## Protocol", bullets([f"{key}: {value}" for key, value in _protocol(result).items()])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(result: Mapping[str, Any], figures: Figures) -> str:
    answer, shown = result["answer"], {name: figure(*of) for name, of in figures.items()}
    search = items(tables.selection_lines(result)) + "".join(shown[name] for name in _sweeps(figures))
    search += "".join(f"<h3>{escape(t)}</h3>{table.html()}" for t, table in _search_tables(result))
    more = f"<details><summary>all metrics</summary>{tables.cuts_table(result).html()}</details>"
    parts = [
        head(
            f"Benchmark {result['name']}",
            result["question"],
            answer["sentence"],
            f"Test set, {result['n_users']:,} users; every choice was made on validation.",
            is_good=answer["word"] == "Yes",
        ),
        section("Standings", shown["standings"] + tables.standings_table(result).html() + more),
        section("Pair by pair", tables.pairs_table(result).html() + shown["differences"]),
        *(
            section(title, items(lines) + "".join(t.html() for t in of) + "".join(shown[n] for n in names))
            for title, lines, of, names in _parts_of(result)
        ),
        section("Search", search) if search else "",
        section("Protocol", facts_list(_protocol(result))),
    ]
    return page(result["question"], parts)


def _sweeps(figures: Figures) -> list[str]:
    return [name for name in figures if name not in ("standings", "differences", *RATING_FIGURES)]


def _parts_of(result: Mapping[str, Any]) -> list[tuple[str, list[str], list[Table], tuple[str, ...]]]:
    """Return title, sentences, tables and figures of what the benchmark asked beside its ranking."""
    found: list[tuple[str, list[str], list[Table], tuple[str, ...]]] = []
    if result["splits"]:
        shown = [tables.splits_table(result, label) for label in ("ndcg@10", "hr@10")]
        text = "Settings were chosen on the first split; every model is trained again on each."
        found.append(("Splits side by side", [*tables.split_lines(result), text], shown, ()))
    if "ties" in result:
        text = (
            f"{100 * result['ties']['share_timed']:.0f} % of the users have all their times and can be "
            f"ordered otherwise. {result['objective'].upper()} on validation, each trained from one seed; in "
            "brackets the difference, paired by user, with its interval."
        )
        found.append(("Order of ties", [text], [tables.ties_table(result)], ()))
    if "ratings" in result:
        ratings = result["ratings"]
        shown = [
            tables.errors_table(ratings),
            tables.decisions_table(ratings),
            tables.predictors_table(ratings),
        ]
        found.append(("Ratings and likes", tables.rating_lines(ratings), shown, RATING_FIGURES))
    found.append(("Lists", [], [tables.lists_table(result)], ()))
    found.append(("Groups of users", [], [tables.user_groups_table(result)], ()))
    if lines := tables.privacy_lines(result):
        found.append(("Privacy and explanations", lines, [], ()))
    return found


def _search_tables(result: Mapping[str, Any]) -> list[tuple[str, Table]]:
    """Return the tables of the search: what mattered, and what a smaller budget would have cost."""
    impact = result["impact"]
    found = [
        (f"What mattered for {name}", tables.importance_table(of))
        for name, of in impact.items()
        if of["fields"]
    ]
    budget = [("What each halving of the trials would have cost", tables.budget_table(impact))]
    return found + (budget if impact else [])


def _protocol(result: Mapping[str, Any]) -> dict[str, Any]:
    ledger = result["ledger"]
    return {
        "data": f"{ledger['dataset']}, {ledger['n_users']:,} users, {ledger['n_items']:,} movies, "
        f"{ledger['n_interactions']:,} ratings, movies with at least {ledger['k_core']}",
        "split": f"{ledger['split']}: {split_in_words(ledger['split'])}",
        "candidates": "the whole catalogue, movies of the history removed, ties count against the target",
        "selection": f"{result['objective'].upper()} on validation",
        "tests": "two-sided, paired by user, corrected by Holm's method over all models",
        "seed": result["seed"],
        "order of ties": ledger["tie_rule"],
        "fingerprint of the test": ledger["fingerprint"],
        "test openings": "; ".join(opening["time"] for opening in result["openings"]),
        "versions": ", ".join(f"{name} {version}" for name, version in result["versions"].items()),
    }
