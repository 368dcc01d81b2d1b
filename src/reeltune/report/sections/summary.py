"""What the study found: question, verdict, leaderboard, repeats, test figures."""

from __future__ import annotations

from collections import Counter
from html import escape

from reeltune.evaluation.compare import Interval
from reeltune.evaluation.final import Evaluation
from reeltune.evaluation.leaderboard import VERDICT_METRIC, Leaderboard
from reeltune.evaluation.repeats import Repeats
from reeltune.report.sections.parts import (
    facts_list,
    figure_table,
    section,
    sentence,
    signed,
    times,
)
from reeltune.tuning.study.folder import Study

__all__ = ["head", "leaderboard", "on_test", "repeated"]


def head(study: Study, board: Leaderboard | None, evaluation: Evaluation | None) -> str:
    """Return the question, the verdict and the figures that answer it."""
    source = evaluation or board
    parts = [
        f'<header><p class="eyebrow">Study {escape(study.name)} on {escape(study.ledger.dataset)}</p>',
        f"<h1>{escape(study.spec.question or study.name)}</h1>",
    ]
    if source is None:
        parts.append(
            '<div class="verdict"><strong>No trial has ended with a figure yet.</strong></div></header>'
        )
        return "".join(parts)
    first = source.comparisons[0]
    where = (
        f"Test set, {evaluation.targets}, opened {times(len(evaluation.openings))}."
        if evaluation
        else f"Validation, {source.targets}; it chose the trial, so it flatters. The test set is closed."
    )
    parts.append(
        f'<div class="verdict {"yes" if first.is_better else "no"}"><strong>'
        f"{escape(sentence(source.verdict))}</strong><span>{where} "
        f"Difference {signed(first.difference)}; {first.test}.</span></div>"
    )
    best = evaluation.metrics if evaluation else _best_metrics(board)
    facts = [(label.upper(), f"{m.value:.4f}", f"{m.low:.4f} to {m.high:.4f}") for label, m in best.items()]
    states = Counter(row.state for row in study.rows())
    told = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    facts.append(("Trials", f"{sum(states.values())}", told))
    cells = "".join(f"<div><dt>{a}</dt><dd>{b}<small>{c}</small></dd></div>" for a, b, c in facts)
    return "".join(parts) + f'<dl class="figures">{cells}</dl></header>'


def leaderboard(board: Leaderboard | None) -> str:
    """Return the best trials and the baselines with their intervals."""
    if board is None:
        return ""
    rows = [
        ("best" if entry.number == board.selected else entry.kind, entry.name, entry.metrics)
        for entry in board.entries
    ]
    verdicts = "".join(f"<p>{escape(sentence(c.verdict()))}</p>" for c in board.comparisons)
    return section(
        "Leaderboard on validation",
        f'<p class="note">The best trials and what counting alone reaches, {board.targets}, whole '
        f"catalogue ranked. Lines are 95 % bootstrap intervals of {VERDICT_METRIC.upper()} over people.</p>"
        f"{figure_table(rows)}{verdicts}",
    )


def repeated(study: Study, repeats: Repeats | None) -> str:
    """Return what the best configurations reach from other seeds."""
    if repeats is None:
        return ""
    heads = "".join(f'<th class="number">{escape(label.upper())}</th>' for label in study.goal.objectives)
    rows = []
    for found in repeats.configurations:
        figures = "".join(
            f'<td class="number">{found.mean(label):.4f} \N{PLUS-MINUS SIGN} {found.sd(label):.4f}</td>'
            for label in study.goal.objectives
        )
        kind = "best" if found.trial == repeats.winner else ""
        rows.append(
            f'<tr class="{kind}"><td>trial {found.trial}</td><td class="number">{len(found.seeds)}</td>'
            f'<td class="number">{found.own:.4f}</td>{figures}</tr>'
        )
    return section(
        "Repeated from other seeds",
        '<p class="note">The best configurations, each trained again to its own end. The winner has the '
        "best mean; the figure that chose a configuration is left out of its mean, for it was chosen for "
        "being high.</p>"
        '<div class="scroll"><table><thead><tr><th></th><th class="number">seeds</th>'
        f'<th class="number">chosen at</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>',
    )


def on_test(evaluation: Evaluation | None) -> str:
    """Return the test figures of the selected configuration, the baselines and the spread over seeds."""
    if evaluation is None:
        return ""
    rows = [("best", f"trial {evaluation.trial}", evaluation.metrics)]
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
        f"validation. Checkpoint <code>{escape(evaluation.checkpoint)}</code>.</p>"
        f"{figure_table(rows)}{seeds if spread else ''}",
    )


def _best_metrics(board: Leaderboard | None) -> dict[str, Interval]:
    entries = board.entries if board else ()
    return next((entry.metrics for entry in entries if board and entry.number == board.selected), {})
