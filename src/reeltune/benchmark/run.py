"""From a contest file to its results: every stage can be killed, and the same command goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reeltune.benchmark.analyses import impact_of, judge_groups, judge_lists, judge_privacy
from reeltune.benchmark.brackets import Qualified, check_packages, qualify, tune_all
from reeltune.benchmark.elsewhere import (
    changed_targets,
    judge_elsewhere,
    open_also,
    sweep_ties,
    train_elsewhere,
)
from reeltune.benchmark.page import write_pages
from reeltune.benchmark.rating_contest import choose_raters, judge_raters, open_rating_data
from reeltune.benchmark.spec import Contest
from reeltune.benchmark.standings import answer, champion, judge, rivals, score_all, standings
from reeltune.benchmark.variants import variants
from reeltune.data.prepared import TuningData
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import ConfigError, StudyError, first_line
from reeltune.evaluation.studies import Notify, silent
from reeltune.files import append_line, read_json, read_lines, write_json
from reeltune.tuning.study.folder import PACKAGES
from reeltune.tuning.study.observer import Observer
from reeltune.version import __version__

__all__ = ["SCHEMA", "run_contest"]

SCHEMA = 2
"""Version of ``result.json``."""

_WORTH_TELLING_SECONDS = 5.0


def run_contest(
    contest: Contest,
    out: Path,
    *,
    data_dir: Path | None = None,
    observe: Callable[[], Observer | None] = lambda: None,
    notify: Notify = silent,
) -> dict[str, Any] | None:
    """Run the contest in the folder ``out`` and return its result, None when it was interrupted.

    Tunes each contestant, chooses on validation, trains the chosen again from fresh seeds, opens the test
    set once, and writes ``result.json``, ``README.md``, ``MODEL_CARD.md``,
    ``report.html`` and ``figures/``. What was
    done before is kept.

    Args:
        contest: The contest.
        out: Folder of the results.
        data_dir: Where to look for the data first.
        observe: Makes what hears of a study's trials.
        notify: Receives lines of progress.

    Raises:
        ConfigError: A contestant's package is not installed.
        DataError: The data cannot be found.
        StudyError: Another contest or other data are in ``out``, or a file is damaged.
        EngineError: Ray, the disk or a training process failed.
    """
    check_packages(contest)
    told, parts = _Clock(out, notify), _open_all(contest, data_dir, notify)
    data = parts.main
    _claim(contest, out, data)
    with told.stage("tuning"):
        if not tune_all(contest, out, data, observe=observe, notify=notify):
            return None
    with told.stage("training from fresh seeds"):
        qualified = qualify(contest, out, data, notify)
    best = champion(qualified)
    notify(f"champion on validation: {best.entrant.name}")
    found = _asked(contest, qualified, out, parts, told)
    with told.stage("training on the other splits"):
        there = train_elsewhere(contest, qualified, out, parts.also, notify)
    raters = None
    if parts.ratings is not None:
        with told.stage("predictors of stars"):
            raters = choose_raters(contest, out / "ratings", parts.ratings, observe=observe, notify=notify)
        if raters is None:
            return None
    with told.stage("test"):
        found |= _tested(contest, qualified, out, parts, notify)
        found["also"] = _kept(
            out / "analyses" / "also.json",
            lambda: judge_elsewhere(contest, best, there, parts.also, out=out, notify=notify),
        )
        if raters is not None and parts.ratings is not None:
            rows, whose = raters, parts.ratings
            found["ratings"] = _kept(
                out / "analyses" / "ratings.json",
                lambda: judge_raters(contest, rows, out / "ratings", whose, notify),
            )
    result = _base(contest, data, qualified) | found
    result["openings"] = read_json(out / "openings.json")["openings"]
    result["seconds"] = told.seconds()
    write_json(out / "result.json", result)
    write_pages(result, out)
    return result


@dataclass(frozen=True)
class _Parts:
    """All data that the contest asks for, prepared before anything is trained."""

    main: TuningData
    also: dict[str, TuningData]
    ratings: TuningData | None
    data_dir: Path | None


def _open_all(contest: Contest, data_dir: Path | None, notify: Notify) -> _Parts:
    return _Parts(
        main=open_tuning(prepare(contest.data, data_dir=data_dir, notify=notify)),
        also=open_also(contest, data_dir=data_dir, notify=notify),
        ratings=None
        if contest.spec.ratings is None
        else open_rating_data(contest, data_dir=data_dir, notify=notify),
        data_dir=data_dir,
    )


class _Clock:
    """Adds up what each stage took over all runs of the command; lines of ``seconds.jsonl``."""

    def __init__(self, out: Path, notify: Notify) -> None:
        self._path = out / "seconds.jsonl"
        self.notify = notify

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            if seconds >= _WORTH_TELLING_SECONDS:
                append_line(self._path, {"stage": name, "seconds": round(seconds, 1)})
                self.notify(f"{name}: {seconds / 60:.1f} minutes")

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each stage."""
        found: dict[str, float] = {}
        for line in read_lines(self._path):
            found[line["stage"]] = found.get(line["stage"], 0.0) + line["seconds"]
        return found


def _asked(
    contest: Contest, qualified: list[Qualified], out: Path, parts: _Parts, told: _Clock
) -> dict[str, Any]:
    """Return what is asked of the winner on validation, from files where it was made before."""
    best, data, notify = champion(qualified), parts.main, told.notify
    main = [best, *rivals(qualified).values()]
    asked: dict[str, Callable[[], Any]] = {
        "impact": lambda: impact_of(qualified, out),
        "variants": lambda: variants(contest, best, out, data, data_dir=parts.data_dir, notify=notify),
    }
    if contest.spec.analyses.tie_rules:
        asked["ties"] = lambda: sweep_ties(contest, main, out, data, data_dir=parts.data_dir, notify=notify)
    if contest.spec.analyses.is_private:
        asked["privacy"] = lambda: judge_privacy(contest, best, out, data, notify)
    if contest.spec.analyses.n_explained:
        asked["explanations"] = lambda: _explanations(contest, best, data, notify)
    found = {}
    for name, make in asked.items():
        with told.stage(name):
            found[name] = _kept(out / "analyses" / f"{name}.json", make)
    return found


def _claim(contest: Contest, out: Path, data: TuningData) -> None:
    """Write ``contest.json``, or check that it is this contest's."""
    path = out / "contest.json"
    mine = {
        "schema": SCHEMA,
        "name": contest.name,
        "spec": contest.spec.plain(),
        "ledger": data.ledger.plain(),
    }
    if not path.exists():
        write_json(path, mine)
        return
    try:
        theirs = read_json(path)
        differing = [key for key in mine if theirs[key] != mine[key]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{path} is damaged ({first_line(error)}); choose another --out") from error
    if differing:
        raise StudyError(
            f"{out} holds a contest with another {' and '.join(differing)}; its test set may be open "
            "already, so choose another --out"
        )


def _tested(
    contest: Contest, qualified: list[Qualified], out: Path, parts: _Parts, notify: Notify
) -> dict[str, Any]:
    data = parts.main
    path, best = out / "analyses" / "test.json", champion(qualified)

    def make() -> dict[str, Any]:
        test, scored = score_all(contest, qualified, best, out, data=data, notify=notify)
        notify("comparing the contestants")
        findings = judge(contest, best, scored, test.user)
        verdict = answer(qualified, best, findings)
        opponents = [row["opponent"] for row in verdict["roles"].values()]
        return {
            "n_queries": test.n_queries,
            "n_people": len(np.unique(test.user)),
            "answer": verdict,
            "standings": [row.plain() for row in standings(contest, qualified, scored, test.user)],
            "findings": {name: finding.plain() for name, finding in findings.items()},
            "lists": judge_lists(contest, scored, test, data),
            "groups": judge_groups(contest, [best.entrant.name, *opponents], scored, test, data),
            "changed_targets": changed_targets(contest, test, out, data_dir=parts.data_dir, notify=notify),
        }

    tested: dict[str, Any] = _kept(path, make)
    return tested


def _explanations(
    contest: Contest, best: Qualified, data: TuningData, notify: Notify
) -> dict[str, Any] | None:
    import torch

    from reeltune.data.sequences import to_histories
    from reeltune.serving.recommend.reasons import check_faithfulness
    from reeltune.training.checkpoint import load_network

    network = load_network(best.checkpoints[0])
    queries = data.validation.one_a_user("last")
    rng = np.random.default_rng(contest.seed)
    n = min(contest.spec.analyses.n_explained, queries.n_queries)
    rows = np.sort(rng.choice(queries.n_queries, n, replace=False))
    starts, ratings = queries.sequences.offsets[queries.user], queries.sequences.ratings
    people = [(queries.history(int(m)).tolist(), ratings[starts[m] : queries.end[m]].tolist()) for m in rows]

    def score(codes: Any, stars: Any) -> Any:
        histories = to_histories([list(row) for row in codes], ratings=[list(row) for row in stars])
        with torch.inference_mode():
            return network.scores(histories).double().numpy().copy()

    notify(f"testing the explanations of {n} people")
    try:
        return check_faithfulness(score, people, seed=contest.seed).plain()
    except ConfigError as error:
        notify(f"without a test of explanations: {error}")
        return None


def _base(contest: Contest, data: TuningData, qualified: list[Qualified]) -> dict[str, Any]:
    import importlib.metadata
    import platform

    versions = {"reeltune": __version__, "python": platform.python_version()}
    return {
        "schema": SCHEMA,
        "name": contest.name,
        "question": contest.spec.question,
        "objective": contest.objective,
        "seed": contest.seed,
        "ledger": data.ledger.plain(),
        "versions": versions | {name: importlib.metadata.version(name) for name in PACKAGES},
        "contestants": [
            {
                "name": one.entrant.name,
                "role": one.entrant.contestant.role,
                "config": one.config,
                "trial": one.trial,
                "n_trials": one.n_trials,
                "validation": one.validation.plain(),
                "curse": None if one.curse is None else one.curse.plain(),
                "study_seconds": one.seconds,
            }
            for one in qualified
        ],
    }


def _kept(path: Path, make: Callable[[], Any]) -> Any:
    """Return what ``make`` makes, from ``path`` where it was made before."""
    if not path.exists():
        write_json(path, make())
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise StudyError(f"{path} is damaged ({first_line(error)}); remove it, it is made again") from error
