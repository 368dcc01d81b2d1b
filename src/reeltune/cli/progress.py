"""Shows a study while it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reeltune.cli.tables import Table, short_params, short_time
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.results import best_rows

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from reeltune.tuning.study.observer import Observer, StudyProgress

QUIET_SECONDS = 30.0
"""Where there is no terminal, an epoch is worth a line after this long a silence."""

COLOURS = {"running": "cyan", "complete": "green", "stopped": "yellow", "diverged": "red", "failed": "red"}


def make_observer(first_line: str = "") -> Observer:
    """Return what suits the standard output: a live table on a terminal, lines elsewhere.

    ``first_line`` is printed when the study starts.
    """
    if sys.stdout.isatty():
        from rich.console import Console

        return TableObserver(Console(), first_line)
    return LineObserver(first_line)


@dataclass
class Board:
    """Where a running study stands; both ways of showing it read from here."""

    progress: StudyProgress
    rows: dict[int, TrialRow] = field(default_factory=dict)
    epochs: dict[int, EpochReport] = field(default_factory=dict)  # last one of each running trial
    max_epochs: dict[int, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    first_end: float | None = None
    n_ended: int = 0  # in this run

    @property
    def n_finished(self) -> int:
        """Trials that ended, in this run and before it."""
        return sum(row.state.is_finished for row in self.rows.values())

    def best(self, n: int | None = None) -> list[TrialRow]:
        """Return the best trials so far."""
        return best_rows(list(self.rows.values()), self.progress.goal, n)

    def running(self) -> list[TrialRow]:
        """Return the trials that run, by number."""
        return [row for _, row in sorted(self.rows.items()) if not row.state.is_finished]

    def seconds_left(self) -> float | None:
        """Return an estimate from the trials that ended in this run, None before the second."""
        if self.n_ended < 2 or self.first_end is None:
            return None
        pace = (time.monotonic() - self.first_end) / (self.n_ended - 1)
        return pace * (self.progress.n_trials - self.n_finished)

    def end(self, row: TrialRow) -> None:
        """Take in that a trial ended."""
        self.rows[row.number] = row
        self.epochs.pop(row.number, None)
        self.n_ended += 1
        self.first_end = self.first_end or time.monotonic()

    def headline(self) -> str:
        """Return study, count, best and time left in one line."""
        parts = [f"{self.progress.name}  {self.n_finished}/{self.progress.n_trials} trials"]
        best = self.best(1)
        if best:
            parts.append(f"best {self.progress.objective} {best[0].value:.4f} (trial {best[0].number})")
        parts.append(f"{short_time(time.monotonic() - self.started)} so far")
        left = self.seconds_left()
        if left is not None:
            parts.append(f"about {short_time(left)} left")
        return "  ".join(parts)


def start_board(progress: StudyProgress) -> Board:
    """Return the board at the start of a run."""
    board = Board(progress, rows={row.number: row for row in progress.rows})
    board.epochs = {number: epochs[-1] for number, epochs in progress.epochs.items() if epochs}
    return board


class LineObserver:
    """One line a trial at its start and end; an epoch only after a long silence."""

    def __init__(self, first_line: str = "") -> None:
        self._first_line = first_line
        self._board: Board | None = None
        self._spoken = time.monotonic()

    def _say(self, text: str) -> None:
        self._spoken = time.monotonic()
        print(text, flush=True)

    @property
    def board(self) -> Board:
        """The board of the run."""
        assert self._board is not None, "study_started comes first"
        return self._board

    def study_started(self, progress: StudyProgress) -> None:
        """Say what is to be done."""
        self._board = start_board(progress)
        if self._first_line:
            self._say(self._first_line)
        known = f", {self.board.n_finished} of them ended before" if self.board.n_finished else ""
        self._say(
            f"study {progress.name}: {progress.n_trials} trials{known}, {progress.concurrency} at a time"
        )

    def trial_started(self, row: TrialRow, max_epochs: int) -> None:
        """Say which configuration begins or resumes."""
        self.board.rows[row.number] = row
        self.board.max_epochs[row.number] = max_epochs
        last = self.board.epochs.get(row.number)
        verb = "starts" if row.parent is None else f"starts from the weights of trial {row.parent}"
        verb = f"resumes after epoch {last.epoch}" if last else verb
        self._say(f"trial {row.number} {verb}: {short_params(row.params)}")

    def epoch_ended(self, number: int, report: EpochReport) -> None:
        """Say how far a trial is, if nothing was said for a while."""
        self.board.epochs[number] = report
        if time.monotonic() - self._spoken >= QUIET_SECONDS:
            last = self.board.max_epochs.get(number, 0)
            self._say(
                f"trial {number} epoch {report.epoch}/{last}: "
                f"best {self.board.progress.objective} {report.best:.4f}"
            )

    def noted(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def trial_interrupted(self, number: int, reason: str) -> None:
        """Say that a trial starts again."""
        self._say(f"trial {number}: {reason}")

    def trial_ended(self, row: TrialRow) -> None:
        """Say how a trial ended, and the best so far."""
        self.board.end(row)
        value = "" if row.value is None else f" {self.board.progress.objective} {row.value:.4f}"
        self._say(f"trial {row.number} {row.state}:{value} after {row.n_epochs} epochs; {row.reason}")
        self._say(f"  {self.board.headline()}")

    def study_ended(self) -> None:
        """Say nothing: the verb speaks."""


class TableObserver:
    """A table that is drawn again in place: running trials, then the best ones."""

    def __init__(self, console: Console, first_line: str = "") -> None:
        from rich.live import Live

        self._console, self._first_line = console, first_line
        self._board: Board | None = None
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=False)

    def study_started(self, progress: StudyProgress) -> None:
        """Begin to draw."""
        if self._first_line:
            self.noted(self._first_line)
        self._board = start_board(progress)
        self._live.start()

    def trial_started(self, row: TrialRow, max_epochs: int) -> None:
        """Take in a trial."""
        if self._board is not None:
            self._board.rows[row.number] = row
            self._board.max_epochs[row.number] = max_epochs

    def epoch_ended(self, number: int, report: EpochReport) -> None:
        """Take in an epoch."""
        if self._board is not None:
            self._board.epochs[number] = report

    def noted(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(text, markup=False)

    def trial_interrupted(self, number: int, reason: str) -> None:
        """Print a line above the table."""
        self._console.print(f"trial {number}: {reason}", style="yellow", markup=False)

    def trial_ended(self, row: TrialRow) -> None:
        """Take in an end; a failure also gets a line above the table."""
        if self._board is not None:
            self._board.end(row)
        if row.state in (TrialState.FAILED, TrialState.DIVERGED):
            text = f"trial {row.number} {row.state}: {row.reason}"
            self._console.print(text, style="red", markup=False)  # a reason may hold brackets

    def study_ended(self) -> None:
        """Draw for the last time."""
        self._live.stop()

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        if self._board is None:
            return Text("starting")
        if not self._board.rows:
            return Text(f"{self._board.headline()}  starting Ray and its workers", style="bold")
        table, _ = self._table(self._board).render(self._console.width)
        return Group(Text(self._board.headline(), style="bold"), table)

    def _table(self, board: Board) -> Table:
        first, *others = board.progress.goal.objectives
        spare = (*reversed(others), "time", "epoch")
        table = Table(
            "trial", "state", "epoch", first, *others, "time", spare=spare, left=["state"], params=True
        )
        room = max(self._console.height - 6, 4)
        running = board.running()
        for row in running + board.best(max(room - len(running), 1)):
            table.add(*self._cells(board, row), params=row.params, usual=board.progress.usual)
        return table

    @staticmethod
    def _cells(board: Board, row: TrialRow) -> list[str | Text]:
        from rich.text import Text

        state = Text(str(row.state), style=COLOURS[str(row.state)])
        if row.state.is_finished:
            figures = {**row.metrics, board.progress.objective: row.value}
            epoch, pace = str(row.start_epoch + row.n_epochs), short_time(row.seconds)
        else:
            last = board.epochs.get(row.number)
            figures = {**last.metrics, board.progress.objective: last.best} if last else {}
            epoch = f"{last.epoch if last else row.start_epoch}/{board.max_epochs.get(row.number, '?')}"
            pace = f"{last.seconds:.1f}s/epoch" if last else ""
        found = (figures.get(label) for label in board.progress.goal.objectives)
        values = ["" if value is None else f"{value:.4f}" for value in found]
        return [str(row.number), state, epoch, *values, pace, short_params(row.params)]
