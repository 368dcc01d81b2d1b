"""The test: opened once for all models, their figures side by side, and the claim judged.

Shapes: S seeds, M queries, K length of a list, V catalogue.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.benchmark.selection import Chosen
from reeltune.benchmark.spec import Benchmark
from reeltune.data.prepared import Queries, TuningData
from reeltune.errors import StudyError
from reeltune.evaluation.compare import Interval, compare_paired
from reeltune.evaluation.final import open_test
from reeltune.evaluation.leaderboard import VERDICT_METRIC
from reeltune.evaluation.seeds import SeedSpread, seed_spread, two_way_intervals
from reeltune.evaluation.statistics import Finding, compare_family, holm
from reeltune.evaluation.studies import Notify
from reeltune.files import atomic_path
from reeltune.metrics.registry import RANKING_METRICS, per_query
from reeltune.models.base import Scorer

LIST_LENGTH = 10
"""Movies of the lists that are judged."""

PAIR_FLIPS = 9_999
"""Sign flips of each of all pairs, of which there are many."""


@dataclass(frozen=True)
class Scored:
    """What one model did on the test."""

    ranks: NDArray[np.int32]  # [S, M]
    lists: NDArray[np.int32]  # [M, K] of the first seed

    def mean(self, label: str) -> NDArray[np.float64]:
        """Return the metric of each query, the mean over the seeds, [M]."""
        means: NDArray[np.float64] = self.each(label).mean(axis=0)
        return means

    def each(self, label: str) -> NDArray[np.float64]:
        """Return the metric of each seed and query, [S, M]."""
        return np.stack([per_query(ranks, label) for ranks in self.ranks])


@dataclass(frozen=True)
class Standing:
    """A model in the final table."""

    name: str
    group: str
    n_trials: int
    n_seeds: int
    validation: SeedSpread  # objective over the seeds
    metrics: dict[str, Interval]  # on test, for other users and other seeds alike
    seeds: SeedSpread  # of the verdict's metric on test
    params: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return the standing as plain Python values."""
        return asdict(self)


def winner(benchmark: Benchmark, chosen: Sequence[Chosen]) -> Chosen:
    """Return the best model on validation, of the claimed group where a superiority is claimed."""
    claim = benchmark.spec.claim
    own = [one for one in chosen if claim is None or one.entry.group == claim]
    return max(own, key=lambda one: one.validation.mean)


def rivals(chosen: Sequence[Chosen], best: Chosen) -> dict[str, Chosen]:
    """Return the best on validation of every group but that of ``best``."""
    found: dict[str, Chosen] = {}
    for one in sorted(chosen, key=lambda one: one.validation.mean):
        if one.entry.group != best.entry.group:
            found[one.entry.group] = one
    return found


def score_all(
    benchmark: Benchmark,
    chosen: Sequence[Chosen],
    best: Chosen,
    out: Path,
    *,
    data: TuningData,
    folder: str = "test",
    notify: Notify,
) -> tuple[Queries, dict[str, Scored]]:
    """Return the test queries and what each model did on them.

    Everything was chosen before. The opening is logged in ``openings.json`` first; ranks are kept,
    so that a run that was killed scores only what is left.
    """
    files = {one.entry.name: out / folder / f"{one.entry.slug}.npz" for one in chosen}
    entry = {
        "split": data.ledger.split,
        "winner": best.entry.name,
        "models": [one.entry.name for one in chosen],
        "fingerprint": data.ledger.fingerprint,
        "scored_before": [name for name, path in files.items() if path.exists()],
    }
    notify(f"opening the test set of {data.ledger.split}")
    test = open_test(data.directory, out / "openings.json", entry)
    found = {}
    for one in chosen:
        name = one.entry.name
        if not files[name].exists():
            notify(f"ranking the test set with {name}, {len(one.folders)} seed(s)")
            _score(benchmark, one, data, test, files[name])
        try:
            with np.load(files[name], allow_pickle=False) as kept:
                found[name] = Scored(ranks=kept["ranks"], lists=kept["lists"])
        except (OSError, ValueError, KeyError) as error:
            raise StudyError(f"{files[name]} is damaged; remove it and run the command again") from error
    return test, found


def standings(
    benchmark: Benchmark, chosen: Sequence[Chosen], scored: Mapping[str, Scored], users: NDArray[np.int32]
) -> list[Standing]:
    """Return the table of the benchmark, best first by the verdict's metric on test."""
    labels = [f"{name}@{k}" for k in benchmark.spec.cuts for name in RANKING_METRICS]
    rows = [
        Standing(
            name=one.entry.name,
            group=one.entry.group,
            n_trials=one.n_trials,
            n_seeds=len(one.folders),
            validation=one.validation,
            metrics=dict(
                zip(labels, _intervals(benchmark, scored[one.entry.name], labels, users), strict=True)
            ),
            seeds=seed_spread([float(of.mean()) for of in scored[one.entry.name].each(VERDICT_METRIC)]),
            params=one.params,
        )
        for one in chosen
    ]
    return sorted(rows, key=lambda row: -row.metrics[VERDICT_METRIC].value)


def judge(
    benchmark: Benchmark, best: Chosen, scored: Mapping[str, Scored], users: NDArray[np.int32]
) -> dict[str, Finding]:
    """Return how the winner differs from every other model, corrected for their number.

    Each query's figure is the mean over the model's seeds.
    """
    name = best.entry.name
    others = {other: of.mean(VERDICT_METRIC) for other, of in scored.items() if other != name}
    own = scored[name].mean(VERDICT_METRIC)
    return compare_family(own, others, metric=VERDICT_METRIC, users=users, seed=benchmark.seed)


def answer(
    benchmark: Benchmark, chosen: Sequence[Chosen], best: Chosen, findings: Mapping[str, Finding]
) -> dict[str, Any]:
    """Return the answer to the question: against the best of each group, and in one sentence.

    The best of a group is the best on validation, so that the test does not choose the opponent.
    """
    groups: dict[str, dict[str, Any]] = {}
    said: dict[str, list[str]] = {"beats": [], "loses to": [], "is not shown to differ from": []}
    for group, one in rivals(chosen, best).items():
        name, finding = one.entry.name, findings[one.entry.name]
        outcome, verb = (
            ("yes", "beats")
            if finding.is_better
            else ("no", "loses to")
            if finding.is_worse
            else ("not shown", "is not shown to differ from")
        )
        said[verb].append(name if name == group else f"{name} ({group})")
        groups[group] = {"opponent": name, "outcome": outcome, "verdict": finding.verdict()}
    n_beaten = len(said["beats"])
    word = "Yes" if n_beaten == len(groups) else "In part" if n_beaten else "No"
    outcome_text = "; ".join(f"{verb} {_listed(names)}" for verb, names in said.items() if names)
    own = best.entry.name
    if benchmark.spec.claim is None:
        sentence = f"{own} is the best on validation; on the test set it {outcome_text}."
    else:
        sentence = f"{word}: {own} {outcome_text}."
    return {"word": word, "winner": own, "groups": groups, "sentence": sentence}


def judged(
    benchmark: Benchmark,
    chosen: Sequence[Chosen],
    best: Chosen,
    test: Queries,
    scored: Mapping[str, Scored],
) -> dict[str, Any]:
    """Return who asked, the answer, the table and the comparisons of one split, as plain values."""
    findings = judge(benchmark, best, scored, test.user)
    return {
        "n_queries": test.n_queries,
        "n_users": len(np.unique(test.user)),
        "answer": answer(benchmark, chosen, best, findings),
        "standings": [row.plain() for row in standings(benchmark, chosen, scored, test.user)],
        "findings": {name: finding.plain() for name, finding in findings.items()},
    }


def all_pairs(benchmark: Benchmark, scored: Mapping[str, Scored], test: Queries) -> list[dict[str, Any]]:
    """Return how any two models differ, corrected by Holm's method for the number of all pairs."""
    means = {name: of.mean(VERDICT_METRIC) for name, of in scored.items()}
    found = [
        (first, compare_paired(
            means[first], means[second], opponent_name=second, metric=VERDICT_METRIC, users=test.user,
            seed=benchmark.seed, n_flips=PAIR_FLIPS,
        ))
        for first, second in itertools.combinations(means, 2)
    ]  # fmt: skip
    adjusted = holm({f"{place}": of.p_value for place, (_, of) in enumerate(found)})
    return [
        {"model": first, **of.plain(), "adjusted_p": p}
        for (first, of), p in zip(found, adjusted.values(), strict=True)
    ]


def _intervals(
    benchmark: Benchmark, scored: Scored, labels: Sequence[str], users: NDArray[np.int32]
) -> list[Interval]:
    values = np.stack([scored.each(label) for label in labels], axis=2)  # [S, M, L]
    return two_way_intervals(values, users=users, seed=benchmark.seed)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _score(benchmark: Benchmark, one: Chosen, data: TuningData, test: Queries, path: Path) -> None:
    from reeltune.metrics.evaluate import rank_queries, top_lists

    ranks, lists = [], None
    for k in range(1, len(one.checkpoints) + 1):
        scorer, queries = _scorer_of(benchmark, one, k, data=data, test=test)
        ranks.append(rank_queries(scorer, queries))
        if lists is None:
            lists = top_lists(scorer, queries, LIST_LENGTH)
    assert lists is not None
    with atomic_path(path) as part, part.open("wb") as file:
        np.savez_compressed(file, ranks=np.stack(ranks), lists=lists)


def _scorer_of(
    benchmark: Benchmark, one: Chosen, k: int, *, data: TuningData, test: Queries
) -> tuple[Scorer, Queries]:
    """Return the model of one seed and the test queries as it reads them.

    A network is what was trained on the training events. Fitting a baseline costs little, so it is fitted
    again to all that precedes the targets, the validation movies too.
    """
    from reeltune.models.baselines.fit import scorer_for
    from reeltune.seeding import derive
    from reeltune.training.checkpoint import load_model

    seed = derive(benchmark.seed, one.config, "test", k)
    return scorer_for(load_model(one.checkpoints[k - 1]), data, test, seed=seed)
