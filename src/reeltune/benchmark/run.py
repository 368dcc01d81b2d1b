"""From a benchmark file to its results: every stage can be killed, and the same command resumes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reeltune.benchmark.ablations import ablations
from reeltune.benchmark.analyses import impact_of, judge_groups, judge_lists, judge_privacy
from reeltune.benchmark.rating_selection import choose_raters, judge_raters, open_rating_data
from reeltune.benchmark.selection import Chosen, check_packages, choose, tune_all
from reeltune.benchmark.spec import Benchmark
from reeltune.benchmark.splits import (
    changed_targets,
    judge_splits,
    open_splits,
    sweep_ties,
    train_on_splits,
)
from reeltune.benchmark.standings import all_pairs, judged, rivals, score_all, winner
from reeltune.data.prepared import TuningData
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import ConfigError, StudyError, first_line
from reeltune.evaluation.studies import Notify, silent
from reeltune.files import append_line, read_json, read_lines, write_json
from reeltune.report.benchmark import write_pages
from reeltune.report.benchmark_result import SCHEMA
from reeltune.tuning.study.folder import PACKAGES
from reeltune.tuning.study.observer import Observer
from reeltune.version import __version__

_WORTH_TELLING_SECONDS = 5.0


def run_benchmark(
    benchmark: Benchmark,
    out: Path,
    *,
    data_dir: Path | None = None,
    observe: Callable[[], Observer | None] = lambda: None,
    notify: Notify = silent,
) -> dict[str, Any] | None:
    """Run the benchmark in the folder ``out`` and return its result, None when it was interrupted.

    Tunes each model, chooses on validation, trains the chosen again from fresh seeds, opens the test
    set once, and writes ``result.json``, ``README.md``, ``MODEL_CARD.md``,
    ``report.html`` and ``figures/``. What was
    done before is kept.

    Args:
        benchmark: The benchmark.
        out: Folder of the results.
        data_dir: Where to look for the data first.
        observe: Makes what hears of a study's trials.
        notify: Receives lines of progress.

    Raises:
        ConfigError: A model's package is not installed.
        DataError: The data cannot be found.
        StudyError: Another benchmark or other data are in ``out``, or a file is damaged.
        EngineError: Ray, the disk or a training process failed.
    """
    check_packages(benchmark)
    clock, parts = _Clock(out, notify), _open_all(benchmark, data_dir, notify)
    data = parts.main
    _occupy(benchmark, out, data)
    with clock.stage("tuning"):
        if not tune_all(benchmark, out, data, observe=observe, notify=notify):
            return None
    with clock.stage("training from fresh seeds"):
        chosen = choose(benchmark, out, data, notify)
    best = winner(benchmark, chosen)
    notify(f"winner on validation: {best.entry.name}")
    found = _asked(benchmark, chosen, out, parts, clock)
    with clock.stage("training on the other splits"):
        there = train_on_splits(benchmark, chosen, out, parts.splits, notify)
    raters = None
    if parts.ratings is not None:
        with clock.stage("predictors of ratings"):
            raters = choose_raters(benchmark, out / "ratings", parts.ratings, observe=observe, notify=notify)
        if raters is None:
            return None
    with clock.stage("test"):
        found |= _tested(benchmark, chosen, out, parts, notify)
        found["splits"] = _kept(
            out / "analyses" / "splits.json",
            lambda: judge_splits(benchmark, best, there, parts.splits, out=out, notify=notify),
        )
        if raters is not None and parts.ratings is not None:
            rows, whose = raters, parts.ratings
            found["ratings"] = _kept(
                out / "analyses" / "ratings.json",
                lambda: judge_raters(benchmark, rows, out / "ratings", whose, notify),
            )
    result = _base(benchmark, data, chosen) | found
    result["openings"] = read_json(out / "openings.json")["openings"]
    result["seconds"] = clock.seconds()
    write_json(out / "result.json", result)
    write_pages(result, out)
    return result


@dataclass(frozen=True)
class _Parts:
    """All data that the benchmark asks for, prepared before anything is trained."""

    main: TuningData
    splits: dict[str, TuningData]
    ratings: TuningData | None
    data_dir: Path | None


def _open_all(benchmark: Benchmark, data_dir: Path | None, notify: Notify) -> _Parts:
    return _Parts(
        main=open_tuning(prepare(benchmark.data, data_dir=data_dir, notify=notify)),
        splits=open_splits(benchmark, data_dir=data_dir, notify=notify),
        ratings=None
        if benchmark.spec.ratings is None
        else open_rating_data(benchmark, data_dir=data_dir, notify=notify),
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
    benchmark: Benchmark, chosen: list[Chosen], out: Path, parts: _Parts, clock: _Clock
) -> dict[str, Any]:
    """Return what is asked of the winner on validation, from files where it was made before."""
    best, data, notify = winner(benchmark, chosen), parts.main, clock.notify
    main = [best, *rivals(chosen, best).values()]
    asked: dict[str, Callable[[], Any]] = {
        "impact": lambda: impact_of(chosen, out),
        "ablations": lambda: ablations(benchmark, best, out, data, data_dir=parts.data_dir, notify=notify),
    }
    if benchmark.spec.analyses.tie_rules:
        asked["ties"] = lambda: sweep_ties(benchmark, main, out, data, data_dir=parts.data_dir, notify=notify)
    if benchmark.spec.analyses.is_private:
        asked["privacy"] = lambda: judge_privacy(benchmark, best, out, data, notify)
    if benchmark.spec.analyses.n_explained:
        asked["explanations"] = lambda: _explanations(benchmark, best, data, notify)
    found = {}
    for name, make in asked.items():
        with clock.stage(name):
            found[name] = _kept(out / "analyses" / f"{name}.json", make)
    return found


def _occupy(benchmark: Benchmark, out: Path, data: TuningData) -> None:
    """Write ``benchmark.json``, or check that it is this benchmark's."""
    path = out / "benchmark.json"
    if (out / "contest.json").exists() and not path.exists():
        raise StudyError(
            f"{out} holds a benchmark of the release before, which this one does not resume; choose another "
            "--out (its result.json still becomes pages: experiments/record_paper.py)"
        )
    mine = {
        "schema": SCHEMA,
        "name": benchmark.name,
        "spec": benchmark.spec.plain(),
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
            f"{out} holds a benchmark with another {' and '.join(differing)}; its test set may be open "
            "already, so choose another --out"
        )


def _tested(
    benchmark: Benchmark, chosen: list[Chosen], out: Path, parts: _Parts, notify: Notify
) -> dict[str, Any]:
    data = parts.main
    path, best = out / "analyses" / "test.json", winner(benchmark, chosen)

    def make() -> dict[str, Any]:
        test, scored = score_all(benchmark, chosen, best, out, data=data, notify=notify)
        notify("comparing the models")
        found = judged(benchmark, chosen, best, test, scored)
        opponents = [row["opponent"] for row in found["answer"]["groups"].values()]
        names = [best.entry.name, *opponents]
        return found | {
            "pairs": all_pairs(benchmark, scored, test),
            "lists": judge_lists(benchmark, scored, test, data),
            "user_groups": judge_groups(benchmark, names, scored, test, data),
            "changed_targets": changed_targets(benchmark, test, out, data_dir=parts.data_dir, notify=notify),
        }

    tested: dict[str, Any] = _kept(path, make)
    return tested


def _explanations(
    benchmark: Benchmark, best: Chosen, data: TuningData, notify: Notify
) -> dict[str, Any] | None:
    import torch

    from reeltune.data.sequences import to_histories
    from reeltune.serving.recommend.reasons import check_faithfulness
    from reeltune.training.checkpoint import load_network

    network = load_network(best.checkpoints[0])
    queries = data.validation.one_a_user("last")
    rng = np.random.default_rng(benchmark.seed)
    n = min(benchmark.spec.analyses.n_explained, queries.n_queries)
    rows = np.sort(rng.choice(queries.n_queries, n, replace=False))
    starts, ratings = queries.sequences.offsets[queries.user], queries.sequences.ratings
    asked = [(queries.history(int(m)).tolist(), ratings[starts[m] : queries.end[m]].tolist()) for m in rows]

    def score(codes: Any, stars: Any) -> Any:
        histories = to_histories([list(row) for row in codes], ratings=[list(row) for row in stars])
        with torch.inference_mode():
            return network.scores(histories).double().numpy().copy()

    notify(f"testing the explanations of {n} users")
    try:
        return check_faithfulness(score, asked, seed=benchmark.seed).plain()
    except ConfigError as error:
        notify(f"without a test of explanations: {error}")
        return None


def _base(benchmark: Benchmark, data: TuningData, chosen: list[Chosen]) -> dict[str, Any]:
    import importlib.metadata
    import platform

    versions = {"reeltune": __version__, "python": platform.python_version()}
    return {
        "schema": SCHEMA,
        "name": benchmark.name,
        "question": benchmark.spec.question,
        "objective": benchmark.objective,
        "seed": benchmark.seed,
        "ledger": data.ledger.plain(),
        "versions": versions | {name: importlib.metadata.version(name) for name in PACKAGES},
        "models": [
            {
                "name": one.entry.name,
                "group": one.entry.group,
                "config": one.config,
                "trial": one.trial,
                "n_trials": one.n_trials,
                "validation": one.validation.plain(),
                "curse": None if one.curse is None else one.curse.plain(),
                "study_seconds": one.seconds,
            }
            for one in chosen
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
