"""The winner with one thing changed at a time: sweeps, learning curves, other k-cores; on validation.

Shapes: M queries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.benchmark.selection import Chosen
from reeltune.benchmark.spec import Benchmark
from reeltune.data.prepared import TuningData
from reeltune.data.store import open_tuning, prepare
from reeltune.evaluation.compare import mean_interval
from reeltune.evaluation.studies import Notify
from reeltune.metrics.registry import per_query
from reeltune.seeding import derive
from reeltune.training.checkpoint import read_ranks
from reeltune.training.epochs import VALIDATION_RANKS
from reeltune.tuning.space.search_space import flatten, unflatten
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.job import TrialJob
from reeltune.tuning.trial.jobs import job_result, run_jobs


def ablations(
    benchmark: Benchmark,
    best: Chosen,
    out: Path,
    data: TuningData,
    *,
    data_dir: Path | None,
    notify: Notify,
) -> dict[str, Any]:
    """Return the winner's validation figures with one thing changed at a time, each from one seed.

    Sweeps change one searched value; learning curves train on fewer users or shorter histories and
    ask the same questions; k-cores prepare other data, so their questions differ.
    """
    asked = benchmark.spec.analyses
    jobs: dict[tuple[str, Any], TrialJob] = {}
    flat = flatten(best.config)
    for name, values in asked.sweeps.items():
        for value in values:
            config = TrialConfig.model_validate(unflatten(flat | {name: value})).plain()
            jobs[name, value] = ablation(benchmark, out, data, config, {})
    for share in asked.user_shares:
        part = {"user_share": share} if share < 1 else {}  # all of them: the same training as elsewhere
        jobs["share of users", share] = ablation(benchmark, out, data, best.config, part)
    for n in asked.last_events:
        jobs["movies of each user", n] = ablation(benchmark, out, data, best.config, {"last_events": n})
    for k in asked.k_cores:
        cored = best.entry.experiment.spec.data.model_copy(update={"k_core": k})
        other = open_tuning(prepare(cored, data_dir=data_dir, notify=notify))
        jobs["interactions of a movie", k] = ablation(benchmark, out, other, best.config, {})
    run_jobs(list(jobs.values()), benchmark.executor, notify)
    found: dict[str, list[dict[str, Any]]] = {}
    for (name, value), job in jobs.items():
        found.setdefault(name, []).append({"value": value, **_figure(job, benchmark)})
    return {"at": {name: flat.get(name) for name in asked.sweeps}, "factors": found}


def ablation(
    benchmark: Benchmark, out: Path, data: TuningData, config: dict[str, Any], part: dict[str, Any]
) -> TrialJob:
    """Return the job that trains ``config`` on a ``part`` of ``data``, for the sake of comparing it.

    The part is as in :func:`reeltune.data.prepare.reduce.reduced`; an empty one is all.
    """
    key = derive(benchmark.seed, config, "variant", part, data.ledger.fingerprint)
    # The same seed for all: two ablations then differ in what was changed, not in their first weights too.
    return TrialJob(
        number=1,
        seed=derive(benchmark.seed, "variant"),
        params={},
        config=config,
        directory=str((out / "ablations" / f"{key:016x}").absolute()),
        data_directory=str(data.directory),
        study="ablation",
        study_directory=str(out.absolute()),
        n_threads=benchmark.settings.n_threads,
        accelerator=benchmark.settings.accelerator,
        name="ablation",
        part=part | ({"seed": benchmark.seed} if part else {}),
    )


def ablation_values(job: TrialJob, benchmark: Benchmark) -> NDArray[np.float64] | None:
    """Return the objective of each validation query, [M]; None where the training diverged."""
    result = job_result(job)
    if result is None or not result.metrics:
        return None
    return per_query(read_ranks(Path(job.directory) / VALIDATION_RANKS), benchmark.objective)


def _figure(job: TrialJob, benchmark: Benchmark) -> dict[str, Any]:
    values, result = ablation_values(job, benchmark), job_result(job)
    reason = "no result" if result is None else result.reason
    if values is None:
        return {"figure": None, "reason": reason}
    users = open_tuning(Path(job.data_directory)).validation.user
    return {"figure": mean_interval(values, users=users, seed=benchmark.seed).plain(), "reason": reason}
