"""What became of a population: how the winner's parameters changed while it trained."""

from __future__ import annotations

from html import escape

from reeltune.report.sections.parts import cell, section, winner
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.search.population import lineage
from reeltune.tuning.study.folder import Study

__all__ = ["course", "lineage_of_winner"]


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
    heads = f'<th>epochs</th><th>trial</th><th class="number">{escape(label.upper())}</th>'
    heads += "".join(f"<th>{escape(name.rpartition('.')[2].replace('_', ' '))}</th>" for name in names)
    body = ""
    for before, row in zip([None, *chain], chain, strict=False):
        cells = [_marked(cell(row.params.get(name)), before, row, name) for name in names]
        last = study.epochs(row.number)[-1].metrics[label]
        body += (
            f"<tr><td>{row.start_epoch + 1} to {row.start_epoch + row.n_epochs}</td><td>{row.number}</td>"
            f"{cell(last)}{''.join(cells)}</tr>"
        )
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
        f'<p class="note">A population of {population.settings.population} networks, compared every '
        f"{population.settings.interval_epochs} epochs; each trial is one segment and resumes from the "
        "weights of the trial above it. Thick values changed there. What is trained again from other seeds "
        f"follows the same course.{rest}</p>"
        f'<div class="scroll"><table class="dense"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>",
    )


def _marked(text: str, before: TrialRow | None, row: TrialRow, name: str) -> str:
    if before is None or before.params.get(name) == row.params.get(name):
        return text
    return text.replace(">", "><strong>", 1).replace("</td>", "</strong></td>")
