"""Which checkpoints a study keeps: best and last of running trials, the weights of the best ended ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reeltune.errors import EngineError
from reeltune.training.epochs import BEST_CHECKPOINT, LAST_CHECKPOINT
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.search.results import best_rows
from reeltune.tuning.study.folder import Study

MEGABYTE = 10**6

COPIES = 9
"""A running trial holds its weights at most so often: the best once, the last with two moments of the
optimizer and an average, and the last again while its successor is written beside it."""

OVERHEAD_BYTES = 200_000
"""Of the three files together, besides the weights."""


class CheckpointBudget:
    """Removes what nothing needs, and before a running trial writes makes room for all that it may write."""

    def __init__(self, study: Study) -> None:
        settings = study.spec.study
        self._study = study
        self._n_kept = max(settings.keep_checkpoints, settings.repeats.top if settings.repeats.seeds else 0)
        self._cap = (
            None if settings.checkpoint_megabytes is None else settings.checkpoint_megabytes * MEGABYTE
        )
        self._untidy = {row.number for row in study.rows()}  # may have checkpoints

    def begin(self, number: int, rows: Mapping[int, TrialRow]) -> None:
        """Make room for trial ``number``, which is about to run.

        Raises:
            EngineError: The running trials may need more than the cap.
        """
        self._untidy.add(number)
        self.make_room(rows)

    def tidy(self, rows: Mapping[int, TrialRow]) -> None:
        """Remove the checkpoints of ended trials but for the best weights and what others begin from."""
        kept = {row.number for row in self._best(rows)}
        origins = self._origins(rows)
        for number in sorted(self._untidy):
            if not rows[number].state.is_finished:
                continue
            folder = self._study.trial_directory(number)
            if number not in origins:
                (folder / LAST_CHECKPOINT).unlink(missing_ok=True)
            if number not in kept:
                (folder / BEST_CHECKPOINT).unlink(missing_ok=True)
            if number not in kept and number not in origins:
                self._untidy.discard(number)
            for part in folder.glob(".*.part"):  # of a write that a kill cut off
                part.unlink(missing_ok=True)

    def make_room(self, rows: Mapping[int, TrialRow]) -> None:
        """Remove weights of ended trials, the worst first but never the best, until the cap cannot be passed.

        Raises:
            EngineError: The running trials and the best one may need more than the cap.
        """
        if self._cap is None:
            return
        running = [rows[number] for number in self._untidy if not rows[number].state.is_finished]
        needed = sum(self._most_bytes(row) for row in running)
        origins = self._origins(rows)
        needed += sum(_size(self._study.trial_directory(number) / LAST_CHECKPOINT) for number in origins)
        kept = self._best(rows)
        sizes = {row.number: _size(self._path(row)) for row in kept}
        while len(kept) > 1 and needed + sum(sizes.values()) > self._cap:
            worst = kept.pop()
            self._path(worst).unlink(missing_ok=True)
            del sizes[worst.number]
        if needed + sum(sizes.values()) > self._cap:
            others = f", of the {len(origins)} that others begin from" if origins else ""
            raise EngineError(
                f"the checkpoints of {len(running)} running trials{others} and of the best one may take "
                f"{(needed + sum(sizes.values())) / MEGABYTE:.1f} MB, study.checkpoint_megabytes is "
                f"{self._cap / MEGABYTE:g}; raise it, lower study.concurrency or search smaller networks"
            )

    def _origins(self, rows: Mapping[int, TrialRow]) -> set[int]:
        population = self._study.spec.population
        return set() if population is None else population.needed_origins(rows)

    def _best(self, rows: Mapping[int, TrialRow]) -> list[TrialRow]:
        return best_rows(list(rows.values()), self._study.goal, self._n_kept)

    def _path(self, row: TrialRow) -> Path:
        return self._study.trial_directory(row.number) / BEST_CHECKPOINT

    def _most_bytes(self, row: TrialRow) -> int:
        """Return the most that the files of a running trial may take."""
        folder = self._study.trial_directory(row.number)
        written = 2 * _size(folder / LAST_CHECKPOINT) + _size(folder / BEST_CHECKPOINT)
        return max(4 * COPIES * row.n_parameters, written) + OVERHEAD_BYTES


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
