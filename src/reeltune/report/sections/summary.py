"""What the study found: question, verdict, leaderboard, repeats, test metrics."""

from __future__ import annotations

from collections import Counter
from html import escape

from reeltune.evaluation.compare import Interval
from reeltune.evaluation.final import Evaluation
from reeltune.evaluation.leaderboard import VERDICT_METRIC, Leaderboard
from reeltune.evaluation.repeats import Repeats
from reeltune.report.page import facts_list, items, note, section, sentence, signed, times
from reeltune.report.page import head as page_head
from reeltune.report.sections.parts import metric_table
from reeltune.report.tables import Table
from reeltune.tuning.study.folder import Study


def head(study: Study, board: Leaderboard | None, evaluation: Evaluation | None) -> str:
    """Return the question, the verdict and the metrics that answer it."""
    eyebrow = f"Study {study.name} on {study.ledger.dataset}"
    title = study.spec.question or study.name
    source: Evaluation | Leaderboard
    if evaluation is not None:
        source, first = evaluation, evaluation.comparisons[0]
        where = f"Test set, {evaluation.targets}, opened {times(len(evaluation.openings))}."
    elif board is not None:
        source, first = board, board.strongest
        where = f"Validation, {board.targets}; it chose the trial, so it flatters. The test set is closed."
    else:
        return page_head(eyebrow, title, "No trial has ended with a figure yet.", "", is_good=False)
    best = evaluation.metrics if evaluation else _best_metrics(board)
    facts = [(label.upper(), f"{m.value:.4f}", f"{m.low:.4f} to {m.high:.4f}") for label, m in best.items()]
    states = Counter(row.state for row in study.rows())
    facts.append(
        ("Trials", f"{sum(states.values())}", ", ".join(f"{n} {s}" for s, n in sorted(states.items())))
    )
    cells = "".join(f"<div><dt>{a}</dt><dd>{b}<small>{c}</small></dd></div>" for a, b, c in facts)
    return page_head(
        eyebrow,
        title,
        sentence(source.verdict),
        f"{where} Difference {signed(first.difference)}; {first.test}.",
        is_good=source.is_ahead,
        rest=f'<dl class="figures">{cells}</dl>',
    )


def leaderboard(board: Leaderboard | None) -> str:
    """Return the best trials and the baselines with their intervals."""
    if board is None:
        return ""
    rows = [
        ("best" if entry.number == board.selected else entry.kind, entry.name, entry.metrics)
        for entry in board.entries
    ]
    text = (
        f"The best trials and what baselines reach, {board.targets}, whole catalogue ranked. Lines are 95 % "
        f"bootstrap intervals of {VERDICT_METRIC.upper()} over users; p-values are not corrected for the "
        "number of baselines."
    )
    summary = [sentence(line) for line in board.summary()[:-1]]
    return section(
        "Leaderboard on validation",
        note(text) + metric_table(rows, board.comparisons, f"trial {board.selected}") + items(summary),
    )


def repeated(study: Study, repeats: Repeats | None) -> str:
    """Return what the best configurations reach from other seeds."""
    if repeats is None:
        return ""
    labels = study.goal.objectives
    rows = tuple(
        (
            f"trial {found.trial}",
            len(found.seeds),
            found.own,
            *(f"{found.mean(label):.4f} \N{PLUS-MINUS SIGN} {found.sd(label):.4f}" for label in labels),
        )
        for found in repeats.configurations
    )
    kinds = tuple("best" if found.trial == repeats.winner else "" for found in repeats.configurations)
    text = (
        "The best configurations, each trained again to its own end. The winner has the best mean; the "
        "figure that chose a configuration is left out of its mean, for it was chosen for being high."
    )
    table = Table(("", "seeds", "chosen at", *map(str.upper, labels)), rows, kinds)
    return section("Repeated from other seeds", note(text) + table.html())


def on_test(evaluation: Evaluation | None) -> str:
    """Return the test metrics of the selected configuration, the baselines and the spread over seeds."""
    if evaluation is None:
        return ""
    own = f"trial {evaluation.trial}"
    rows = [("best", own, evaluation.metrics)]
    rows += [("baseline", name, metrics) for name, metrics in evaluation.baselines.items()]
    spread = {
        label.upper(): f"{s['mean']:.4f} \N{PLUS-MINUS SIGN} {s['sd']:.4f} over {s['n']:.0f} seeds"
        for label, s in evaluation.spread().items()
    }
    seeds = (
        "<p>The same configuration, trained again from other seeds (mean and standard deviation):</p>"
        f"{facts_list(spread)}"
    )
    return section(
        "Test set",
        f'<p class="note">Opened {times(len(evaluation.openings))}, after everything was chosen on '
        f"validation. Checkpoint <code>{escape(evaluation.checkpoint)}</code>, trained on "
        f"{escape(evaluation.trained_on)}; the baselines count all that precedes the targets.</p>"
        + metric_table(rows, evaluation.comparisons, own)
        + _chosen_late(evaluation)
        + (seeds if spread else ""),
    )


def _chosen_late(evaluation: Evaluation) -> str:
    """Return what was decided after the search, and what the search gained."""
    lines = []
    if evaluation.gain is not None:
        lines.append(f"Tuned against default, means over seeds: {evaluation.gain.verdict()}")
    if chosen := evaluation.count_prior:
        lines.append(
            f"Count prior of weight {chosen['weight']:g}, chosen on validation: {evaluation.objective} "
            f"{chosen['cross_fitted']:.4f} cross-fitted over users, {chosen['values']['0']:.4f} without it"
        )
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _best_metrics(board: Leaderboard | None) -> dict[str, Interval]:
    entries = board.entries if board else ()
    return next((entry.metrics for entry in entries if board and entry.number == board.selected), {})
