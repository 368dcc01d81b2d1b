"""What became of a population: how the winner's parameters changed while it trained."""

from __future__ import annotations

from html import escape

from reeltune.report.page import note, section
from reeltune.report.sections.parts import short_name, winner
from reeltune.report.svg import number
from reeltune.report.tables import Cell, Html, Table
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.search.population import lineage
from reeltune.tuning.study.folder import Study


def lineage_of_winner(study: Study) -> list[TrialRow]:
    """Return the segments behind the selected trial, oldest first; empty where there is none."""
    best = winner(study)
    return [] if best is None else lineage({row.number: row for row in study.rows()}, best)


def course(study: Study) -> str:
    """Return how the selected trial came about, empty where trials are whole trainings."""
    population, chain = study.spec.population, lineage_of_winner(study)
    if population is None or not chain:
        return ""
    names = [name for name, _ in study.spec.space if any(name in row.params for row in chain)]
    label = study.objective
    rows: list[tuple[Cell, ...]] = [
        (
            f"{row.start_epoch + 1} to {row.start_epoch + row.n_epochs}",
            row.number,
            study.epochs(row.number)[-1].metrics[label],
            *(_marked(before, row, name) for name in names),
        )
        for before, row in zip([None, *chain], chain, strict=False)
    ]
    heads = ("epochs", "trial", label.upper(), *map(short_name, names))
    total = population.n_segments
    n_ended = sum(row.state.is_finished for row in study.rows())
    rest = (
        f" {n_ended} of the {total} segments that train the population to its end are done, and the learning "
        "rate has not come down to its end: raise study.trials."
        if n_ended < total and study.n_trials < total
        else ""
    )
    return section(
        "How the winner was trained",
        note(
            f"A population of {population.settings.population} networks, compared every "
            f"{population.settings.interval_epochs} epochs; each trial is one segment and resumes from the "
            "weights of the trial above it. Thick values changed there. What is trained again from other "
            f"seeds follows the same course.{rest}"
        )
        + Table(heads, tuple(rows), digits=".4g").html(is_dense=True),
    )


def _marked(before: TrialRow | None, row: TrialRow, name: str) -> Cell:
    value = row.params.get(name)
    if before is None or before.params.get(name) == value:
        return value
    return Html(f"<strong>{escape(number(value))}</strong>")
