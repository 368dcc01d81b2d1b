"""The best trials beside the baselines on the validation split.

Shapes: M queries.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import TuningData
from reeltune.errors import StudyError
from reeltune.evaluation.baselines import baseline_label, rank_baselines
from reeltune.evaluation.compare import (
    Comparison,
    Interval,
    compare_paired,
    mean_interval,
    p_text,
    targets_in_words,
)
from reeltune.evaluation.studies import (
    Notify,
    check_task,
    default_trial,
    open_study_data,
    protocol,
    selected_trial,
    silent,
)
from reeltune.files import atomic_path, read_json, write_json
from reeltune.metrics.registry import per_query
from reeltune.training.checkpoint import read_ranks
from reeltune.training.epochs import VALIDATION_RANKS
from reeltune.tuning.records.reader import read_record
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.study.folder import Study

FIGURES = ("hr@10", "ndcg@10", "mrr@10")
"""Metrics of every leaderboard and evaluation."""

VERDICT_METRIC = "ndcg@10"
"""Metric of the verdict."""

Ranks = NDArray[np.int32]


@dataclass(frozen=True)
class Entry:
    """A line of the leaderboard."""

    name: str
    kind: str  # "trial" or "baseline"
    metrics: dict[str, Interval]
    seconds: float  # of training, or of counting
    number: int | None = None  # of the trial
    state: str = ""
    n_epochs: int = 0
    n_parameters: int = 0
    params: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_plain(cls, value: dict[str, Any]) -> Entry:
        """Return the entry that :func:`dataclasses.asdict` made plain."""
        return cls(**(value | {"metrics": {k: Interval(**v) for k, v in value["metrics"].items()}}))


@dataclass(frozen=True)
class Leaderboard:
    """Validation figures of the best trials and the baselines, best first."""

    study: str
    objective: str
    n_queries: int
    selected: int  # number of the trial with the best objective
    entries: tuple[Entry, ...]
    comparisons: tuple[Comparison, ...]  # of the selected trial with each baseline
    protocol: dict[str, Any]
    n_users: int | None = None  # who are asked the ``n_queries``; None in those of before
    gain: Comparison | None = None  # of the selected trial with the default configuration, if tried

    @property
    def targets(self) -> str:
        """How many targets there are, and of how many users."""
        return targets_in_words(self.n_queries, self.n_users)

    @property
    def strongest(self) -> Comparison:
        """The comparison with the strongest baseline."""
        named = {entry.name: entry.metrics[VERDICT_METRIC].value for entry in self.entries}
        return max(self.comparisons, key=lambda comparison: named.get(comparison.opponent, 0.0))

    @property
    def verdict(self) -> str:
        """The verdict in one line, against the strongest baseline."""
        return self.strongest.verdict()

    @property
    def is_ahead(self) -> bool:
        """Whether the selected trial beats the strongest baseline, and no baseline lies before it."""
        return self.strongest.is_better and all(c.difference.value >= 0 for c in self.comparisons)

    def summary(self) -> list[str]:
        """Return what the search brought, a line each: default, tuned, strongest baseline, what is next."""
        own = next(entry for entry in self.entries if entry.number == self.selected)
        value, label = own.metrics[VERDICT_METRIC].value, VERDICT_METRIC.upper()
        if self.gain is None:
            lines = ["the default configuration was not tried"]
            gained = ""
        else:
            gap = self.gain.difference
            lines = [f"default configuration: {label} {value - gap.value:.4f} on validation"]
            gained = (
                f", a gain of {gap.value:+.4f} (95 % interval {gap.low:+.4f} to {gap.high:+.4f}, "
                f"{p_text(self.gain.p_value)})"
            )
        return [
            *lines,
            f"tuned, trial {self.selected}: {label} {value:.4f}{gained}",
            f"{self.verdict}, the strongest baseline on validation",
            f"next: reeltune evaluate {self.study}",
        ]

    def plain(self) -> dict[str, Any]:
        """Return the leaderboard as plain Python values."""
        return {
            "schema": 1,
            "study": self.study,
            "split": "validation",
            "objective": self.objective,
            "n_queries": self.n_queries,
            "n_users": self.n_users,
            "selected": self.selected,
            "verdict": self.verdict,
            "entries": [asdict(entry) for entry in self.entries],
            "comparisons": [comparison.plain() for comparison in self.comparisons],
            "gain": None if self.gain is None else self.gain.plain(),
            "protocol": self.protocol,
        }

    @classmethod
    def from_plain(cls, value: dict[str, Any]) -> Leaderboard:
        """Return the leaderboard that :meth:`plain` wrote."""
        return cls(
            study=value["study"],
            objective=value["objective"],
            n_queries=value["n_queries"],
            n_users=value.get("n_users"),
            selected=value["selected"],
            entries=tuple(Entry.from_plain(entry) for entry in value["entries"]),
            comparisons=tuple(Comparison.from_plain(item) for item in value["comparisons"]),
            protocol=value["protocol"],
            gain=Comparison.from_plain(value["gain"]) if value.get("gain") else None,
        )


def make_leaderboard(
    study_dir: Path, *, data_dir: Path | None = None, n_best: int = 10, notify: Notify = silent
) -> Leaderboard:
    """Return the leaderboard of the study and write it to ``leaderboard.json``.

    The figures chose the trials that they describe, so the best one's is flattered; the test
    set alone gives a fair one.

    Raises:
        StudyError: The folder holds no study, no trial has a figure, or the data differ.
    """
    study = Study.open(study_dir)
    check_task(study)
    best, seed = selected_trial(study), study.spec.study.seed
    _, data = open_study_data(study, data_dir=data_dir, notify=notify)
    baselines, seconds = validation_baselines(study, data, notify)
    users = data.validation.user
    entries = [
        Entry(
            name=f"trial {row.number}",
            kind="trial",
            metrics=figures(trial_ranks(study, row.number, data), users, seed),
            seconds=row.seconds,
            number=row.number,
            state=str(row.state),
            n_epochs=row.n_epochs,
            n_parameters=row.n_parameters,
            params=row.params,
        )
        for row in study.best(n_best)
    ]
    entries += [
        Entry(baseline_label(name), "baseline", figures(ranks, users, seed), seconds[name])
        for name, ranks in baselines.items()
    ]
    leaderboard = Leaderboard(
        study=study.name,
        objective=study.objective,
        n_queries=data.validation.n_queries,
        n_users=data.validation.n_users,
        selected=best.number,
        entries=tuple(sorted(entries, key=lambda entry: -entry.metrics[VERDICT_METRIC].value)),
        comparisons=compare_with_baselines(trial_ranks(study, best.number, data), baselines, users, seed),
        protocol=protocol(study),
        gain=_gain(study, best, data),
    )
    write_json(study_dir / "leaderboard.json", leaderboard.plain())
    return leaderboard


def _gain(study: Study, best: TrialRow, data: TuningData) -> Comparison | None:
    """Return what the selected trial gains on the default configuration, None where that has no ranks."""
    first = default_trial(study)
    if first is None or not (study.trial_directory(first.number) / VALIDATION_RANKS).exists():
        return None
    own, theirs = (trial_ranks(study, row.number, data) for row in (best, first))
    return gain_over_default([own], [theirs], data.validation.user, study.spec.study.seed)


def gain_over_default(
    tuned: Sequence[Ranks], default: Sequence[Ranks], users: Ranks, seed: int
) -> Comparison:
    """Return how the tuned configuration differs from the default one.

    Args:
        tuned: Ranks [M] by each seed of it; the mean over the seeds counts.
        default: Likewise of the default configuration.
        users: Whose query each is, [M].
        seed: Origin of the draws.
    """
    own, theirs = (
        np.mean([per_query(ranks, VERDICT_METRIC) for ranks in of], axis=0) for of in (tuned, default)
    )
    return compare_paired(
        own,
        theirs,
        opponent_name="the default configuration",
        metric=VERDICT_METRIC,
        users=users,
        seed=seed,
    )


def read_leaderboard(study_dir: Path) -> Leaderboard | None:
    """Return the leaderboard that was written to the study, None where there is none.

    Raises:
        StudyError: The file is damaged.
    """
    return read_record(study_dir / "leaderboard.json", Leaderboard.from_plain, "remove it, it is made again")


def figures(ranks: Ranks, users: Ranks, seed: int) -> dict[str, Interval]:
    """Return HR@10, NDCG@10 and MRR@10 of ``ranks`` [M] with their intervals over ``users`` [M]."""
    return {label: mean_interval(per_query(ranks, label), users=users, seed=seed) for label in FIGURES}


def compare_with_baselines(
    ranks: Ranks, baselines: Mapping[str, Ranks], users: Ranks, seed: int
) -> tuple[Comparison, ...]:
    """Return the paired comparison of ``ranks`` [M] with each baseline's, in their order."""
    own = per_query(ranks, VERDICT_METRIC)
    return tuple(
        compare_paired(
            own,
            per_query(theirs, VERDICT_METRIC),
            opponent_name=baseline_label(name),
            metric=VERDICT_METRIC,
            users=users,
            seed=seed,
        )
        for name, theirs in baselines.items()
    )


def validation_baselines(
    study: Study, data: TuningData, notify: Notify
) -> tuple[dict[str, Ranks], dict[str, float]]:
    """Return the baselines' validation ranks and seconds, from the study's cache where nothing changed."""
    key = {"data": data.ledger.plain(), "baselines": study.spec.baselines, "code": _baseline_code()}
    index = study.directory / "baselines.json"
    folder = study.directory / "baselines"
    # A cache that is absent or damaged is counted again.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        cached = read_json(index)
        if {name: cached[name] for name in key} == key:
            return {name: np.load(folder / f"{name}.npy") for name in cached["seconds"]}, cached["seconds"]
    ranks, seconds = rank_baselines(study, data, data.validation, notify)
    for name, found in ranks.items():
        with atomic_path(folder / f"{name}.npy") as part, part.open("wb") as file:
            np.save(file, found)
    users, seed = data.validation.user, study.spec.study.seed
    measured = {name: figures(of, users, seed) for name, of in ranks.items()}
    metrics = {
        name: {label: figure.plain() for label, figure in own.items()} for name, own in measured.items()
    }
    write_json(index, {**key, "seconds": seconds, "validation": metrics})
    return ranks, seconds


def _baseline_code() -> str:
    """Return the SHA-256 of the code that makes the baselines' ranks."""
    digest = hashlib.sha256()
    for package in ("reeltune.models.baselines", "reeltune.metrics"):
        for file in sorted(resources.files(package).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def trial_ranks(study: Study, number: int, data: TuningData) -> Ranks:
    """Return the ranks of the validation targets by trial ``number`` at its best epoch, [M].

    Raises:
        StudyError: The file is absent, damaged or of other data.
    """
    path = study.trial_directory(number) / VALIDATION_RANKS
    ranks = read_ranks(path)
    if ranks.shape != (data.validation.n_queries,):
        raise StudyError(
            f"{path} holds {ranks.shape} ranks, the split has {data.validation.n_queries} queries"
        )
    return ranks
