"""Model cards, of a bundle and of a benchmark's winner: what it is, how good, for whom, what it cannot do."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reeltune.data.config import split_in_words
from reeltune.data.prepared import Ledger
from reeltune.data.sources.datasets import DATASETS
from reeltune.evaluation.final import Evaluation
from reeltune.report.benchmark_result import winner_row
from reeltune.report.benchmark_tables import privacy_lines
from reeltune.report.page import bullets
from reeltune.report.tables import Cell, Table
from reeltune.report.tradeoff import TradeOff

_FIGURES = {
    "ndcg": "NDCG@10",
    "mean_events": "mean training events of a listed movie",
    "distance": "mean distance from the user's movies",
    "miscalibration": "divergence of the list's genres from the user's",
    "coverage": "share of the catalogue in anybody's list",
}


@dataclass(frozen=True)
class CardFacts:
    """What a card says."""

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
    """Return the model card of a bundle as Markdown."""
    parts = [_what(facts), *_figures(facts)]
    if facts.compression is not None:
        parts += _compression(facts.compression)
    if facts.trade_off is not None:
        parts += _reranking(facts.trade_off)
    if facts.schedule:
        parts += _schedule(facts.schedule)
    parts += [_use(facts), _limits(facts), data_section(facts.ledger, facts.objective), _CONTENTS]
    return "\n\n".join(parts) + "\n"


def _what(facts: CardFacts) -> str:
    name = str(facts.model["name"]).upper()
    return (
        f"# {name} movie recommender, trained on {facts.ledger.dataset}\n\n"
        f"Given the movies a user has seen, in order, this network ({name}, {facts.n_parameters:,} "
        f"weights) ranks the other movies of its catalogue of {facts.ledger.n_items:,} by how likely each is "
        "to be seen next. It needs no account and no training for a new user.\n\n"
        f"It is trial {facts.trial} of {facts.n_trials} of the study `{facts.study}`"
        + (f", which asked: *{_escaped(facts.question)}*" if facts.question else ".")
    )


def _escaped(text: str) -> str:
    """Return ``text`` in one line, as the words that they are: no HTML of others on the card."""
    return html.escape(" ".join(text.split()), quote=False)


def _figures(facts: CardFacts) -> list[str]:
    heading, evaluation = "## How good it is", facts.evaluation
    if evaluation is None:
        rows = tuple((label.upper(), value) for label, value in facts.validation.items())
        return [
            heading,
            "On validation (these figures chose the model, so they flatter it; the test set of the study has "
            "not been opened for it):",
            Table(("metric", "value"), rows).markdown(),
        ]
    labels = tuple(evaluation.metrics)
    named = {"this model": evaluation.metrics, **evaluation.baselines}
    measured = tuple((name, *(of[label] for label in labels)) for name, of in named.items())
    lines = [
        heading,
        f"On the test set ({evaluation.n_queries:,} queries; opened "
        f"{len(evaluation.openings)} time(s)), with 95 % intervals over users:",
        Table(("", *map(str.upper, labels)), measured).markdown(),
        f"Verdict: {evaluation.verdict} ({evaluation.comparisons[0].test}).",
    ]
    if spread := evaluation.spread():
        text = ", ".join(f"{k.upper()} {s['mean']:.4f} +- {s['sd']:.4f}" for k, s in spread.items())
        lines.append(
            f"Trained again from {len(evaluation.seeds)} seeds (mean and standard deviation): {text}."
        )
    return lines


def _schedule(segments: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for segment in segments for name in segment["params"]))
    rows: list[tuple[Cell, ...]] = [
        (
            f"{segment['first_epoch']} to {segment['last_epoch']}",
            segment["trial"],
            *(str(segment["params"].get(name, "-")) for name in names),
        )
        for segment in segments
    ]
    return [
        "## How it was trained",
        "In a population: its parameters changed while it trained, at times together with its weights.",
        Table(("epochs", "trial", *names), tuple(rows)).markdown(),
    ]


def _compression(compression: Mapping[str, Any]) -> list[str]:
    before, after = compression["float32"], compression["stored"]
    rows = tuple(
        (label.upper(), float(before[label]), float(after[label]), f"{change:+.4f}")
        for label, change in compression["change"].items()
    )
    return [
        "## Weights",
        "Matrices are stored in int8, one factor a row, and multiplied out on loading. The figures above are "
        f"of the float32 weights; on validation ({compression['n_queries']:,} queries) the change is:",
        Table(("metric", "float32", "int8", "change"), rows).markdown(),
    ]


def _reranking(trade_off: TradeOff) -> list[str]:
    before, after = trade_off.plain_point().figures(), trade_off.joint_point().figures()
    weights = ", ".join(f"{name} {weight:g}" for name, weight in trade_off.joint.items())
    rows = tuple((text, before[name], after[name]) for name, text in _FIGURES.items())
    return [
        "## Re-ranking",
        f"`--tuned` re-ranks with {weights}: the strongest weights that together keep "
        f"{1 - trade_off.tolerance:.0%} of the NDCG, tuned on validation ({trade_off.n_people:,} users, "
        f"lists of {trade_off.k}):",
        Table(("", "as scored", "tuned"), rows, digits=".4g").markdown(),
    ]


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
        "* It learned what users of its data watched next, with their tastes and their time; movies that "
        "few of them saw are rarely recommended."
    )


def _reads(model: Mapping[str, Any]) -> str:
    inputs = model.get("inputs", {})
    if inputs.get("rating") or inputs.get("taste"):
        text = "It reads which movies were seen, their order and the stars they were given"
    else:
        text = (
            "It reads which movies were seen and their order, not how they were rated, so a movie that was "
            "disliked counts as seen"
        )
    unread = {
        "time_gap": inputs.get("time_gap"),
        "request_time": inputs.get("request_time"),
        "sentiment": inputs.get("sentiment", "none") != "none",
        "profile": inputs.get("profile"),
    }
    if names := [name for name, is_on in unread.items() if is_on]:
        text += (
            f". In training it also read, of each user, {', '.join(names)}: the recommender is given none "
            "of these, and the network treats them as unknown"
        )
    return text + "."


def data_section(ledger: Ledger, objective: str = "") -> str:
    """Return the section on data and protocol; ``objective`` chose the model on validation, if any did."""
    entry = DATASETS.get(ledger.dataset)
    lines = [
        "## Data and protocol",
        "",
        f"* {ledger.dataset}: {ledger.n_users:,} users, {ledger.n_items:,} movies, "
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


_CONTENTS = (
    "## Files\n\n"
    "`weights.safetensors` the network, `config.json` its configuration, `vocabulary.json` the movies, "
    "`ledger.json` everything behind the figures, `metrics.json` the figures, `model.ckpt` the Lightning "
    "checkpoint to train further, `manifest.json` sizes and checksums. A `model.onnx`, where there is "
    "one, runs on ONNX Runtime without PyTorch; `parity.json` says how its answers compared."
)


def benchmark_card(result: Mapping[str, Any]) -> str:
    """Return the card of a benchmark's winner as Markdown."""
    own, ledger = result["answer"]["winner"], result["ledger"]
    sections = {
        "How good it is": _how_good(result, winner_row(result, own)),
        "For whom it is better or worse": _for_whom(result["user_groups"][own]),
        "What its lists are like": _lists(result["lists"][own]),
        "What it knows of users": [
            "A bundle of it holds weights and, for each movie, how often it was seen; it holds no row, name, "
            "age or gender of anybody.",
            *privacy_lines(result),
        ],
        "What it is not for": [
            f"It was judged by the next movie that {result['n_users']:,} users rated, not by what they "
            "would have liked to see: what nobody showed them cannot count in its favour.",
            f"Movies with fewer than {ledger['k_core']} ratings are not in its catalogue.",
        ],
    }
    parts = [f"# Model card: {own} on {ledger['dataset']}", bullets(_winner(result, own))]
    parts += [f"## {title}\n\n{bullets(lines)}" for title, lines in sections.items()]
    return "\n\n".join(parts) + "\n"


def _winner(result: Mapping[str, Any], own: str) -> list[str]:
    ledger = result["ledger"]
    one = next(of for of in result["models"] if of["name"] == own)
    model = one["config"]["model"]
    named = ("embedding_dim", "hidden_dim", "n_layers")
    sizes = [f"{name.replace('_', ' ')} {model[name]}" for name in named if name in model]
    return [
        "It lists movies that a user may want to see next, from the movies seen before "
        f"({', '.join([model['name'], *sizes])}).",
        f"It learned from {ledger['n_interactions']:,} ratings of {ledger['n_users']:,} users for "
        f"{ledger['n_items']:,} movies, less what was held out.",
        f"Its settings are the best of {one['n_trials']} trials on validation.",
    ]


def _how_good(result: Mapping[str, Any], standing: Mapping[str, Any]) -> list[str]:
    hit, seeds = standing["metrics"]["hr@10"], standing["seeds"]
    lines = [
        f"For {100 * hit['value']:.0f} of 100 users the movie that they rated next was among the ten it "
        f"listed ({100 * hit['low']:.0f} to {100 * hit['high']:.0f} with other users and other seeds).",
        result["answer"]["sentence"],
        *(f"On another split, {n}: {part['answer']['sentence']}" for n, part in result["splits"].items()),
    ]
    if seeds["sd"] is not None:
        lines.append(
            f"Trained from {seeds['n']} seeds, its test NDCG@10 is {seeds['mean']:.4f} with a standard "
            f"deviation of {seeds['sd']:.4f}."
        )
    return lines


def _for_whom(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [report["verdict"] + "." for report in reports]
    small = sorted({
        f"{group['label']} ({report['grouping']})"
        for report in reports for group in report["groups"] if group["figure"] is None and group["n_users"]
    })  # fmt: skip
    return lines + ([f"Too few users to tell: {', '.join(small)}."] if small else [])


def _lists(lists: Mapping[str, Any]) -> list[str]:
    lift, diversity = lists["popularity lift"], lists["diversity"]
    lines = [f"They hold {100 * lists['coverage']['value']:.0f} % of the catalogue, over all users."]
    if lift is not None:
        word = "more" if lift["value"] >= 0 else "less"
        lines.append(
            f"They are {100 * abs(lift['value']):.0f} % {word} popular than what their users had seen."
        )
    if diversity is not None:
        lines.append(
            f"The genres within a list differ by {diversity['value']:.2f} on a scale of 0, all alike, to 1, "
            "none shared."
        )
    return lines
