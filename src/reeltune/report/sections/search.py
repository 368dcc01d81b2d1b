"""How the search went: learning curves, front, what was tried, what mattered."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from reeltune.evaluation.analyses.importance import Shares
from reeltune.evaluation.leaderboard import Leaderboard
from reeltune.metrics.registry import parse_metric
from reeltune.report.charts import (
    Axis,
    Curve,
    Dot,
    interval_bars,
    learning_curves,
    parallel_coordinates,
    scatter,
)
from reeltune.report.page import items, note, section
from reeltune.report.sections.parts import short_name, winner
from reeltune.report.sections.population import lineage_of_winner
from reeltune.report.svg import number
from reeltune.report.tables import Cell, Table
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.results import PressedBound, has_figures, pareto_front
from reeltune.tuning.study.folder import Study


def curves(study: Study, board: Leaderboard | None) -> str:
    """Return the learning curves; trials that the scheduler stopped end in a square."""
    best = {row.number for row in lineage_of_winner(study)}
    drawn = []
    for row in study.rows():
        values = tuple(epoch.metrics[study.objective] for epoch in study.epochs(row.number))
        start = row.start_epoch
        if values and row.parent is not None:  # the segment hangs on its parent's last point
            start, values = start - 1, (study.epochs(row.parent)[-1].metrics[study.objective], *values)
        kind = "best" if row.number in best else str(row.state)
        if values:
            top = max(values) if study.higher_is_better else min(values)
            name = f"trial {row.number}, {row.state}, best {top:.4f}"
            kind = kind if kind in ("best", "stopped", "diverged") else ""
            drawn.append(Curve(name, values, kind, start))
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
    return section(
        "Learning curves",
        note(f"{label} on validation after each epoch.")
        + key
        + learning_curves(drawn, label=label, rulers=rulers),
    )


def coordinates(study: Study) -> str:
    """Return the searched values of all trials that have a figure, as parallel coordinates."""
    ranked, best = study.best(), winner(study)
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
    for row in sorted(ranked, key=lambda row: (row.number == best, row.value or 0.0)):
        place = ((row.value or 0.0) - low) / width
        goodness = place if study.higher_is_better else 1 - place
        title = f"trial {row.number}: {study.objective} {row.value:.4f}"
        lines.append((title, [*(row.params.get(name) for name in names), row.value], goodness))
    return section(
        "What was tried",
        '<p class="note">One line a trial; the stronger the colour, the better. The thick line is the '
        'selected trial. <span class="screen">Drag along an axis to keep the trials that pass there; a click '
        "on it lets go.</span></p>"
        + parallel_coordinates(axes, lines)
        + '<p class="screen"><button class="reset" type="button">Show all</button> '
        '<span class="note" id="brushed" aria-live="polite"></span></p>',
    )


def mattered(
    shares: Shares, pressed: Sequence[PressedBound], *, n_best: int, is_population: bool = False
) -> str:
    """Return which searched fields mattered, and which bounds the best trials press against."""
    if is_population:
        drawn = note(
            "A segment of a population owes its figure to the weights that it took over as well: the share "
            "of a searched value cannot be given."
        )
    elif not shares.fields:
        drawn = note(
            "Too few comparable trials to say which searched value mattered: at least four with different "
            "figures are needed."
        )
    else:
        drawn = note(
            "Share of the variance of the objective that each searched value explains (functional ANOVA over "
            f"{shares.basis()}). Lines and small figures: 90 % of the estimates when the trials are drawn "
            "again; where they are wide, trust the order little."
        ) + interval_bars(shares.fields)
    bounds = [
        f"{bound.name}: {100 * bound.share:.0f} % of the best {n_best} lie at the "
        f"{'upper' if bound.side == 'high' else 'lower'} bound {number(bound.bound)}; "
        "a wider range may find better ones"
        for bound in pressed
    ]
    text = items(bounds) or f"<p>The best {n_best} trials press against no bound.</p>"
    return section("What mattered", f"{drawn}<h3>Bounds</h3>{text}")


def slices(study: Study) -> str:
    """Return the objective over each searched field, one small plot a field."""
    rows = [row for row in study.rows() if has_figures(row, study.goal)]
    if len(rows) < 2:
        return ""
    best = winner(study)
    plots = []
    for name, parameter in study.spec.space:
        axis = Axis.of(name, parameter)
        ticks = axis.ticks or ((0.0, axis.low), (1.0, axis.high))
        dots = [_dot(study, row, axis.place(row.params[name]), best) for row in rows if name in row.params]
        if dots:
            label = f"{study.objective.upper()} over {name} for {len(dots)} trials"
            dots.sort(key=lambda dot: dot.kind == "best")
            plots.append(f"<figure>{scatter(dots, title=axis.name, ticks=ticks, label=label)}</figure>")
    return section(
        "One value at a time",
        f'<p class="note">{study.objective.upper()} of each trial over each searched value, on the '
        "scale that was searched. Open squares were stopped early: they lie lower than they might have "
        "come.</p>"
        f'<div class="multiples">{"".join(plots)}</div>',
        is_long=True,
    )


def _dot(study: Study, row: TrialRow, x: float, best: int | None) -> Dot:
    kind = "stopped" if row.state is TrialState.STOPPED else ""
    if row.number == best:
        kind = "best"
    return Dot(x, row.value or 0.0, kind, f"trial {row.number}: {study.objective} {row.value:.4f}")


def front(study: Study) -> str:
    """Return the trade-off between the objectives, and which trials break the limits."""
    goal, rows = study.goal, study.rows()
    limits = _limits(study)
    found = pareto_front(rows, goal)
    if found is None:
        return section("Limits", limits) if limits else ""
    plots = "".join(
        f"<figure>{_trade_off(study, other)}</figure>" for other in range(1, len(goal.objectives))
    )
    labels = list(dict.fromkeys((*goal.objectives, *goal.limits)))
    names = [name for name, _ in study.spec.space]
    cells: list[tuple[Cell, ...]] = [
        (
            f"trial {row.number}{' (knee)' if row.number == found.knee else ''}",
            *(row.metrics[label] for label in labels),
            *(row.params.get(name) for name in names),
        )
        for row in found.rows
    ]
    kinds = tuple("best" if row.number == found.knee else "" for row in found.rows)
    table = Table(("front", *labels, *map(short_name, names)), tuple(cells), kinds, digits=".4g")
    return section(
        "The trade-off",
        '<p class="note">No other trial beats one of the front in every objective. The knee, ringed, lies '
        "farthest from the line through the front's ends: there a step in any direction costs more than it "
        "brings.</p>"
        '<ul class="key"><li><i class="front"></i>front</li><li><i class="dot"></i>beaten</li>'
        '<li><i class="stopped"></i>stopped early</li><li><i class="broken"></i>breaks a limit</li></ul>'
        f'<div class="multiples wide">{plots}</div>'
        + table.html(is_dense=True)
        + f"<p>Hypervolume {found.hypervolume:.3f}: the share of the box between the worst and the best "
        f"value of each objective that the front dominates.</p>{limits}",
        is_long=True,
    )


def _trade_off(study: Study, other: int) -> str:
    """Return the first objective over another one, with the front of the trials that keep the limits."""
    goal = study.goal
    rows = [row for row in study.rows() if has_figures(row, goal)]
    found = pareto_front(rows, goal)
    label = goal.objectives[other]
    across = [row.metrics[label] for row in rows]
    low, width = min(across), (max(across) - min(across)) or 1.0
    on_front = {row.number for row in found.rows} if found else set()
    dots = []
    for row in rows:
        kind = "stopped" if row.state is TrialState.STOPPED else ""
        kind = "broken" if goal.violation(row.metrics) > 0 else "front" if row.number in on_front else kind
        kind = "front knee" if found and row.number == found.knee else kind
        text = ", ".join(f"{name} {number(row.metrics[name])}" for name in goal.objectives)
        dots.append(
            Dot(
                (row.metrics[label] - low) / width,
                row.metrics[goal.first],
                kind,
                f"trial {row.number}: {text}",
            )
        )
    dots.sort(key=lambda dot: ("front" in dot.kind, "knee" in dot.kind))
    line = sorted((d.x, d.y) for d in dots if "front" in d.kind) if len(goal.objectives) == 2 else []
    arrow = "higher" if parse_metric(label).higher_is_better else "lower"
    return scatter(
        dots,
        title=f"{label}, {arrow} is better",
        ticks=((0.0, f"{low:.3g}"), (1.0, f"{low + width:.3g}")),
        line=line,
        label=f"{goal.first} over {label} for {len(dots)} trials",
        above=f"{goal.first}, {'higher' if goal.higher_is_better[0] else 'lower'} is better",
    )


def _limits(study: Study) -> str:
    """Return the limits of the study and who breaks them."""
    if not study.goal.limits:
        return ""
    text = ", ".join(f"{escape(label)} {limit.in_words()}" for label, limit in study.goal.limits.items())
    broken = [
        (row, study.goal.broken(row.metrics))
        for row in study.rows()
        if has_figures(row, study.goal) and study.goal.violation(row.metrics) > 0
    ]
    if not broken:
        return f"<p>Limits: {text}. Every trial with figures keeps them.</p>"
    items = "".join(f"<li>trial {row.number}: {escape('; '.join(reasons))}</li>" for row, reasons in broken)
    return (
        f"<p>Limits: {text}. {len(broken)} trials break one and cannot win.</p>"
        f"<details><summary>which</summary><ul>{items}</ul></details>"
    )
