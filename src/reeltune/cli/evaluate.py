"""``reeltune evaluate``: open the test set, once, for the selected configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reeltune.cli.options import ADDRESS, DATA_DIR, STUDIES, STUDY, note, send_to_storage, study_path

if TYPE_CHECKING:
    from reeltune.evaluation.final import Evaluation

__all__ = ["evaluate"]


def evaluate(
    study: str = STUDY,
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
    is_unfinished_allowed: bool = typer.Option(
        False, "--unfinished", help="Select among the trials there are, though more were asked for."
    ),
    is_reopening: bool = typer.Option(
        False, "--reopen", help="Open the test set again, for the trial selected now; the log tells."
    ),
    address: str | None = ADDRESS,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object with everything known."),
) -> None:
    """Give the test figures of the selected configuration; only the first call opens the test set."""
    from reeltune.evaluation.final import evaluate_study

    path = study_path(study, studies)
    found = evaluate_study(
        path,
        data_dir=data_dir,
        is_unfinished_allowed=is_unfinished_allowed,
        is_reopening=is_reopening,
        address=address,
        notify=note,
    )
    if as_json:
        print(json.dumps(found.plain(), indent=2, ensure_ascii=False))
    else:
        _print_figures(found)
        _print_notes(found, path)
    send_to_storage(path)


def _print_figures(found: Evaluation) -> None:
    from reeltune.cli.tables import make_table, print_table

    labels = list(found.metrics)
    table = make_table("test", *labels)
    named = [(f"trial {found.trial}", found.metrics), *found.baselines.items()]
    for name, metrics in named:
        cells = (f"{m.value:.4f} ({m.low:.4f} to {m.high:.4f})" for m in metrics.values())
        table.add_row(name, *cells, style="bold" if name not in found.baselines else None)
    print_table(table)
    print(found.verdict)


def _print_notes(found: Evaluation, path: Path) -> None:
    from reeltune.evaluation.studies import selected_trial
    from reeltune.tuning.study.folder import Study

    for label, s in found.spread().items():
        print(f"over {s['n']:.0f} seeds: {label} {s['mean']:.4f} +- {s['sd']:.4f}")
    last = found.openings[-1]
    times = "once" if len(found.openings) == 1 else f"{len(found.openings)} times"
    print(
        f"{found.targets}, 95 % intervals over people; checkpoint {found.checkpoint}; "
        f"test set opened {times}, last at {last['time']}"
    )
    best = selected_trial(Study.open(path)).number
    if best != found.trial:
        note(f"note: trial {best} leads the study now; these figures are of trial {found.trial} (--reopen)")
