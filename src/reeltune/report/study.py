"""A study as one HTML page that opens without a network."""

from __future__ import annotations

from pathlib import Path

from reeltune.errors import StudyError
from reeltune.evaluation.analyses.importance import importance
from reeltune.evaluation.final import read_evaluation
from reeltune.evaluation.leaderboard import Leaderboard, make_leaderboard, read_leaderboard
from reeltune.evaluation.repeats import read_repeats
from reeltune.evaluation.studies import Notify, protocol, selected_trial, silent
from reeltune.files import write_text
from reeltune.report.page import page
from reeltune.report.sections import account, population, search, summary
from reeltune.report.tradeoff import read_trade_off, trade_off_section
from reeltune.tuning.search.results import pressed_bounds
from reeltune.tuning.study.folder import Study

N_BEST = 5
"""Best trials whose pressed bounds are named."""


def write_report(study_dir: Path, *, data_dir: Path | None = None, notify: Notify = silent) -> Path:
    """Write ``report.html`` of the study and return its path; a running study is reported as it stands.

    Raises:
        StudyError: The folder holds no study, or a file of it is damaged.
        DataError: The leaderboard must be made and the data cannot be found.
    """
    path = study_dir / "report.html"
    write_text(path, render_report(study_dir, data_dir=data_dir, notify=notify))
    return path


def render_report(study_dir: Path, *, data_dir: Path | None = None, notify: Notify = silent) -> str:
    """Return the report of the study as HTML; see :func:`write_report`."""
    study = Study.open(study_dir)
    rows = study.rows()
    if not rows:
        raise StudyError(
            f"study {study.name!r} has no trial yet; start it with: reeltune resume {study.name}"
        )
    board = _leaderboard(study, data_dir, notify)
    evaluation = read_evaluation(study_dir)
    is_population = study.spec.population is not None
    shares = importance(study)
    pressed = pressed_bounds(study.spec.space, study.best(N_BEST))
    parts = [
        summary.head(study, board, evaluation),
        summary.leaderboard(board),
        summary.repeated(study, read_repeats(study)),
        summary.on_test(evaluation),
        search.front(study),
        search.curves(study, board),
        search.coordinates(study),
        population.course(study),
        search.mattered(shares, pressed, n_best=min(N_BEST, len(study.best())), is_population=is_population),
        search.slices(study),
        trade_off_section(read_trade_off(study_dir)),
        account.trials(study),
        account.failures(rows),
        account.cost(study),
        account.ledger(study, evaluation),
    ]
    return page(study.spec.question or study.name, parts, has_script=True)


def _leaderboard(study: Study, data_dir: Path | None, notify: Notify) -> Leaderboard | None:
    """Return the leaderboard, made again where trials came since; None when no trial has a figure."""
    if not study.best() or study.spec.trial.task != "next-item":
        return None
    board = read_leaderboard(study.directory)
    if (
        board is not None
        and board.protocol == protocol(study)
        and board.selected == selected_trial(study).number
    ):
        return board
    return make_leaderboard(study.directory, data_dir=data_dir, notify=notify)
