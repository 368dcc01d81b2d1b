"""What the best configurations reach from other seeds, and which of them that makes the winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.tuning.records.reader import read_record
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.results import best_rows, simplest
from reeltune.tuning.study.folder import Study


@dataclass(frozen=True)
class Repeated:
    """A configuration trained again from fresh seeds."""

    trial: int
    own: float  # objective of the trial itself, which chose it
    seeds: tuple[dict[str, float], ...]  # metrics of each seed at its best epoch

    def mean(self, label: str) -> float:
        """Return the mean of a measure over the seeds."""
        return fmean(metrics[label] for metrics in self.seeds)

    def sd(self, label: str) -> float:
        """Return the standard deviation of a measure over the seeds, 0 for one seed."""
        return stdev(metrics[label] for metrics in self.seeds) if len(self.seeds) > 1 else 0.0


@dataclass(frozen=True)
class Repeats:
    """The repeated configurations, best first, after ``n_finished`` trials of the study had ended."""

    winner: int  # number of the trial
    n_finished: int
    configurations: tuple[Repeated, ...]

    def plain(self) -> dict[str, Any]:
        """Return the repeats as plain Python values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, value: dict[str, Any]) -> Repeats:
        """Return the repeats that :meth:`plain` wrote."""
        found = (Repeated(c["trial"], c["own"], tuple(c["seeds"])) for c in value["configurations"])
        return cls(value["winner"], value["n_finished"], tuple(found))


def name_winner(
    study: Study,
    rows: Sequence[TrialRow],
    figures: Mapping[int, Sequence[Mapping[str, float]]],
    by_user: Mapping[int, NDArray[np.float64]] | None = None,
) -> Repeats:
    """Return the configurations of ``rows`` by their means over fresh seeds.

    The trial's own figure is left out of its mean: it was chosen for being high.

    Args:
        study: The study.
        rows: The trials that were repeated, best first.
        figures: By trial number, the metrics of each seed that did not diverge.
        by_user: By trial number, the mean objective of each user over the seeds, [U]; where it is given, the
            smallest network within one standard error of the best wins.
    """
    repeated = {
        row.number: Repeated(row.number, float(row.value or 0.0), tuple(dict(m) for m in figures[row.number]))
        for row in rows
        if figures[row.number]
    }
    means = [
        replace(
            row,
            state=TrialState.COMPLETE,
            value=repeated[row.number].mean(study.objective),
            metrics={label: repeated[row.number].mean(label) for label in repeated[row.number].seeds[0]},
        )
        for row in rows
        if row.number in repeated
    ]
    ranked = best_rows(means, study.goal)
    others = [row for row in means if row not in ranked]  # their means break a limit
    n_finished = sum(row.state.is_finished for row in study.rows())
    winner = ranked[0].number if ranked else rows[0].number
    if ranked and by_user is not None:
        winner = simplest({row.number: row.n_parameters for row in ranked}, by_user)
    return Repeats(winner, n_finished, tuple(repeated[row.number] for row in [*ranked, *others]))


def read_repeats(study: Study) -> Repeats | None:
    """Return the repeats of a study, None where there are none or trials have ended since.

    Raises:
        StudyError: The file is damaged.
    """
    path = study.directory / "repeats.json"
    found = read_record(path, Repeats.from_plain, "remove it and run the study again")
    if found is None:
        return None
    n_finished = sum(row.state.is_finished for row in study.rows())
    return found if found.n_finished == n_finished else None
