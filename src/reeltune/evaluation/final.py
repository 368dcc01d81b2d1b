"""The test set: opened here and nowhere else, once, for the selected configuration.

Everything is decided on validation before the opening: which trial, and which of its
checkpoints. The opening is written into the study before the first rank is known, so
that a crash cannot hide it.

Shapes: M queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Queries, TuningData
from reeltune.data.store import open_held_out
from reeltune.errors import StudyError
from reeltune.evaluation.baselines import baseline_label, rank_baselines
from reeltune.evaluation.candidates import choose_prior, default_candidates, is_refitted, select_candidates
from reeltune.evaluation.compare import Comparison, Interval, targets_in_words
from reeltune.evaluation.count_prior import PriorChoice
from reeltune.evaluation.leaderboard import (
    FIGURES,
    VERDICT_METRIC,
    compare_with_baselines,
    figures,
    gain_over_default,
    validation_baselines,
)
from reeltune.evaluation.retrain import Candidate
from reeltune.evaluation.studies import Notify, check_task, open_study_data, protocol, selected_trial, silent
from reeltune.files import read_json, write_json
from reeltune.metrics.registry import per_query
from reeltune.seeding import derive
from reeltune.tuning.records.reader import read_record
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.search.population import schedule
from reeltune.tuning.study.folder import Study

if TYPE_CHECKING:
    from reeltune.models.base import SequenceNetwork
    from reeltune.models.baselines.base import Baseline

Ranks = NDArray[np.int32]


@dataclass(frozen=True)
class SeedFigures:
    """Test figures of the selected configuration trained from one seed."""

    checkpoint: str  # within the study
    seed: int
    validation: float  # objective
    metrics: dict[str, float]  # on test


@dataclass(frozen=True)
class Evaluation:
    """Test figures of the selected configuration beside the baselines."""

    study: str
    trial: int
    params: dict[str, Any]
    objective: str
    validation: float  # objective of the checkpoint evaluated, or of the trial that it was refitted from
    checkpoint: str  # within the study; what ``export`` exports
    n_queries: int
    metrics: dict[str, Interval]
    baselines: dict[str, dict[str, Interval]]  # by the baseline's label
    comparisons: tuple[Comparison, ...]  # with each baseline, the strongest on validation first
    seeds: tuple[SeedFigures, ...]  # of the retrainings; empty when there are none
    protocol: dict[str, Any]
    openings: tuple[dict[str, Any], ...]  # every opening of the test set: time, trial, fingerprint
    n_users: int | None = None  # who are asked the ``n_queries``; None in those of before
    schedule: tuple[dict[str, Any], ...] = ()  # where parameters changed in training; ``params`` are the last
    trained_on: str = "the training events"  # the checkpoints; baselines count all that precedes the targets
    count_prior: dict[str, Any] | None = None  # how its weight was chosen; None where it was not
    gain: Comparison | None = None  # over the default configuration; None where no trial had it, or it won

    @property
    def targets(self) -> str:
        """How many targets there are, and of how many users."""
        return targets_in_words(self.n_queries, self.n_users)

    @property
    def verdict(self) -> str:
        """The verdict in one line, against the strongest baseline on validation."""
        return self.comparisons[0].verdict()

    @property
    def is_ahead(self) -> bool:
        """Whether the configuration beats the strongest baseline, and no baseline lies before it."""
        return self.comparisons[0].is_better and all(c.difference.value >= 0 for c in self.comparisons)

    def spread(self) -> dict[str, dict[str, float]]:
        """Return mean, standard deviation and number of seeds of each test metric; empty below two seeds."""
        if len(self.seeds) < 2:
            return {}
        values = {label: [seed.metrics[label] for seed in self.seeds] for label in FIGURES}
        return {label: {"mean": fmean(of), "sd": stdev(of), "n": len(of)} for label, of in values.items()}

    def plain(self) -> dict[str, Any]:
        """Return the evaluation as plain Python values."""
        return asdict(self) | {
            "comparisons": [comparison.plain() for comparison in self.comparisons],
            "gain": None if self.gain is None else self.gain.plain(),
            "verdict": self.verdict,
            "spread": self.spread(),
        }

    @classmethod
    def from_plain(cls, value: dict[str, Any]) -> Evaluation:
        """Return the evaluation that :meth:`plain` wrote."""
        fields = {key: item for key, item in value.items() if key not in ("verdict", "spread")}
        return cls(**fields | {
            "metrics": _intervals(value["metrics"]),
            "baselines": {name: _intervals(metrics) for name, metrics in value["baselines"].items()},
            "comparisons": tuple(Comparison.from_plain(item) for item in value["comparisons"]),
            "seeds": tuple(SeedFigures(**seed) for seed in value["seeds"]),
            "openings": tuple(value["openings"]),
            "schedule": tuple(value.get("schedule", ())),
            "gain": None if value.get("gain") is None else Comparison.from_plain(value["gain"]),
        })  # fmt: skip


def evaluate_study(
    study_dir: Path,
    *,
    data_dir: Path | None = None,
    is_unfinished_allowed: bool = False,
    is_reopening: bool = False,
    address: str | None = None,
    notify: Notify = silent,
) -> Evaluation:
    """Return the test figures of the study's selected configuration; the first call opens the test set.

    Later calls return the stored figures. Where the experiment asks for more than one final
    seed, the configuration is first trained again from each; the checkpoint with the best
    validation objective is the one whose figures and verdict are given.

    Args:
        study_dir: Folder of the study.
        data_dir: Where to look for the data first.
        is_unfinished_allowed: Select among the trials there are, though more were asked for.
        is_reopening: Open the test set again, for the trial selected now; the log says so.
        address: ``HOST:PORT`` of a Ray cluster that trains the final seeds, or ``auto``; None trains here.
        notify: Receives lines of progress.

    Raises:
        StudyError: No study, unfinished trials, other data, or a damaged file.
    """
    study = Study.open(study_dir)
    check_task(study)
    stored = read_evaluation(study_dir)
    if stored is not None and not is_reopening:
        return stored
    if not study.is_finished and not is_unfinished_allowed:
        n_finished = sum(row.state.is_finished for row in study.rows())
        raise StudyError(
            f"study {study.name!r} has {n_finished} of {study.spec.study.trials} trials finished, and the "
            f"test set is opened once; resume with: reeltune resume {study.name} (or pass --unfinished)"
        )
    with study.lock():
        stored = read_evaluation(study_dir)
        if stored is not None and not is_reopening:
            return stored  # another process was opening it while this one looked
        return _evaluate(study, data_dir=data_dir, address=address, notify=notify)


def _evaluate(study: Study, *, data_dir: Path | None, address: str | None, notify: Notify) -> Evaluation:
    from reeltune.training.checkpoint import load_model

    prepared, data = open_study_data(study, data_dir=data_dir, notify=notify)
    selected = selected_trial(study)
    prior = choose_prior(study, selected, data, notify)
    candidates = select_candidates(study, selected, data, notify, prior=prior, address=address)
    default = default_candidates(study, selected, data, notify, address=address)
    on_validation, _ = validation_baselines(study, data, notify)
    means = {name: per_query(of, VERDICT_METRIC).mean() for name, of in on_validation.items()}
    # A damaged checkpoint opens nothing.
    models = [load_model(candidate.checkpoint) for candidate in candidates + default]
    openings = _log_opening(study, selected, candidates[0])
    notify(f"opening the test set for trial {selected.number} (opening {len(openings)})")
    test = open_held_out(prepared).test
    ranks = _rank_all(models, data, test, [candidate.seed for candidate in candidates + default], notify)
    fitted, _ = rank_baselines(study, data, test, notify, is_refit=study.spec.final.refit)
    baselines = dict(sorted(fitted.items(), key=lambda item: -means.get(item[0], 0.0)))
    evaluation = _evaluation(
        study,
        selected,
        candidates=candidates,
        ranks=ranks[: len(candidates)],
        default=ranks[len(candidates) :],
        baselines=baselines,
        users=test.user,
        openings=openings,
        prior=prior,
    )
    write_json(study.directory / "evaluation.json", {"openings": openings, "figures": evaluation.plain()})
    return evaluation


def open_test(prepared: Path, log: Path, entry: Mapping[str, Any]) -> Queries:
    """Return the test queries of the folder ``prepared`` after the opening was written to the file ``log``.

    For a benchmark of several models, all of which were chosen before. ``log`` is JSON with a list
    ``openings``, to which ``entry`` is added with the time.

    Raises:
        DataError: The folder is absent or damaged.
    """
    openings = read_json(log)["openings"] if log.exists() else []
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(log, {"openings": [*openings, {"time": now, **entry}]})
    return open_held_out(prepared).test


def read_evaluation(study_dir: Path) -> Evaluation | None:
    """Return the stored test figures of a study, None where the test set was not ranked yet.

    Raises:
        StudyError: The file is damaged.
    """

    def parse(value: dict[str, Any]) -> Evaluation | None:
        return None if value["figures"] is None else Evaluation.from_plain(value["figures"])

    return read_record(study_dir / "evaluation.json", parse, "restore it, it is the log of test openings")


def _log_opening(study: Study, selected: TrialRow, best: Candidate) -> list[dict[str, Any]]:
    """Write the opening into the study, before anything is known of the test set; return the whole log."""
    path = study.directory / "evaluation.json"
    before = read_json(path) if path.exists() else {"openings": [], "figures": None}
    openings = [
        *before["openings"],
        {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "trial": selected.number,
            "checkpoint": best.path_within(study.directory),
            "fingerprint": study.ledger.fingerprint,
        },
    ]
    write_json(path, {"openings": openings, "figures": before["figures"]})
    return openings


def _rank_all(
    models: list[SequenceNetwork | Baseline],
    data: TuningData,
    test: Queries,
    seeds: list[int],
    notify: Notify,
) -> list[Ranks]:
    """Return the ranks by each model; a baseline is fitted again to all that precedes the targets."""
    from reeltune.metrics.evaluate import rank_queries
    from reeltune.models.baselines.fit import scorer_for

    ranks = []
    for number, (model, seed) in enumerate(zip(models, seeds, strict=True), start=1):
        notify(f"ranking the test set with checkpoint {number} of {len(models)}")
        ranks.append(rank_queries(*scorer_for(model, data, test, seed=derive(seed, "weights"))))
    return ranks


def _evaluation(
    study: Study,
    selected: TrialRow,
    *,
    candidates: list[Candidate],
    ranks: list[Ranks],
    default: list[Ranks],
    baselines: dict[str, Ranks],
    users: Ranks,
    openings: list[dict[str, Any]],
    prior: PriorChoice | None,
) -> Evaluation:
    released, seed = candidates[0], study.spec.study.seed
    seeds = [
        SeedFigures(
            checkpoint=candidate.path_within(study.directory),
            seed=candidate.seed,
            validation=candidate.validation,
            metrics={label: figure.value for label, figure in figures(of, users, seed).items()},
        )
        for candidate, of in zip(candidates, ranks, strict=True)
        if candidate.is_retrained
    ]
    return Evaluation(
        study=study.name,
        trial=selected.number,
        params=selected.params,
        objective=study.objective,
        validation=released.validation,
        checkpoint=released.path_within(study.directory),
        n_queries=len(ranks[0]),
        n_users=len(np.unique(users)),
        metrics=figures(ranks[0], users, seed),
        baselines={baseline_label(name): figures(of, users, seed) for name, of in baselines.items()},
        comparisons=compare_with_baselines(ranks[0], baselines, users, seed),
        seeds=tuple(sorted(seeds, key=lambda figure: figure.checkpoint)),
        protocol=protocol(study),
        openings=tuple(openings),
        trained_on="the training events"
        if not is_refitted(study, selected)
        else f"all that precedes the test targets, {selected.best_epoch} epochs",
        count_prior=None if prior is None else prior.plain(),
        gain=gain_over_default(ranks, default, users, seed) if default else None,
        schedule=tuple(schedule({row.number: row for row in study.rows()}, selected.number)),
    )


def _intervals(metrics: dict[str, dict[str, float]]) -> dict[str, Interval]:
    return {label: Interval(**value) for label, value in metrics.items()}
