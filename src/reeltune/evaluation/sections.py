"""The sections of the report as HTML strings; one function a section, empty where there is nothing to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from reeltune.evaluation.charts import (
    Axis,
    Curve,
    bars,
    learning_curves,
    number,
    parallel_coordinates,
    range_bar,
)
from reeltune.evaluation.compare import Interval
from reeltune.evaluation.final import Evaluation
from reeltune.evaluation.leaderboard import FIGURES, VERDICT_METRIC, Leaderboard
from reeltune.tuning.results import PressedBound
from reeltune.tuning.rows import TrialRow, TrialState
from reeltune.tuning.study import Study

__all__ = [
    "coordinates",
    "cost",
    "curves",
    "failures",
    "head",
    "leaderboard",
    "ledger",
    "on_test",
    "search",
    "trials",
]


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
        f"Test set, {evaluation.n_queries:,} people, opened {_times(len(evaluation.openings))}."
        if evaluation
        else f"Validation, {source.n_queries:,} people; it chose the trial, so it flatters. "
        "The test set is closed."
    )
    parts.append(
        f'<div class="verdict {"yes" if first.is_better else "no"}"><strong>'
        f"{escape(_sentence(source.verdict))}</strong><span>{where} "
        f"Difference {_signed(first.difference)}; {first.test}.</span></div>"
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
    verdicts = "".join(f"<p>{escape(_sentence(c.verdict()))}</p>" for c in board.comparisons)
    return _section(
        "Leaderboard on validation",
        f'<p class="note">The best trials and what counting alone reaches, {board.n_queries:,} people, whole '
        f"catalogue ranked. Lines are 95 % bootstrap intervals of {VERDICT_METRIC.upper()} over people.</p>"
        f"{_figure_table(rows)}{verdicts}",
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
        f"{_facts(spread)}"
    )
    return _section(
        "Test set",
        f'<p class="note">Opened {_times(len(evaluation.openings))}, after everything was chosen on '
        f"validation. Checkpoint <code>{escape(evaluation.checkpoint)}</code>.</p>"
        f"{_figure_table(rows)}{seeds if spread else ''}",
    )


def curves(study: Study, board: Leaderboard | None) -> str:
    """Return the learning curves; trials that the scheduler stopped end in a square."""
    best = study.best(1)
    drawn = []
    for row in study.rows():
        values = tuple(epoch.metrics[study.objective] for epoch in study.epochs(row.number))
        kind = "best" if best and row.number == best[0].number else str(row.state)
        if values:
            name = f"trial {row.number}, {row.state}, best {max(values):.4f}"
            drawn.append(Curve(name, values, kind if kind in ("best", "stopped", "diverged") else ""))
    if not drawn:
        return ""
    rulers = [
        (entry.name, entry.metrics[study.objective].value)
        for entry in (board.entries if board else ())
        if entry.kind == "baseline" and study.objective in entry.metrics
    ]
    key = (
        '<ul class="key"><li><i class="best"></i>best trial</li><li><i></i>other trials</li>'
        '<li><i class="stopped"></i>stopped by the scheduler</li><li><i class="diverged"></i>diverged</li>'
        '<li><i class="baseline"></i>baselines</li></ul>'
    )
    label = study.objective.upper()
    return _section(
        "Learning curves",
        f'<p class="note">{label} on validation after each epoch.</p>{key}'
        + learning_curves(drawn, label=label, rulers=rulers),
    )


def coordinates(study: Study) -> str:
    """Return the searched values of all trials that have a figure, as parallel coordinates."""
    ranked = study.best()
    if len(ranked) < 2:
        return ""
    values = [row.value or 0.0 for row in ranked]
    low, high = min(values), max(values)
    width = (high - low) or 1.0
    axes = [Axis.of(name, parameter) for name, parameter in study.spec.space]
    axes.append(
        Axis(study.objective.upper(), f"{low:.4f}", f"{high:.4f}", lambda value: (value - low) / width)
    )
    names = [name for name, _ in study.spec.space]
    lines = []
    for row in sorted(ranked, key=lambda row: (row is ranked[0], row.value or 0.0)):
        place = ((row.value or 0.0) - low) / width
        goodness = place if study.higher_is_better else 1 - place
        title = f"trial {row.number}: {study.objective} {row.value:.4f}"
        lines.append((title, [*(row.params.get(name) for name in names), row.value], goodness))
    return _section(
        "What was tried",
        '<p class="note">One line a trial; the stronger the colour, the better. The thick line is the '
        'selected trial. <span class="screen">Drag along an axis to keep the trials that pass there; a click '
        "on it lets go.</span></p>"
        + parallel_coordinates(axes, lines)
        + '<p class="screen"><button class="reset" type="button">Show all</button> '
        '<span class="note" id="brushed" aria-live="polite"></span></p>',
    )


def search(shares: Mapping[str, float], pressed: Sequence[PressedBound], *, n_best: int) -> str:
    """Return which searched fields mattered and which bounds the best trials press against."""
    mattered = (
        bars(dict(shares))
        if shares
        else '<p class="note">Too few complete trials to tell which searched value mattered: at least four '
        "with different figures are needed.</p>"
    )
    told = "".join(
        f"<li><code>{escape(bound.name)}</code>: {100 * bound.share:.0f} % of the best {n_best} lie at "
        f"{'the upper bound' if bound.side == 'high' else 'the lower bound'} {escape(number(bound.bound))}; "
        "a wider range may find better ones</li>"
        for bound in pressed
    )
    bounds = f"<ul>{told}</ul>" if told else f"<p>The best {n_best} trials press against no bound.</p>"
    return _section(
        "What mattered",
        '<p class="note">Share of the variance of the objective that each searched value explains '
        f"(functional ANOVA over complete trials).</p>{mattered}<h3>Bounds</h3>{bounds}",
    )


def trials(study: Study) -> str:
    """Return the table of all trials."""
    names = [name for name, _ in study.spec.space]
    rows, best = study.rows(), study.best(1)
    heads = ["trial", "state", study.objective.upper(), "epochs", "parameters", "seconds"]
    heads += [name.rpartition(".")[2].replace("_", " ") for name in names]
    body = []
    for row in rows:
        cells: list[Any] = [row.number, str(row.state), row.value, row.n_epochs, row.n_parameters]
        cells += [round(row.seconds, 1), *(row.params.get(name) for name in names)]
        kind = "best" if best and row.number == best[0].number else ""
        body.append(f'<tr class="{kind}">{"".join(_cell(cell) for cell in cells)}</tr>')
    titles = "".join(f'<th><button type="button">{escape(head)}</button></th>' for head in heads)
    return _section(
        "All trials",
        '<p class="note screen">A click on a heading sorts.</p><div class="scroll"><table class="dense">'
        f"<thead><tr>{titles}</tr></thead><tbody>{''.join(body)}</tbody></table></div>",
        is_long=True,
    )


def failures(rows: Sequence[TrialRow]) -> str:
    """Return the trials that ended without a figure, with their reasons."""
    bad = [row for row in rows if row.state in (TrialState.DIVERGED, TrialState.FAILED)]
    if not bad:
        return _section("Failures", "<p>No trial diverged or failed.</p>")
    share = 100 * len(bad) / len(rows)
    body = "".join(
        f'<tr><td>{row.number}</td><td class="bad">{row.state}</td><td>{escape(row.reason)}</td></tr>'
        for row in bad
    )
    return _section(
        "Failures",
        f"<p>{len(bad)} of {len(rows)} trials ({share:.0f} %) diverged or failed; they cannot win.</p>"
        '<div class="scroll"><table><thead><tr><th>trial</th><th>state</th><th>reason</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>",
    )


def cost(study: Study) -> str:
    """Return what the study took and what the scheduler saved."""
    rows = study.rows()
    n_epochs = sum(row.n_epochs for row in rows)
    seconds = sum(row.seconds for row in rows)
    n_full = sum(
        int(row.config["training"]["max_epochs"]) for row in rows if row.state is not TrialState.RUNNING
    )
    facts = {
        "Wall clock": _duration(study.elapsed_seconds),
        "Training, all trials": _duration(seconds),
        "Epochs": f"{n_epochs:,}, {seconds / n_epochs:.2f} s each" if n_epochs else "0",
        "Epochs saved by stopping": f"{max(0, n_full - n_epochs):,} of {n_full:,}",
        "At once": f"{study.spec.study.concurrency} trials, {study.spec.study.n_threads} thread(s) each",
    }
    return _section("Cost", _facts(facts))


def ledger(study: Study, evaluation: Evaluation | None) -> str:
    """Return everything that a reader needs to compare or repeat the figures."""
    facts: dict[str, Any] = {name.replace("_", " "): value for name, value in study.ledger.plain().items()}
    settings = study.spec.study
    facts |= {
        "searcher": settings.searcher.name,
        "scheduler": settings.scheduler.name,
        "objective": f"{study.objective}, {'higher' if study.higher_is_better else 'lower'} is better",
        "study seed": settings.seed,
        "candidates": "the whole catalogue, movies of the history removed, ties count against the target",
        "made": study.created,
        "versions": ", ".join(f"{name} {version}" for name, version in study.versions.items()),
    }
    if evaluation is not None:
        facts["test openings"] = "; ".join(
            f"{opening['time']} for trial {opening['trial']}" for opening in evaluation.openings
        )
    return _section("Ledger", _facts(facts))


def _section(title: str, body: str, *, is_long: bool = False) -> str:
    return f"<section{' class=long' if is_long else ''}><h2>{escape(title)}</h2>{body}</section>"


def _figure_table(rows: Sequence[tuple[str, str, Mapping[str, Interval]]]) -> str:
    """Return a table of kind, name and figures, with the intervals of the verdict's metric drawn."""
    low = min(metrics[VERDICT_METRIC].low for _, _, metrics in rows)
    high = max(metrics[VERDICT_METRIC].high for _, _, metrics in rows)
    heads = "".join(f'<th class="number">{label.upper()}</th>' for label in FIGURES)
    body = "".join(
        f'<tr class="{kind}"><td>{escape(name)}</td>'
        + "".join(f'<td class="number">{metrics[label].value:.4f}</td>' for label in FIGURES)
        + f'<td class="range-cell">{range_bar(metrics[VERDICT_METRIC], low, high)}</td></tr>'
        for kind, name, metrics in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr><th></th>{heads}<th>{VERDICT_METRIC.upper()}, {low:.3f} to '
        f"{high:.3f}</th></tr></thead><tbody>{body}</tbody></table></div>"
    )


def _facts(facts: Mapping[str, Any]) -> str:
    cells = "".join(f"<dt>{escape(k)}</dt><dd>{escape(number(v))}</dd>" for k, v in facts.items())
    return f'<dl class="facts">{cells}</dl>'


def _cell(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="number" data-value="{value}">{number(value)}</td>'
    return f'<td data-value="{escape(str(value or ""))}">{escape("-" if value is None else str(value))}</td>'


def _best_metrics(board: Leaderboard | None) -> dict[str, Interval]:
    entries = board.entries if board else ()
    return next((entry.metrics for entry in entries if board and entry.number == board.selected), {})


def _sentence(verdict: str) -> str:
    # The p-value stays on one line.
    return (verdict[:1].upper() + verdict[1:]).replace("p = ", "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")


def _signed(figure: Interval) -> str:
    return f"{figure.value:+.4f} (95 % interval {figure.low:+.4f} to {figure.high:+.4f})"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
