"""The benchmark for ratings: each model's study, chosen on validation, judged once on test.

Shapes: S seeds, M questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.benchmark.names import slug_of
from reeltune.benchmark.rating_spec import RatingEntry, RatingPart
from reeltune.benchmark.selection import Chosen, choose, tune_all
from reeltune.benchmark.spec import Benchmark, Entry, EntrySpec
from reeltune.config import Document
from reeltune.data.config import DataConfig
from reeltune.data.prepared import TuningData
from reeltune.data.ratings import Ratings, known_ratings
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import DataError
from reeltune.evaluation.analyses.decisions import decision_intervals
from reeltune.evaluation.final import open_test
from reeltune.evaluation.statistics import compare_family
from reeltune.evaluation.studies import Notify
from reeltune.files import read_json
from reeltune.metrics.rating import decide
from reeltune.training.epochs import BEST_CHECKPOINT
from reeltune.tuning.study.experiment_file import Experiment, ExperimentSpec
from reeltune.tuning.trial.job import TrialJob
from reeltune.tuning.trial.jobs import run_jobs

N_FLIPS = 9_999
"""Sign flips of a comparison: errors take as many values as there are users, so each flip costs more."""


def open_rating_data(benchmark: Benchmark, *, data_dir: Path | None, notify: Notify) -> TuningData:
    """Return the data of the benchmark, split into rows to learn from and rows to predict.

    Raises:
        DataError: The data cannot be found, have no such split or no ratings.
    """
    data = open_tuning(prepare(_data(benchmark), data_dir=data_dir, notify=notify))
    if not known_ratings(data.train).n_ratings or not Ratings.of(data.validation).n_ratings:
        raise DataError(f"{data.ledger.dataset} has no ratings to learn from; leave the key ratings out")
    return data


def rating_benchmark(benchmark: Benchmark) -> Benchmark:
    """Return the benchmark of those who predict ratings, on its own data, as a benchmark like any other."""
    part = _part(benchmark)
    entries = tuple(_entry(benchmark, name, one) for name, one in part.models.items())
    spec = benchmark.spec.model_copy(update={"seeds": part.seeds})
    return replace(benchmark, spec=spec, entries=entries)


def choose_raters(
    benchmark: Benchmark, out: Path, data: TuningData, *, observe: Any, notify: Notify
) -> list[Chosen] | None:
    """Return every model with the best of its trials on validation, trained again from fresh seeds.

    What was done before is kept; None where a study was interrupted.

    Raises:
        StudyError: All trials of a model diverged.
        EngineError: A training process died.
    """
    own = rating_benchmark(benchmark)
    if not tune_all(own, out, data, observe=observe, notify=notify):
        return None
    raters = choose(own, out, data, notify)
    _fit_again(benchmark, raters, notify)
    return raters


def judge_raters(
    benchmark: Benchmark, raters: Sequence[Chosen], out: Path, data: TuningData, notify: Notify
) -> dict[str, Any]:
    """Return metrics and comparisons of ``raters`` on the test rows, which are opened once.

    The winner has the smallest mean error over its seeds on validation, of the claimed group if there is one.
    """
    scale = data.ledger.scale
    threshold = _part(benchmark).threshold or scale.like_threshold
    claimed = [one for one in raters if one.entry.group == benchmark.spec.claim] or raters
    best = min(claimed, key=lambda one: one.validation.mean)
    names = [one.entry.name for one in raters]
    entry = {"split": data.ledger.split, "winner": best.entry.name, "models": names}
    notify(f"opening the test rows of {data.ledger.split}")
    test = Ratings.of(open_test(data.directory, out.parent / "openings.json", entry))
    predicted = {one.entry.name: _predicted(one, test) for one in raters}
    notify("comparing the predictors of ratings")
    rows = []
    for one in raters:
        found = predicted[one.entry.name]
        figures = decision_intervals(
            found, test.stars, test.user, threshold=threshold, classes=scale.classes, seed=benchmark.seed
        )
        rows.append({
            "name": one.entry.name,
            "group": one.entry.group,
            "config": one.config,
            "params": one.params,
            "n_trials": one.n_trials,
            "n_seeds": len(found),
            "selected": one.validation.mean if one.selected_value is None else one.selected_value,
            "validation": one.validation.plain(),
            "seconds": one.seconds,
            "figures": {name: None if of is None else of.plain() for name, of in figures.items()},
            "decisions": decide(found[0], test.stars, threshold, scale.classes).plain(),
        })  # fmt: skip
    return {
        "ledger": data.ledger.plain(),
        "threshold": threshold,
        "n_ratings": test.n_ratings,
        "n_users": len(np.unique(test.user)),
        "winner": best.entry.name,
        "standings": sorted(rows, key=lambda row: row["figures"]["rmse"]["value"]),
        "findings": _findings(benchmark, best.entry.name, predicted, test, threshold),
    }


def _findings(
    benchmark: Benchmark,
    own: str,
    predicted: Mapping[str, NDArray[np.float32]],
    test: Ratings,
    threshold: float,
) -> dict[str, Any]:
    """Return how the winner differs from each other; above 0 the winner is better."""
    liked = test.stars >= threshold
    values = {
        "squared error saved": {n: -((p - test.stars) ** 2).mean(axis=0) for n, p in predicted.items()},
        "accuracy": {n: ((p >= threshold) == liked).mean(axis=0) for n, p in predicted.items()},
    }
    return {
        metric: {
            name: finding.plain()
            for name, finding in compare_family(
                of[own],
                {name: each for name, each in of.items() if name != own},
                metric=metric,
                users=test.user,
                seed=benchmark.seed,
                n_flips=N_FLIPS,
            ).items()
        }
        for metric, of in values.items()
    }


def _fit_again(benchmark: Benchmark, raters: Sequence[Chosen], notify: Notify) -> None:
    """Fit the baselines again to all rows that are not test: the validation rows cost them nothing."""
    jobs = []
    for one in raters:
        if one.entry.is_network:
            continue
        for folder in one.folders:
            job = TrialJob(**read_json(folder / "job.json"))
            again, name = str(_again(folder)), f"{one.entry.name}, fitted again"
            jobs.append(replace(job, directory=again, name=name, is_refit=True, end_epoch=1))
    run_jobs(jobs, benchmark.executor, notify)


def _predicted(one: Chosen, test: Ratings) -> NDArray[np.float32]:
    """Return the ratings that each seed of ``one`` predicts, [S, M]."""
    from reeltune.training.rating import load_rater

    folders = one.folders if one.entry.is_network else [_again(folder) for folder in one.folders]
    return np.stack([load_rater(folder / BEST_CHECKPOINT)(test) for folder in folders])


def _again(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-again")


def _part(benchmark: Benchmark) -> RatingPart:
    part = benchmark.spec.ratings
    assert part is not None
    return part


def _data(benchmark: Benchmark) -> DataConfig:
    plain = benchmark.data.plain() | {"split": _part(benchmark).split.plain(), "k_core": 1}
    return DataConfig.model_validate(plain)


def _entry(benchmark: Benchmark, name: str, one: RatingEntry) -> Entry:
    trial, space = one.trial, one.search_space()
    settings = {
        key: value
        for key, value in benchmark.spec.study.items()
        if key not in ("objective", "objectives", "constraints", "first", "repeats")
    }
    study = None
    if space is not None:
        study = {**settings, "objective": trial.objective, "trials": _part(benchmark).trials, "space": {}}
    plain = {
        "question": benchmark.spec.question,
        "data": _data(benchmark).plain(),
        "task": "rating",
        "study": study,
    }
    experiment = Experiment(Document(plain, {}, name), ExperimentSpec.model_validate(plain), trial, space)
    entry_spec = EntrySpec(group=one.group, space=None if space is None else {})
    return Entry(name, slug_of(name), entry_spec, experiment)
