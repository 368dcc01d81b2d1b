"""The test: opened once for all contestants, their figures side by side, and the claim judged.

Shapes: S seeds, M queries, K length of a list, V catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.benchmark.brackets import Qualified
from reeltune.benchmark.spec import CHAMPION_ROLE, Contest
from reeltune.data.prepared import Queries, TuningData
from reeltune.errors import StudyError
from reeltune.evaluation.compare import Interval
from reeltune.evaluation.final import open_test
from reeltune.evaluation.leaderboard import VERDICT_METRIC
from reeltune.evaluation.seeds import SeedSpread, seed_spread, two_way_intervals
from reeltune.evaluation.statistics import Finding, compare_family
from reeltune.evaluation.studies import Notify
from reeltune.files import atomic_path
from reeltune.metrics.registry import RANKING_METRICS, per_query
from reeltune.models.base import Scorer

__all__ = [
    "LIST_LENGTH",
    "Scored",
    "Standing",
    "answer",
    "champion",
    "judge",
    "rivals",
    "score_all",
    "standings",
]

LIST_LENGTH = 10
"""Movies of the lists that are judged."""


@dataclass(frozen=True)
class Scored:
    """What one contestant did on the test."""

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
    """A contestant in the final table."""

    name: str
    role: str
    n_trials: int
    n_seeds: int
    validation: SeedSpread  # objective over the seeds
    metrics: dict[str, Interval]  # on test, for other people and other seeds alike
    seeds: SeedSpread  # of the verdict's metric on test
    params: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return the standing as plain Python values."""
        return asdict(self)


def champion(qualified: Sequence[Qualified]) -> Qualified:
    """Return the contestant whose superiority is claimed: the best of its role on validation."""
    own = [one for one in qualified if one.entrant.contestant.role == CHAMPION_ROLE]
    return max(own, key=lambda one: one.validation.mean)


def rivals(qualified: Sequence[Qualified]) -> dict[str, Qualified]:
    """Return the best on validation of every other role."""
    best: dict[str, Qualified] = {}
    for one in sorted(qualified, key=lambda one: one.validation.mean):
        if one.entrant.contestant.role != CHAMPION_ROLE:
            best[one.entrant.contestant.role] = one
    return best


def score_all(
    contest: Contest,
    qualified: Sequence[Qualified],
    best: Qualified,
    out: Path,
    *,
    data: TuningData,
    folder: str = "test",
    notify: Notify,
) -> tuple[Queries, dict[str, Scored]]:
    """Return the test queries and what each contestant did on them.

    Everything was chosen before. The opening is logged in ``openings.json`` first; ranks are kept,
    so that a run that was killed scores only what is left.
    """
    files = {one.entrant.name: out / folder / f"{one.entrant.slug}.npz" for one in qualified}
    entry = {
        "split": data.ledger.split,
        "champion": best.entrant.name,
        "contestants": [one.entrant.name for one in qualified],
        "fingerprint": data.ledger.fingerprint,
        "scored_before": [name for name, path in files.items() if path.exists()],
    }
    notify(f"opening the test set of {data.ledger.split}")
    test = open_test(data.directory, out / "openings.json", entry)
    found = {}
    for one in qualified:
        name = one.entrant.name
        if not files[name].exists():
            notify(f"ranking the test set with {name}, {len(one.folders)} seed(s)")
            _score(contest, one, data, test, files[name])
        try:
            with np.load(files[name], allow_pickle=False) as kept:
                found[name] = Scored(ranks=kept["ranks"], lists=kept["lists"])
        except (OSError, ValueError, KeyError) as error:
            raise StudyError(f"{files[name]} is damaged; remove it and run the command again") from error
    return test, found


def standings(
    contest: Contest, qualified: Sequence[Qualified], scored: Mapping[str, Scored], users: NDArray[np.int32]
) -> list[Standing]:
    """Return the table of the contest, best first by the verdict's metric on test."""
    labels = [f"{name}@{k}" for k in contest.spec.cuts for name in RANKING_METRICS]
    rows = [
        Standing(
            name=one.entrant.name,
            role=one.entrant.contestant.role,
            n_trials=one.n_trials,
            n_seeds=len(one.folders),
            validation=one.validation,
            metrics=dict(
                zip(labels, _intervals(contest, scored[one.entrant.name], labels, users), strict=True)
            ),
            seeds=seed_spread([float(of.mean()) for of in scored[one.entrant.name].each(VERDICT_METRIC)]),
            params=one.params,
        )
        for one in qualified
    ]
    return sorted(rows, key=lambda row: -row.metrics[VERDICT_METRIC].value)


def judge(
    contest: Contest, best: Qualified, scored: Mapping[str, Scored], users: NDArray[np.int32]
) -> dict[str, Finding]:
    """Return how the champion differs from every other contestant, corrected for their number.

    Each query's figure is the mean over the contestant's seeds.
    """
    name = best.entrant.name
    others = {other: of.mean(VERDICT_METRIC) for other, of in scored.items() if other != name}
    own = scored[name].mean(VERDICT_METRIC)
    return compare_family(own, others, metric=VERDICT_METRIC, users=users, seed=contest.seed)


def answer(
    qualified: Sequence[Qualified], best: Qualified, findings: Mapping[str, Finding]
) -> dict[str, Any]:
    """Return the answer to the question: against the best of each role, and in one sentence.

    The best of a role is the best on validation, so that the test does not choose the opponent.
    """
    name = best.entrant.name
    by_role: dict[str, dict[str, Any]] = {}
    for role, one in rivals(qualified).items():
        finding = findings[one.entrant.name]
        by_role[role] = {
            "opponent": one.entrant.name,
            "outcome": "yes" if finding.is_better else "no" if finding.is_worse else "not shown",
            "verdict": finding.verdict(),
        }
    beaten = [role for role, row in by_role.items() if row["outcome"] == "yes"]
    lost = [role for role, row in by_role.items() if row["outcome"] == "no"]
    open_ = [role for role, row in by_role.items() if row["outcome"] == "not shown"]
    parts = [
        f"{verb} " + _listed([f"{by_role[role]['opponent']} ({role})" for role in roles])
        for verb, roles in (("beats", beaten), ("loses to", lost), ("is not shown to differ from", open_))
        if roles
    ]
    word = "Yes" if len(beaten) == len(by_role) else "No" if not beaten else "In part"
    return {
        "word": word,
        "champion": name,
        "roles": by_role,
        "sentence": f"{word}: {name} {'; '.join(parts)}.",
    }


def _intervals(
    contest: Contest, scored: Scored, labels: Sequence[str], users: NDArray[np.int32]
) -> list[Interval]:
    values = np.stack([scored.each(label) for label in labels], axis=2)  # [S, M, L]
    return two_way_intervals(values, users=users, seed=contest.seed)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _score(contest: Contest, one: Qualified, data: TuningData, test: Queries, path: Path) -> None:
    from reeltune.metrics.evaluate import rank_queries, top_lists

    ranks, lists = [], None
    for k in range(1, len(one.checkpoints) + 1):
        scorer, queries = _scorer_of(contest, one, k, data=data, test=test)
        ranks.append(rank_queries(scorer, queries))
        if lists is None:
            lists = top_lists(scorer, queries, LIST_LENGTH)
    assert lists is not None
    with atomic_path(path) as part, part.open("wb") as file:
        np.savez_compressed(file, ranks=np.stack(ranks), lists=lists)


def _scorer_of(
    contest: Contest, one: Qualified, k: int, *, data: TuningData, test: Queries
) -> tuple[Scorer, Queries]:
    """Return the model of one seed and the test queries as it reads them.

    A network is what was trained on the training events. Fitting a baseline costs little, so it is fitted
    again to all that precedes the targets, the validation movies too.
    """
    from reeltune.models.baselines.fit import scorer_for
    from reeltune.seeding import derive
    from reeltune.training.checkpoint import load_model

    seed = derive(contest.seed, one.config, "test", k)
    return scorer_for(load_model(one.checkpoints[k - 1]), data, test, seed=seed)
