"""What is asked of the benchmark beyond the verdict: lists, groups, privacy, explanations, impact.

Shapes: M queries, K length of a list, V catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reeltune.benchmark.ablations import ablation
from reeltune.benchmark.selection import Chosen, study_of
from reeltune.benchmark.spec import Benchmark
from reeltune.benchmark.standings import LIST_LENGTH, Scored
from reeltune.data.prepare.reduce import reduced
from reeltune.data.prepared import Queries, TuningData
from reeltune.data.store import open_side
from reeltune.evaluation.analyses.groups import group_report, query_groupings, user_groupings
from reeltune.evaluation.analyses.impact import budget_curve
from reeltune.evaluation.analyses.importance import importance
from reeltune.evaluation.analyses.lists import measure_lists, users_of_items
from reeltune.evaluation.analyses.membership import (
    check_membership,
    last_training_queries,
    membership_attack,
    target_losses,
)
from reeltune.evaluation.leaderboard import VERDICT_METRIC
from reeltune.evaluation.studies import Notify
from reeltune.metrics.evaluate import top_lists
from reeltune.models.baselines.fit import fit_baseline
from reeltune.models.baselines.popularity import PopularityConfig
from reeltune.serving.recommend.audit import probe_people
from reeltune.training.epochs import BEST_CHECKPOINT
from reeltune.tuning.study.folder import Study
from reeltune.tuning.trial.job import TrialJob
from reeltune.tuning.trial.jobs import run_jobs


def judge_lists(
    benchmark: Benchmark, scored: Mapping[str, Scored], test: Queries, data: TuningData
) -> dict[str, dict[str, Any]]:
    """Return the measures of each model's lists, by its name."""
    counts = users_of_items(test, data.n_items)
    popularity = fit_baseline(PopularityConfig(), test.known(), data.n_items)
    obvious = top_lists(popularity, test, LIST_LENGTH)
    return {
        name: {
            measure: None if figure is None else figure.plain()
            for measure, figure in measure_lists(of.lists, obvious, test, data.catalogue, counts)
            .figures(test.user, benchmark.seed)
            .items()
        }
        for name, of in scored.items()
    }


def judge_groups(
    benchmark: Benchmark, names: Sequence[str], scored: Mapping[str, Scored], test: Queries, data: TuningData
) -> dict[str, list[dict[str, Any]]]:
    """Return the gaps between groups of users and kinds of queries, for each of ``names``.

    Beside the verdict's metric, the popularity lift of the lists is given for each group: whom the
    model pushes towards what everybody sees.
    """
    counts = users_of_items(test, data.n_items)
    by_user = user_groupings(test, open_side(data.directory).users, counts)
    hard = query_groupings(test, counts)
    obvious = np.zeros((test.n_queries, 1), dtype=np.int32)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        lift = measure_lists(scored[name].lists, obvious, test, data.catalogue, counts).per_query
        asked = [(VERDICT_METRIC, scored[name].mean(VERDICT_METRIC), [*by_user, *hard])]
        asked.append(("popularity lift", lift["popularity lift"], by_user))
        found[name] = [
            group_report(values, test.user, grouping, metric=metric, seed=benchmark.seed).plain()
            for metric, values, groupings in asked
            for grouping in groupings
        ]
    return found


def judge_privacy(
    benchmark: Benchmark, best: Chosen, out: Path, data: TuningData, notify: Notify
) -> dict[str, Any]:
    """Return what the winner's state reveals of users, and whether its weights reveal whom it was trained on.

    Only training and validation data are read. For the second, two further models are trained on a
    third of the users each: one is attacked, the other is the reference, and the last third are strangers
    to both.
    """
    from reeltune.data.features.assemble import make_features
    from reeltune.training.checkpoint import load_network

    network = load_network(best.checkpoints[0])
    features = make_features(network.side.config, data)
    notify("probing the winner's state for attributes of users")
    users = open_side(data.directory).users
    probes = probe_people(network, features.data, users, seed=benchmark.seed)
    notify("attacking the winner's membership")
    attacked, reference = (_third(benchmark, best, out, data, third) for third in (0, 2))
    run_jobs([attacked, reference], benchmark.executor, notify)
    thirds = _thirds(benchmark, last_training_queries(features.data), data)
    losses = {
        job.directory: [
            target_losses(load_network(Path(job.directory) / BEST_CHECKPOINT), part) for part in thirds[:2]
        ]
        for job in (attacked, reference)
    }
    by_user = membership_attack(
        *losses[attacked.directory],
        unit="users",
        reference_members=losses[reference.directory][0],
        reference_others=losses[reference.directory][1],
        reference="a model trained on other users",
        seed=benchmark.seed,
    )
    events = check_membership(network, features.data, seed=benchmark.seed)
    return {"probes": probes, "membership": {"users": by_user.plain(), "events": events.plain()}}


def impact_of(chosen: Sequence[Chosen], out: Path) -> dict[str, Any]:
    """Return, for each tuned model, which searched values mattered and what a smaller budget costs."""
    found: dict[str, Any] = {}
    for one in chosen:
        if not one.entry.is_tuned:
            continue
        study = Study.open(study_of(one.entry, out))
        values = [row.value for row in study.best() if row.value is not None]
        found[one.entry.name] = {
            **importance(study).plain(),
            "budget": _budget(values, study.higher_is_better),
        }
    return found


def _budget(values: Sequence[float], higher_is_better: bool) -> list[dict[str, float | None]]:
    """Return the expected best of each budget, and what is lost against the one twice as large."""
    curve = budget_curve(values, higher_is_better)
    larger = [value for _, value in curve[1:]] + [None]
    return [
        {"trials": n, "expected": value, "loss": None if best is None else abs(best - value)}
        for (n, value), best in zip(curve, larger, strict=True)
    ]


def _third(benchmark: Benchmark, best: Chosen, out: Path, data: TuningData, third: int) -> TrialJob:
    return ablation(benchmark, out, data, best.config, {"thirds": [third]})


def _thirds(benchmark: Benchmark, queries: Queries, data: TuningData) -> list[Queries]:
    """Return the queries of the users of each third."""
    parts = []
    for third in range(3):
        lengths = reduced(data, thirds=(third,), seed=benchmark.seed).train.lengths
        parts.append(queries.select(lengths[queries.user] > 0))
    return parts
