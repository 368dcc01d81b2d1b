"""The chosen configurations on other splits, and what hangs on the order of events of one second.

Shapes: U users, M queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reeltune.benchmark.ablations import ablation, ablation_values
from reeltune.benchmark.names import slug_of
from reeltune.benchmark.selection import Chosen, chosen_of, seed_jobs_of
from reeltune.benchmark.spec import Benchmark
from reeltune.benchmark.standings import judged, score_all
from reeltune.data.prepared import Queries, TuningData
from reeltune.data.store import open_tuning, prepare
from reeltune.evaluation.compare import mean_interval
from reeltune.evaluation.final import open_test
from reeltune.evaluation.studies import Notify
from reeltune.tuning.trial.jobs import run_jobs


def open_splits(benchmark: Benchmark, *, data_dir: Path | None, notify: Notify) -> dict[str, TuningData]:
    """Return the data of each further split, by its name.

    Raises:
        DataError: The data cannot be found, or cannot be split so.
    """
    return {
        name: open_tuning(prepare(config, data_dir=data_dir, notify=notify))
        for name, config in benchmark.splits.items()
    }


def train_on_splits(
    benchmark: Benchmark,
    chosen: Sequence[Chosen],
    out: Path,
    splits: Mapping[str, TuningData],
    notify: Notify,
) -> dict[str, list[Chosen]]:
    """Return every model trained on each further split; what was chosen before stays as it was.

    One that diverges from every seed there is left out.
    """
    jobs = {
        (name, one.entry.name): seed_jobs_of(
            benchmark,
            one.entry,
            (one.config, one.params),
            data,
            out / "splits" / slug_of(name) / one.entry.slug,
            n_seeds=benchmark.spec.split_seeds,
        )
        for name, data in splits.items()
        for one in chosen
    }
    run_jobs([job for own in jobs.values() for job in own], benchmark.executor, notify)
    found: dict[str, list[Chosen]] = {}
    for name in splits:
        there = [(one, chosen_of(one, jobs[name, one.entry.name], benchmark)) for one in chosen]
        for one, of in there:
            if of is None:
                notify(f"{name}: {one.entry.name} diverged from each seed and is left out")
        found[name] = [of for _, of in there if of is not None]
    return found


def judge_splits(
    benchmark: Benchmark,
    best: Chosen,
    trained: Mapping[str, Sequence[Chosen]],
    splits: Mapping[str, TuningData],
    *,
    out: Path,
    notify: Notify,
) -> dict[str, Any]:
    """Return the standings and verdicts on each further split, whose test set is opened once."""
    found = {}
    for name, chosen in trained.items():
        own = [one for one in chosen if one.entry.name == best.entry.name]
        if not own or len(chosen) < 2:
            continue
        test, scored = score_all(
            benchmark, chosen, own[0], out, data=splits[name], folder=f"test-{slug_of(name)}", notify=notify
        )
        found[name] = {
            "ledger": splits[name].ledger.plain(),
            **judged(benchmark, chosen, own[0], test, scored),
        }
    return found


def sweep_ties(
    benchmark: Benchmark,
    main: Sequence[Chosen],
    out: Path,
    data: TuningData,
    *,
    data_dir: Path | None,
    notify: Notify,
) -> dict[str, Any]:
    """Return what another order of the events of one second does to the ``main`` models on validation.

    Each is trained again on the events in the other order, from the same seed, and answers the questions that
    follow from it; differences are paired by user.
    """
    rules = {"file": data} | {
        rule: open_tuning(prepare(_ordered(benchmark, rule), data_dir=data_dir, notify=notify))
        for rule in benchmark.spec.analyses.tie_rules
    }
    jobs = {
        (rule, one.entry.name): ablation(benchmark, out, of, one.config, {})
        for rule, of in rules.items()
        for one in main
    }
    run_jobs(list(jobs.values()), benchmark.executor, notify)
    users = data.validation.user
    values = {key: ablation_values(job, benchmark) for key, job in jobs.items()}
    return {
        "share_timed": _share_timed(data.validation),
        "rules": {
            rule: {
                "rule": of.ledger.tie_rule,
                "changed_validation": _share_changed(data.validation, of.validation),
                "figures": {
                    one.entry.name: _against(
                        values["file", one.entry.name], values[rule, one.entry.name], users
                    )
                    for one in main
                },
            }
            for rule, of in rules.items()
        },
    }


def changed_targets(
    benchmark: Benchmark, test: Queries, out: Path, *, data_dir: Path | None, notify: Notify
) -> dict[str, float]:
    """Return the share of ``test`` targets that each other rule changes; nothing is ranked."""
    found: dict[str, float] = {}
    for rule in benchmark.spec.analyses.tie_rules:
        directory = prepare(_ordered(benchmark, rule), data_dir=data_dir, notify=notify)
        entry = {"purpose": f"counting the targets that the order by {rule} changes; nothing is ranked"}
        found[rule] = _share_changed(test, open_test(directory, out / "openings.json", entry))
    return found


def _ordered(benchmark: Benchmark, rule: str) -> Any:
    return benchmark.data.model_copy(update={"ties": rule})


def _against(file: Any, other: Any, users: Any) -> dict[str, Any]:
    if file is None or other is None:
        return {"figure": None, "difference": None}
    return {
        "figure": mean_interval(other, users=users).plain(),
        "difference": mean_interval(other - file, users=users).plain(),
    }


def _share_changed(first: Queries, second: Queries) -> float:
    return float(np.mean(first.target != second.target))


def _share_timed(queries: Queries) -> float:
    """Return the share of users all of whose events have a time: the others keep their order."""
    sequences = queries.sequences
    n_untimed = np.add.reduceat(sequences.timestamps < 0, sequences.offsets[:-1])
    return float(np.mean(n_untimed == 0))
