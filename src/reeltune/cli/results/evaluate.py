"""``reeltune evaluate``: open the test set, once, for the selected configuration."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reeltune.cli.options import (
    ADDRESS,
    AS_CSV,
    AS_JSON,
    DATA_DIR,
    STUDIES,
    STUDY,
    note,
    send_to_storage,
    study_path,
)
from reeltune.cli.tables import Table, interval_cell, print_plain, print_table

if TYPE_CHECKING:
    from reeltune.evaluation.final import Evaluation


def evaluate(
    study: str = STUDY,
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
    is_unfinished_allowed: bool = typer.Option(
        False, "--unfinished", help="Select among the trials there are, though more were asked for."
    ),
    is_reopening: bool = typer.Option(
        False, "--reopen", help="Open the test set again, for the trial selected now; the log says so."
    ),
    address: str | None = ADDRESS,
    as_json: bool = AS_JSON,
    as_csv: bool = AS_CSV,
) -> None:
    """Test the selected configuration; opens the test set once.

    Further calls print what the first one found.
    """
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
    named = {f"trial {found.trial}": found.metrics, **found.baselines}
    rows = [{"name": name} | {k: asdict(m) for k, m in metrics.items()} for name, metrics in named.items()]
    if not print_plain(rows, as_json=as_json, as_csv=as_csv, whole=found.plain()):
        _print_figures(found)
        _print_notes(found, path)
    send_to_storage(path)


def _print_figures(found: Evaluation) -> None:
    labels = list(found.metrics)
    table = Table("test", *labels, spare=[labels[-1], labels[0]])
    for name, metrics in [(f"trial {found.trial}", found.metrics), *found.baselines.items()]:
        cells = map(interval_cell, metrics.values())
        table.add(name, *cells, style="bold" if name not in found.baselines else None)
    print_table(table)
    print(found.verdict)


def _print_notes(found: Evaluation, path: Path) -> None:
    from reeltune.evaluation.studies import selected_trial
    from reeltune.tuning.study.folder import Study

    for label, s in found.spread().items():
        print(f"over {s['n']:.0f} seeds: {label} {s['mean']:.4f} +- {s['sd']:.4f}")
    print(f"trial {found.trial} trained on {found.trained_on}; baselines count all that precedes the targets")
    if found.gain is not None:
        print(f"tuned against default, means over seeds: {found.gain.verdict()}")
    if found.count_prior is not None:
        chosen, alone = found.count_prior["weight"], found.count_prior["values"]["0"]
        print(
            f"count prior of weight {chosen:g}, chosen on validation: {found.objective} "
            f"{found.count_prior['cross_fitted']:.4f} cross-fitted over users, {alone:.4f} without it"
        )
    last = found.openings[-1]
    times = "once" if len(found.openings) == 1 else f"{len(found.openings)} times"
    print(
        f"{found.targets}, 95 % intervals over people; checkpoint {found.checkpoint}; "
        f"test set opened {times}, last at {last['time']}"
    )
    best = selected_trial(Study.open(path)).number
    if best != found.trial:
        note(f"note: trial {best} leads the study now; these figures are of trial {found.trial} (--reopen)")
