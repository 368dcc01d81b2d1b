"""The contest for stars: each contestant tried equally often, chosen on validation, judged once on test.

Shapes: S seeds, M questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.benchmark.names import slug_of
from reeltune.benchmark.rating_job import PREDICTED, QUESTIONS, predict_with_network
from reeltune.benchmark.rating_runs import RatingJob, run_rating_jobs
from reeltune.benchmark.rating_spec import RatingContestant, RatingPart
from reeltune.benchmark.spec import Contest
from reeltune.data.config import DataConfig
from reeltune.data.prepared import TuningData
from reeltune.data.ratings import Ratings, known_ratings
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import DataError, StudyError
from reeltune.evaluation.analyses.decisions import decision_intervals
from reeltune.evaluation.final import open_test
from reeltune.evaluation.seeds import SeedSpread, seed_spread
from reeltune.evaluation.statistics import compare_family
from reeltune.evaluation.studies import Notify
from reeltune.files import read_json
from reeltune.metrics.decisions import decide
from reeltune.seeding import derive

__all__ = ["Rater", "choose_raters", "judge_raters", "open_rating_data"]

N_FLIPS = 9_999
"""Sign flips of a comparison: errors take as many values as there are people, so each flip costs more."""


@dataclass(frozen=True)
class Rater:
    """A contestant whose configuration is chosen."""

    name: str
    contestant: RatingContestant
    config: dict[str, Any]
    params: dict[str, Any]
    n_trials: int
    selected: float  # validation RMSE of the selected trial
    validation: SeedSpread  # RMSE of fresh seeds; of the trial where there are none
    folders: tuple[Path, ...]  # one a seed
    seconds: float  # of all trials


def open_rating_data(contest: Contest, *, data_dir: Path | None, notify: Notify) -> TuningData:
    """Return the data of the contest, split into rows to learn from and rows to predict.

    Raises:
        DataError: The data cannot be found, have no such split or no ratings.
    """
    plain = contest.data.plain() | {"split": _part(contest).split.plain(), "k_core": 1}
    data = open_tuning(prepare(DataConfig.model_validate(plain), data_dir=data_dir, notify=notify))
    if not known_ratings(data.train).n_ratings or not Ratings.of(data.validation).n_ratings:
        raise DataError(f"{data.ledger.dataset} has no ratings to learn from; leave the key ratings out")
    return data


def choose_raters(contest: Contest, out: Path, data: TuningData, notify: Notify) -> list[Rater]:
    """Return every contestant with the best of its trials on validation, trained again from fresh seeds.

    What was done before is kept.

    Raises:
        StudyError: All trials of a contestant diverged.
        EngineError: A training process died.
    """
    part = _part(contest)
    trials, chosen, seeds = {}, {}, {}
    for name, one in part.contestants.items():
        n_trials, origin = part.trials if one.space else 1, derive(contest.seed, "ratings", name)
        points = [one.point(k, origin) for k in range(n_trials)]
        trials[name] = [
            _job(contest, name, point, data, out / f"trial-{k:03d}") for k, point in enumerate(points)
        ]
    run_rating_jobs([job for jobs in trials.values() for job in jobs], contest.settings.concurrency, notify)
    for name, one in part.contestants.items():
        chosen[name] = _best(name, trials[name])
        n_seeds = part.seeds if one.is_random else 1
        seeds[name] = [
            _job(contest, name, chosen[name][1], data, out / f"seed-{k}") for k in range(1, n_seeds + 1)
        ]
    run_rating_jobs([job for jobs in seeds.values() for job in jobs], contest.settings.concurrency, notify)
    return [_rater(contest, name, trials[name], seeds[name], chosen[name]) for name in part.contestants]


def judge_raters(
    contest: Contest, raters: Sequence[Rater], out: Path, data: TuningData, notify: Notify
) -> dict[str, Any]:
    """Return figures and comparisons of ``raters`` on the test rows, which are opened once.

    The champion is the optimized RNN with the smallest mean error over its seeds on validation.
    """
    part = _part(contest)
    best = min(
        (one for one in raters if one.contestant.role == "optimized RNN"), key=lambda one: one.validation.mean
    )
    entry = {"split": data.ledger.split, "champion": best.name, "contestants": [one.name for one in raters]}
    notify(f"opening the test rows of {data.ledger.split}")
    test = Ratings.of(open_test(data.directory, out.parent / "openings.json", entry))
    predicted = _predictions(contest, raters, test, data, notify)
    notify("comparing the predictors of stars")
    rows = []
    for one in raters:
        stars = predicted[one.name]
        figures = decision_intervals(
            stars, test.stars, test.user, threshold=part.threshold, seed=contest.seed
        )
        rows.append({
            "name": one.name,
            "role": one.contestant.role,
            "config": one.config,
            "params": one.params,
            "n_trials": one.n_trials,
            "n_seeds": len(stars),
            "selected": one.selected,
            "validation": one.validation.plain(),
            "seconds": one.seconds,
            "figures": {name: None if of is None else of.plain() for name, of in figures.items()},
            "decisions": decide(stars[0], test.stars, part.threshold).plain(),
        })  # fmt: skip
    return {
        "ledger": data.ledger.plain(),
        "threshold": part.threshold,
        "n_ratings": test.n_ratings,
        "n_people": len(np.unique(test.user)),
        "champion": best.name,
        "standings": sorted(rows, key=lambda row: row["figures"]["rmse"]["value"]),
        "findings": _findings(contest, best.name, predicted, test),
    }


def _findings(
    contest: Contest, own: str, predicted: Mapping[str, NDArray[np.float32]], test: Ratings
) -> dict[str, Any]:
    """Return how the champion differs from each other; above 0 the champion is better."""
    threshold = _part(contest).threshold
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
                seed=contest.seed,
                n_flips=N_FLIPS,
            ).items()
        }
        for metric, of in values.items()
    }


def _predictions(
    contest: Contest, raters: Sequence[Rater], test: Ratings, data: TuningData, notify: Notify
) -> dict[str, NDArray[np.float32]]:
    """Return the stars that each contestant predicts, [S, M] each.

    A network is what was trained. The others are fitted again to all rows that are not test: the validation
    rows cost them nothing.
    """
    jobs = []
    for one in raters:
        if one.contestant.network is not None:
            continue
        for folder in one.folders:
            again = folder.with_name(f"{folder.name}-again")
            if not (again / PREDICTED).exists():
                again.mkdir(parents=True, exist_ok=True)
                np.savez(again / QUESTIONS, user=test.user, item=test.item)
            job = read_json(folder / "job.json") | {"task": "predict"}
            jobs.append(RatingJob(again, f"{one.name}, fitted again", job))
    run_rating_jobs(jobs, contest.settings.concurrency, notify)
    found = {}
    for one in raters:
        if one.contestant.network is not None:
            rows = [predict_with_network(folder, test, data) for folder in one.folders]
        else:
            rows = [np.load(folder.with_name(f"{folder.name}-again") / PREDICTED) for folder in one.folders]
        found[one.name] = np.stack(rows)
    return found


def _part(contest: Contest) -> RatingPart:
    part = contest.spec.ratings
    assert part is not None
    return part


def _job(contest: Contest, name: str, point: dict[str, Any], data: TuningData, place: Path) -> RatingJob:
    """Return the job of a point; ``place`` names trial or seed within the contestant's folder."""
    one = _part(contest).contestants[name]
    value = {
        "task": "try" if place.name.startswith("trial") else "train",
        "kind": "network" if one.network is not None else "predictor",
        "config": one.configured(point).plain(),
        "params": point,
        "seed": derive(contest.seed, "ratings", name, place.name),
        "data_directory": str(data.directory),
    }
    return RatingJob(place.parent / slug_of(name) / place.name, f"{name}, {place.name}", value)


def _best(name: str, jobs: Sequence[RatingJob]) -> tuple[float, dict[str, Any]]:
    results = [(job.result() or {}, job) for job in jobs]
    ended = [
        (float(result["rmse"]), job.value["params"])
        for result, job in results
        if result.get("rmse") is not None
    ]
    if not ended:
        raise StudyError(
            f"{name}: no trial was trained to an end ({results[0][0].get('reason')}); narrow its space"
        )
    return min(ended, key=lambda pair: pair[0])


def _rater(
    contest: Contest,
    name: str,
    trials: Sequence[RatingJob],
    seeds: Sequence[RatingJob],
    chosen: tuple[float, dict[str, Any]],
) -> Rater:
    selected, params = chosen
    one = _part(contest).contestants[name]
    ended = [job for job in seeds if (job.result() or {}).get("rmse") is not None]
    if not ended:
        raise StudyError(f"{name}: it diverged from each seed; narrow its space")
    return Rater(
        name=name,
        contestant=one,
        config=one.configured(params).plain(),
        params=params,
        n_trials=len(trials),
        selected=selected,
        validation=seed_spread([float((job.result() or {})["rmse"]) for job in ended]),
        folders=tuple(job.folder for job in ended),
        seconds=sum((job.result() or {}).get("seconds", 0.0) for job in trials),
    )
