"""The model card: what is in a bundle, how good it is and what it cannot do, in plain words."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reeltune.data.config import DATASETS, split_in_words
from reeltune.data.prepared import Ledger
from reeltune.evaluation.final import Evaluation
from reeltune.report.tradeoff import TradeOff

__all__ = ["CardFacts", "data_section", "make_card"]


_FIGURES = {
    "ndcg": "NDCG@10",
    "mean_events": "mean training events of a listed movie",
    "distance": "mean distance from the person's movies",
    "miscalibration": "divergence of the list's genres from the person's",
    "coverage": "share of the catalogue in anybody's list",
}


@dataclass(frozen=True)
class CardFacts:
    """What a card tells."""

    study: str
    question: str
    trial: int
    model: Mapping[str, Any]  # plain configuration of the network
    n_parameters: int
    objective: str
    validation: Mapping[str, float]  # metrics of the exported checkpoint
    n_trials: int
    ledger: Ledger
    evaluation: Evaluation | None  # of the exported checkpoint
    examples: tuple[str, str]  # two titles of the catalogue
    trade_off: TradeOff | None = None  # what re-ranking brings and costs
    compression: Mapping[str, Any] | None = None  # figures with int8 weights, None where they are float32
    schedule: Sequence[Mapping[str, Any]] = ()  # where the parameters changed in training


def make_card(facts: CardFacts) -> str:
    """Return the model card as Markdown."""
    parts = [
        _what(facts),
        _figures(facts),
        _use(facts),
        _limits(facts),
        data_section(facts.ledger, facts.objective),
        _contents(),
    ]
    if facts.schedule:
        parts.insert(2, _schedule(facts.schedule))
    if facts.trade_off is not None:
        parts.insert(2, _reranking(facts.trade_off))
    if facts.compression is not None:
        parts.insert(2, _compression(facts.compression))
    return "\n\n".join(parts) + "\n"


def _what(facts: CardFacts) -> str:
    name = str(facts.model["name"]).upper()
    return (
        f"# {name} movie recommender, trained on {facts.ledger.dataset}\n\n"
        f"Given the movies a person has seen, in order, this network ({name}, {facts.n_parameters:,} "
        f"weights) ranks the other movies of its catalogue of {facts.ledger.n_items:,} by how likely each is "
        "to be seen next. It needs no account and no training for a new person.\n\n"
        f"It is trial {facts.trial} of {facts.n_trials} of the study `{facts.study}`"
        + (f", which asked: *{_escaped(facts.question)}*" if facts.question else ".")
    )


def _escaped(text: str) -> str:
    """Return ``text`` in one line, as the words that they are: no HTML of others on the card."""
    return html.escape(" ".join(text.split()), quote=False)


def _figures(facts: CardFacts) -> str:
    lines = ["## How good it is", ""]
    if facts.evaluation is None:
        lines += [
            "On validation (these figures chose the model, so they flatter it; the test set of the study has "
            "not been opened for it):",
            "",
            "| metric | value |",
            "|---|---|",
            *(f"| {label.upper()} | {value:.4f} |" for label, value in facts.validation.items()),
        ]
        return "\n".join(lines)
    evaluation = facts.evaluation
    labels = list(evaluation.metrics)
    lines += [
        f"On the test set ({evaluation.n_queries:,} queries; opened "
        f"{len(evaluation.openings)} time(s)), with 95 % intervals over people:",
        "",
        f"| | {' | '.join(label.upper() for label in labels)} |",
        "|---" * (len(labels) + 1) + "|",
    ]
    for name, metrics in (("this model", evaluation.metrics), *evaluation.baselines.items()):
        cells = (f"{m.value:.4f} ({m.low:.4f} to {m.high:.4f})" for m in metrics.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", f"Verdict: {evaluation.verdict} ({evaluation.comparisons[0].test})."]
    if spread := evaluation.spread():
        told = ", ".join(f"{k.upper()} {s['mean']:.4f} +- {s['sd']:.4f}" for k, s in spread.items())
        lines.append(
            f"Trained again from {len(evaluation.seeds)} seeds (mean and standard deviation): {told}."
        )
    return "\n".join(lines)


def _schedule(legs: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for leg in legs for name in leg["params"]))
    lines = [
        "## How it was trained",
        "",
        "In a population: its parameters changed while it trained, at times together with its weights.",
        "",
        f"| epochs | trial | {' | '.join(names)} |",
        "|---" * (len(names) + 2) + "|",
    ]
    for leg in legs:
        values = (str(leg["params"].get(name, "-")) for name in names)
        epochs = f"{leg['first_epoch']} to {leg['last_epoch']}"
        lines.append(f"| {epochs} | {leg['trial']} | {' | '.join(values)} |")
    return "\n".join(lines)


def _compression(compression: Mapping[str, Any]) -> str:
    lines = [
        "## Weights",
        "",
        "Matrices are stored in int8, one factor a row, and multiplied out on loading. The figures above are "
        f"of the float32 weights; on validation ({compression['n_queries']:,} queries) the change is:",
        "",
        "| metric | float32 | int8 | change |",
        "|---|---|---|---|",
    ]
    for label, change in compression["change"].items():
        before, after = compression["float32"][label], compression["stored"][label]
        lines.append(f"| {label.upper()} | {before:.4f} | {after:.4f} | {change:+.4f} |")
    return "\n".join(lines)


def _reranking(trade_off: TradeOff) -> str:
    before, after = trade_off.plain_point().figures(), trade_off.joint_point().figures()
    weights = ", ".join(f"{name} {weight:g}" for name, weight in trade_off.joint.items())
    lines = [
        "## Re-ranking",
        "",
        f"`--tuned` re-ranks with {weights}: the strongest weights that together keep "
        f"{1 - trade_off.tolerance:.0%} of the NDCG, tuned on validation ({trade_off.n_people:,} people, "
        f"lists of {trade_off.k}):",
        "",
        "| | as scored | tuned |",
        "|---|---|---|",
    ]
    for name, told in _FIGURES.items():
        lines.append(f"| {told} | {before[name]:.4g} | {after[name]:.4g} |")
    return "\n".join(lines)


def _use(facts: CardFacts) -> str:
    first, second = (re.sub(r"[\x00-\x1f`\x7f-\x9f]+", " ", title) for title in facts.examples)
    return (
        "## How to use it\n\n"
        "```sh\n"
        f"reeltune recommend DIR --liked {shlex.quote(first)} --liked {shlex.quote(second)} -k 10\n"
        "```\n\n"
        "```python\n"
        "from reeltune.serving.recommend.recommender import Recommender\n\n"
        f'best = Recommender.load("DIR").recommend([{first!r}, ({second!r}, 4.5)], k=10)\n'
        "```\n\n"
        "Give the movies in the order in which they were seen, the oldest first. Nothing in the folder needs "
        "unpickling: weights are safetensors, the rest is JSON, the Lightning checkpoint opens with "
        "`weights_only`. `manifest.json` holds the SHA-256 of each file."
    )


def _limits(facts: CardFacts) -> str:
    return (
        "## What it cannot do\n\n"
        f"* It knows the {facts.ledger.n_items:,} movies of its catalogue and no other.\n"
        f"* {_reads(facts.model)}\n"
        "* Scores order the movies of one list; they are no probabilities and do not compare between lists.\n"
        "* It learned what people of its data watched next, with their tastes and their time; movies that "
        "few of them saw are rarely recommended."
    )


def _reads(model: Mapping[str, Any]) -> str:
    inputs = model.get("inputs", {})
    if inputs.get("rating") or inputs.get("taste"):
        told = "It reads which movies were seen, their order and the stars they were given"
    else:
        told = (
            "It reads which movies were seen and their order, not how they were rated, so a movie that was "
            "disliked counts as seen"
        )
    untold = {
        "time_gap": inputs.get("time_gap"),
        "request_time": inputs.get("request_time"),
        "sentiment": inputs.get("sentiment", "none") != "none",
        "profile": inputs.get("profile"),
    }
    if names := [name for name, is_on in untold.items() if is_on]:
        told += (
            f". In training it also read, of each person, {', '.join(names)}: the recommender is told none "
            "of these, and the network treats them as unknown"
        )
    return told + "."


def data_section(ledger: Ledger, objective: str = "") -> str:
    """Return the section on data and protocol; ``objective`` chose the model on validation, if any did."""
    entry = DATASETS.get(ledger.dataset)
    lines = [
        "## Data and protocol",
        "",
        f"* {ledger.dataset}: {ledger.n_users:,} people, {ledger.n_items:,} movies, "
        f"{ledger.n_interactions:,} ratings after preparation; every rating counts as seen.",
        f"* Split {ledger.split}: {split_in_words(ledger.split)}. "
        f"Movies with fewer than {ledger.k_core} ratings were dropped; ties in time: {ledger.tie_rule}.",
        "* The whole catalogue is ranked, movies already seen are removed, ties count against the model.",
        (f"* Selected by {objective} on validation. " if objective else "* ")
        + f"Fingerprint of the test set: `{ledger.fingerprint[:16]}`.",
    ]
    if entry is not None:
        lines += [f"* Licence of the data: {entry.licence}.", f"* Citation: {entry.citation}"]
    return "\n".join(lines)


def _contents() -> str:
    return (
        "## Files\n\n"
        "`weights.safetensors` the network, `config.json` its configuration, `vocabulary.json` the movies, "
        "`ledger.json` everything behind the figures, `metrics.json` the figures, `model.ckpt` the Lightning "
        "checkpoint to train further, `manifest.json` sizes and checksums. A `model.onnx`, where there is "
        "one, runs on ONNX Runtime without PyTorch; `parity.json` says how its answers compared."
    )
