"""The chosen configurations on other splits, and what hangs on the order of events of one second.

Shapes: U users, M queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reeltune.benchmark.brackets import Qualified, qualified_of, seed_jobs_of
from reeltune.benchmark.names import slug_of
from reeltune.benchmark.spec import Contest
from reeltune.benchmark.standings import answer, judge, score_all, standings
from reeltune.benchmark.variants import variant, variant_values
from reeltune.data.prepared import Queries, TuningData
from reeltune.data.store import open_tuning, prepare
from reeltune.evaluation.compare import mean_interval
from reeltune.evaluation.final import open_test
from reeltune.evaluation.studies import Notify
from reeltune.tuning.trial.jobs import run_jobs

__all__ = ["changed_targets", "judge_elsewhere", "open_also", "sweep_ties", "train_elsewhere"]


def open_also(contest: Contest, *, data_dir: Path | None, notify: Notify) -> dict[str, TuningData]:
    """Return the data of each further split, by its name.

    Raises:
        DataError: The data cannot be found, or cannot be split so.
    """
    return {
        name: open_tuning(prepare(config, data_dir=data_dir, notify=notify))
        for name, config in contest.also.items()
    }


def train_elsewhere(
    contest: Contest,
    qualified: Sequence[Qualified],
    out: Path,
    also: Mapping[str, TuningData],
    notify: Notify,
) -> dict[str, list[Qualified]]:
    """Return every contestant trained on each further split; what was chosen before stays as it was.

    One that diverges from every seed there is left out.
    """
    jobs = {
        (name, one.entrant.name): seed_jobs_of(
            contest,
            one.entrant,
            (one.config, one.params),
            data,
            out / "also" / slug_of(name) / one.entrant.slug,
            n_seeds=contest.spec.also_seeds,
        )
        for name, data in also.items()
        for one in qualified
    }
    run_jobs([job for own in jobs.values() for job in own], contest.executor, notify)
    found: dict[str, list[Qualified]] = {}
    for name in also:
        there = [(one, qualified_of(one, jobs[name, one.entrant.name], contest)) for one in qualified]
        for one, of in there:
            if of is None:
                notify(f"{name}: {one.entrant.name} diverged from each seed and is left out")
        found[name] = [of for _, of in there if of is not None]
    return found


def judge_elsewhere(
    contest: Contest,
    best: Qualified,
    trained: Mapping[str, Sequence[Qualified]],
    also: Mapping[str, TuningData],
    *,
    out: Path,
    notify: Notify,
) -> dict[str, Any]:
    """Return the standings and verdicts on each further split, whose test set is opened once."""
    found = {}
    for name, qualified in trained.items():
        own = [one for one in qualified if one.entrant.name == best.entrant.name]
        if not own or len(qualified) < 2:
            continue
        test, scored = score_all(
            contest, qualified, own[0], out, data=also[name], folder=f"test-{slug_of(name)}", notify=notify
        )
        findings = judge(contest, own[0], scored, test.user)
        found[name] = {
            "ledger": also[name].ledger.plain(),
            "n_queries": test.n_queries,
            "n_people": len(np.unique(test.user)),
            "answer": answer(qualified, own[0], findings),
            "standings": [row.plain() for row in standings(contest, qualified, scored, test.user)],
            "findings": {other: finding.plain() for other, finding in findings.items()},
        }
    return found


def sweep_ties(
    contest: Contest,
    main: Sequence[Qualified],
    out: Path,
    data: TuningData,
    *,
    data_dir: Path | None,
    notify: Notify,
) -> dict[str, Any]:
    """Return what another order of the events of one second does to the ``main`` contestants on validation.

    Each is trained again on the events in the other order, from the same seed, and answers the questions that
    follow from it; differences are paired by person.
    """
    rules = {"file": data} | {
        rule: open_tuning(prepare(_ordered(contest, rule), data_dir=data_dir, notify=notify))
        for rule in contest.spec.analyses.tie_rules
    }
    jobs = {
        (rule, one.entrant.name): variant(contest, out, of, one.config, {})
        for rule, of in rules.items()
        for one in main
    }
    run_jobs(list(jobs.values()), contest.executor, notify)
    people = data.validation.user
    values = {key: variant_values(job, contest) for key, job in jobs.items()}
    return {
        "share_timed": _share_timed(data.validation),
        "rules": {
            rule: {
                "rule": of.ledger.tie_rule,
                "changed_validation": _share_changed(data.validation, of.validation),
                "figures": {
                    one.entrant.name: _against(
                        values["file", one.entrant.name], values[rule, one.entrant.name], people
                    )
                    for one in main
                },
            }
            for rule, of in rules.items()
        },
    }


def changed_targets(
    contest: Contest, test: Queries, out: Path, *, data_dir: Path | None, notify: Notify
) -> dict[str, float]:
    """Return the share of ``test`` targets that each other rule changes; nothing is ranked."""
    found: dict[str, float] = {}
    for rule in contest.spec.analyses.tie_rules:
        directory = prepare(_ordered(contest, rule), data_dir=data_dir, notify=notify)
        entry = {"purpose": f"counting the targets that the order by {rule} changes; nothing is ranked"}
        found[rule] = _share_changed(test, open_test(directory, out / "openings.json", entry))
    return found


def _ordered(contest: Contest, rule: str) -> Any:
    return contest.data.model_copy(update={"ties": rule})


def _against(file: Any, other: Any, people: Any) -> dict[str, Any]:
    if file is None or other is None:
        return {"figure": None, "difference": None}
    return {
        "figure": mean_interval(other, users=people).plain(),
        "difference": mean_interval(other - file, users=people).plain(),
    }


def _share_changed(first: Queries, second: Queries) -> float:
    return float(np.mean(first.target != second.target))


def _share_timed(queries: Queries) -> float:
    """Return the share of people all of whose events have a time: the others keep their order."""
    sequences = queries.sequences
    n_untimed = np.add.reduceat(sequences.timestamps < 0, sequences.offsets[:-1])
    return float(np.mean(n_untimed == 0))
