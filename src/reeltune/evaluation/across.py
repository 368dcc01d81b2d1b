"""Several studies side by side on validation: who is best, by how much, and whether that may be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reeltune.errors import StudyError
from reeltune.evaluation.compare import Comparison, Interval, compare_paired
from reeltune.evaluation.final import read_evaluation
from reeltune.evaluation.leaderboard import VERDICT_METRIC, figures, trial_ranks
from reeltune.evaluation.studies import Notify, open_study_data, selected_trial, silent
from reeltune.metrics.registry import per_query
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.study.folder import Study


@dataclass(frozen=True)
class Line:
    """A study's selected trial on validation."""

    study: str
    dataset: str
    model: str
    trial: int
    n_trials: int  # ended
    metrics: dict[str, Interval]
    n_parameters: int
    seconds: float  # of the whole study
    test: dict[str, float] | None  # where the test set was opened
    against_best: Comparison | None = None  # of the best study with this one; None for itself or other data


@dataclass(frozen=True)
class Across:
    """The studies, best first, and what forbids to compare them."""

    lines: tuple[Line, ...]
    differences: tuple[str, ...]  # in words; empty where all ledgers are equal

    def plain(self) -> dict[str, Any]:
        """Return the comparison as plain Python values."""
        return asdict(self)


def ledger_differences(studies: Sequence[Study]) -> tuple[str, ...]:
    """Return in words how the ledgers of the studies differ from the first one's, a field each."""
    first = studies[0]
    return tuple(
        f"{name} is {getattr(first.ledger, name)!r} in {first.name}, "
        f"{getattr(study.ledger, name)!r} in {study.name}"
        for study in studies[1:]
        for name in first.ledger.differences(study.ledger)
    )


def compare_studies(
    directories: Sequence[Path],
    *,
    data_dir: Path | None = None,
    is_forced: bool = False,
    notify: Notify = silent,
) -> Across:
    """Return the selected trials of several studies, best first, each paired with the best one.

    Args:
        directories: Folders of at least two studies.
        data_dir: Where to look for the data first.
        is_forced: Give the figures of studies on different data too; they are not paired then.
        notify: Receives lines of progress.

    Raises:
        StudyError: Fewer than two studies, one without figures, or their ledgers differ and nobody forces.
    """
    studies = [Study.open(directory) for directory in directories]
    if len({study.directory.resolve() for study in studies}) < max(len(studies), 2):
        raise StudyError("give at least two different studies, e.g. reeltune compare one other")
    differences = ledger_differences(studies)
    if differences and not is_forced:
        raise StudyError(
            f"the studies are not comparable, their ledgers differ: {'; '.join(differences)}; "
            "with --anyway their figures are shown without a test"
        )
    lines, values = [], []
    for study in studies:
        _, data = open_study_data(study, data_dir=data_dir, notify=notify)
        row = selected_trial(study)
        ranks = trial_ranks(study, row.number, data)
        lines.append(_line(study, row, figures(ranks, data.validation.user, study.spec.study.seed)))
        values.append((per_query(ranks, VERDICT_METRIC), data.validation.user))
    order = sorted(range(len(lines)), key=lambda i: -lines[i].metrics[VERDICT_METRIC].value)
    best = order[0]
    paired = []
    for i in order:
        if i != best and not studies[best].ledger.differences(studies[i].ledger):
            comparison = compare_paired(
                values[best][0],
                values[i][0],
                opponent_name=studies[i].name,
                metric=VERDICT_METRIC,
                users=values[best][1],
            )
            paired.append(replace(lines[i], against_best=comparison))
        else:
            paired.append(lines[i])
    return Across(tuple(paired), differences)


def _line(study: Study, row: TrialRow, metrics: dict[str, Interval]) -> Line:
    evaluation = read_evaluation(study.directory)
    return Line(
        study=study.name,
        dataset=study.ledger.dataset,
        model=str(row.config["model"]["name"]),
        trial=row.number,
        n_trials=sum(other.state.is_finished for other in study.rows()),
        metrics=metrics,
        n_parameters=row.n_parameters,
        seconds=study.elapsed_seconds,
        test=None if evaluation is None else {k: m.value for k, m in evaluation.metrics.items()},
    )
