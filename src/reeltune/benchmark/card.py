"""The model card of a contest's winner: what was found, in plain words, from the figures alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reeltune.benchmark.tables import privacy_lines

__all__ = ["render_card"]


def render_card(result: Mapping[str, Any]) -> str:
    """Return the card of the champion of ``result`` as Markdown."""
    own = result["answer"]["champion"]
    standing = next(row for row in result["standings"] if row["name"] == own)
    sections = {
        f"{own} on {result['ledger']['dataset']}": _what(result, own),
        "How good it is": _how_good(result, own, standing),
        "For whom it is better or worse": _for_whom(result["groups"][own]),
        "What its lists are like": _lists(result["lists"][own]),
        "What it knows of people": _people(result),
        "What it is not for": [
            f"It was judged by the next movie that {result['n_people']:,} people rated, not by what they "
            "would have liked to see: what nobody showed them cannot count in its favour.",
            f"Movies with fewer than {result['ledger']['k_core']} ratings are not in its catalogue.",
        ],
    }
    parts = [f"# Model card: {next(iter(sections))}"]
    for place, (title, lines) in enumerate(sections.items()):
        heading = [] if place == 0 else [f"## {title}"]
        parts += [*heading, "\n".join(f"- {line}" for line in lines)]
    return "\n\n".join(parts) + "\n"


def _what(result: Mapping[str, Any], own: str) -> list[str]:
    ledger = result["ledger"]
    one = next(of for of in result["contestants"] if of["name"] == own)
    model = one["config"]["model"]
    sizes = ", ".join(
        f"{name.replace('_', ' ')} {model[name]}"
        for name in ("embedding_dim", "hidden_dim", "n_layers")
        if name in model
    )
    return [
        f"It lists movies that a person may want to see next, from the movies seen before ({model['name']}, "
        f"{sizes}).",
        f"It learned from {ledger['n_interactions']:,} ratings of {ledger['n_users']:,} people for "
        f"{ledger['n_items']:,} movies, less what was held out.",
        f"Its settings are the best of {one['n_trials']} trials on validation.",
    ]


def _how_good(result: Mapping[str, Any], own: str, standing: Mapping[str, Any]) -> list[str]:
    hit = standing["metrics"]["hr@10"]
    lines = [
        f"For {100 * hit['value']:.0f} of 100 people the movie that they rated next was among the ten it "
        f"listed ({100 * hit['low']:.0f} to {100 * hit['high']:.0f} with other people and other seeds).",
        result["answer"]["sentence"],
        *(f"On another split, {name}: {part['answer']['sentence']}" for name, part in result["also"].items()),
    ]
    seeds = standing["seeds"]
    if seeds["sd"] is not None:
        lines.append(
            f"Trained from {seeds['n']} seeds, its test NDCG@10 is {seeds['mean']:.4f} with a standard "
            f"deviation of {seeds['sd']:.4f}."
        )
    return lines


def _for_whom(reports: list[Mapping[str, Any]]) -> list[str]:
    lines = [report["verdict"] + "." for report in reports]
    small = sorted({
        f"{group['label']} ({report['grouping']})"
        for report in reports for group in report["groups"] if group["figure"] is None and group["n_people"]
    })  # fmt: skip
    if small:
        lines.append(f"Too few people to tell: {', '.join(small)}.")
    return lines


def _lists(lists: Mapping[str, Any]) -> list[str]:
    lift, diversity = lists["popularity lift"], lists["diversity"]
    lines = [f"They hold {100 * lists['coverage']['value']:.0f} % of the catalogue, over all people."]
    if lift is not None:
        word = "more" if lift["value"] >= 0 else "less"
        lines.append(
            f"They are {100 * abs(lift['value']):.0f} % {word} popular than what their people had seen."
        )
    if diversity is not None:
        lines.append(
            f"The genres within a list differ by {diversity['value']:.2f} on a scale of 0, all alike, to 1, "
            "none shared."
        )
    return lines


def _people(result: Mapping[str, Any]) -> list[str]:
    return [
        "A bundle of it holds weights and, for each movie, how often it was seen; it holds no row, name, age "
        "or gender of anybody.",
        *privacy_lines(result),
    ]
