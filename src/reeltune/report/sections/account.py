"""What the study did: all trials, failures, cost, ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reeltune.evaluation.final import Evaluation
from reeltune.report.charts import Bar, trial_bars
from reeltune.report.page import duration, facts_list, note, section
from reeltune.report.sections.parts import short_name, winner
from reeltune.report.tables import Cell, Html, Table
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.study.folder import Study


def trials(study: Study) -> str:
    """Return the table of all trials."""
    names = [name for name, _ in study.spec.space]
    best, is_population = winner(study), study.spec.population is not None
    heads = ["trial", "state", study.objective.upper(), "epochs", "parameters", "seconds"]
    heads += ["resumes trial", "after epoch"] if is_population else []
    rows: list[tuple[Cell, ...]] = []
    kinds = []
    for row in study.rows():
        epochs = [] if row.state.is_finished else study.epochs(row.number)
        figure = epochs[-1].best if epochs else row.value
        seconds = sum(epoch.seconds for epoch in epochs) if epochs else row.seconds
        rows.append((
            row.number, str(row.state), figure, len(epochs) or row.n_epochs, row.n_parameters,
            round(seconds, 1), *((row.parent, row.start_epoch) if is_population else ()),
            *(row.params.get(name) for name in names),
        ))  # fmt: skip
        kinds.append("best" if row.number == best else "")
    table = Table((*heads, *map(short_name, names)), tuple(rows), tuple(kinds), digits=".4g")
    return section(
        "All trials",
        '<p class="note screen">A click on a heading sorts.</p>'
        + table.html(is_dense=True, is_sortable=True),
        is_long=True,
    )


def failures(rows: Sequence[TrialRow]) -> str:
    """Return the trials that ended without a figure, with their reasons."""
    bad = [row for row in rows if row.state in (TrialState.DIVERGED, TrialState.FAILED)]
    if not bad:
        return section("Failures", "<p>No trial diverged or failed.</p>")
    share = 100 * len(bad) / len(rows)
    cells = tuple((row.number, Html(f'<span class="bad">{row.state}</span>'), row.reason) for row in bad)
    return section(
        "Failures",
        f"<p>{len(bad)} of {len(rows)} trials ({share:.0f} %) diverged or failed; they cannot win.</p>"
        + Table(("trial", "state", "reason"), cells).html(),
    )


def cost(study: Study) -> str:
    """Return what the study took, trial by trial, and what the scheduler saved."""
    rows, settings = study.rows(), study.spec.study
    n_epochs = sum(row.n_epochs for row in rows)
    seconds = sum(row.seconds for row in rows)
    population = study.spec.population
    n_full = sum(
        (population.end_epoch(row.number) if population else int(row.config["training"]["max_epochs"]))
        - row.start_epoch
        for row in rows
        if row.state is not TrialState.RUNNING
    )
    facts = {
        "Wall clock": duration(study.elapsed_seconds),
        "Training, all trials": duration(seconds),
        "Core time, all trials": duration(seconds * settings.n_threads),
        "Epochs": f"{n_epochs:,}, {seconds / n_epochs:.2f} s each" if n_epochs else "0",
        "Epochs saved by stopping": f"{max(0, n_full - n_epochs):,} of {n_full:,}",
        "At once": f"{settings.concurrency} trials, {settings.n_threads} thread(s) each",
    }
    if settings.gpus_per_trial:
        facts["Accelerator time"] = duration(seconds * settings.gpus_per_trial)
    notes = "".join(note(f"{line}.") for line in study.warnings())
    return section("Cost", facts_list(facts) + notes + _bars(study))


def _bars(study: Study) -> str:
    ended = [row for row in study.rows() if row.n_epochs]
    if not ended:
        return ""
    best = winner(study)
    kinds = {TrialState.STOPPED: "stopped", TrialState.DIVERGED: "bad", TrialState.FAILED: "bad"}
    bars = []
    for row in ended:
        kind = "best" if row.number == best else kinds.get(row.state, "")
        name = f"trial {row.number}, {row.state}: {row.seconds:.1f} s for {row.n_epochs} epochs"
        bars.append(Bar(row.seconds, kind, name, str(row.number)))
    return (
        '<ul class="key"><li><i class="bar best"></i>best trial</li><li><i class="bar"></i>complete</li>'
        '<li><i class="bar stopped"></i>stopped early</li>'
        '<li><i class="bar bad"></i>diverged or failed</li></ul>'
        + trial_bars(bars, unit="seconds of training, by trial", label=f"Seconds of {len(bars)} trials")
    )


def ledger(study: Study, evaluation: Evaluation | None) -> str:
    """Return everything that a reader needs to compare or repeat the figures."""
    facts: dict[str, Any] = {name.replace("_", " "): value for name, value in study.ledger.plain().items()}
    settings = study.spec.study
    facts |= {
        "searcher": settings.searcher.name,
        "scheduler": settings.scheduler.name,
        "objectives": ", ".join(
            f"{label} ({'higher' if up else 'lower'} is better)"
            for label, up in zip(study.goal.objectives, study.goal.higher_is_better, strict=True)
        ),
        "limits": ", ".join(f"{name} {limit.in_words()}" for name, limit in study.goal.limits.items())
        or "none",
        "study seed": settings.seed,
        "candidates": "the whole catalogue, movies of the history removed, ties count against the target",
        "made": study.created,
        "versions": ", ".join(f"{name} {version}" for name, version in study.versions.items()),
    }
    if evaluation is not None:
        facts["test openings"] = "; ".join(
            f"{opening['time']} for trial {opening['trial']}" for opening in evaluation.openings
        )
    return section("Ledger", facts_list(facts))
