"""Trivial trials a minute: reeltune's engine against Ray Tune as its documentation shows it.

Both import torch and Lightning in the trial, report three epochs that cost nothing, search with TPE, stop
with ASHA, and have two slots of one processor. The plain way starts a process for each trial. The
clock runs from the end of the first trial to the end of the last, so that Ray's own start is left out.
Run it from the repository root:

    python benchmarks/study_overhead.py --out benchmarks/results/study_overhead.json
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reeltune.config import parse_yaml
from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.files import read_json, write_json
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import EpochReport, Report
from reeltune.tuning.ray.engine import run_study
from reeltune.tuning.ray.session import private_environment, start_ray
from reeltune.tuning.records.rows import TrialResult, TrialRow, TrialState
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import SilentObserver
from reeltune.tuning.study.spec import StudySettings, StudySpec
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.job import TrialJob

SPACE = """
model: gru
space:
  training.learning_rate: {kind: float, low: 1e-4, high: 1.0, log: true}
  model.dropout: {kind: float, low: 0.0, high: 0.6}
  model.hidden_dim: {kind: int, low: 32, high: 256, log: true}
"""
EPOCHS = 3


def run_trivial(job: TrialJob, report: Report) -> TrialResult:
    """Report epochs that cost nothing; write down the worker's memory."""
    import lightning.pytorch as pl

    pl.seed_everything(job.seed % 2**32, verbose=False)
    value = 0.0
    for epoch in range(1, EPOCHS + 1):
        value = job.params["model.dropout"] * epoch
        report(EpochReport(epoch, {"ndcg@10": value}, value, 1.0, 0.0))
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_json(Path(job.directory) / "memory.json", {"worker": os.getpid(), "mib": kib / 1024})
    return TrialResult(TrialState.COMPLETE, "done", EPOCHS, {"ndcg@10": value}, EPOCHS, 0, 0.0)


class Clock(SilentObserver):
    """Notes when each trial ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def trial_ended(self, row: TrialRow) -> None:
        """Note the time."""
        self.ends.append(time.monotonic())


def reeltune_rate(folder: Path, n_trials: int) -> dict[str, Any]:
    """Return trials a minute of a study and the memory of its workers."""
    trial = TrialConfig(training=TrainingConfig(max_epochs=EPOCHS))
    sections = {"model": trial.model, "training": trial.training}
    spec = StudySpec(
        data=DataConfig(dataset="synthetic"),
        trial=trial,
        space=parse_space(parse_yaml(SPACE, "space"), sections, "gru"),
        study=StudySettings(trials=n_trials, scheduler={"name": "asha", "grace_epochs": 1}),
    )
    prepared = prepare(spec.data)
    study = Study.create(folder / "study", spec, open_tuning(prepared).ledger)
    clock = Clock()
    run_study(study, prepared, observer=clock, entry=f"{Path(__file__).stem}:run_trivial")
    memory = [read_json(path) for path in sorted(study.directory.glob("trials/*/memory.json"))]
    return {
        "trials": n_trials,
        "trials_per_minute": round(60 * (len(clock.ends) - 1) / (clock.ends[-1] - clock.ends[0]), 1),
        "workers": len({row["worker"] for row in memory}),
        "worker_peak_mib_first_trials": round(max(row["mib"] for row in memory[:4])),
        "worker_peak_mib_all_trials": round(max(row["mib"] for row in memory)),
    }


def plain_rate(folder: Path, n_trials: int) -> dict[str, Any]:
    """Return trials a minute of plain Ray Tune with OptunaSearch and ASHA, a process a trial."""
    import optuna
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    ends: list[float] = []

    class Ends(tune.Callback):  # type: ignore[misc]
        def on_trial_complete(self, **info: Any) -> None:
            ends.append(time.monotonic())

    def objective(config: dict[str, float]) -> None:
        import lightning.pytorch as pl

        pl.seed_everything(1, verbose=False)
        for epoch in range(1, EPOCHS + 1):
            tune.report({"ndcg": config["dropout"] * epoch})

    space = {
        "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
        "dropout": optuna.distributions.FloatDistribution(0.0, 0.6),
        "hidden_dim": optuna.distributions.IntDistribution(32, 256, log=True),
    }
    tune.Tuner(
        tune.with_resources(objective, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            num_samples=n_trials,
            max_concurrent_trials=2,
            search_alg=OptunaSearch(space, metric="ndcg", mode="max", seed=1),
            scheduler=tune.schedulers.ASHAScheduler(metric="ndcg", mode="max", max_t=EPOCHS),
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "plain"), verbose=0, callbacks=[Ends()]),
    ).fit()
    rate = 60 * (len(ends) - 1) / (ends[-1] - ends[0])
    return {"trials": n_trials, "trials_per_minute": round(rate, 1)}


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--plain-trials", type=int, default=12)
    arguments = parser.parse_args()
    os.environ.update(private_environment() | {"PYTHONPATH": str(Path(__file__).parent)})
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        own = reeltune_rate(Path(name), arguments.trials)
        start_ray(2)
        plain = plain_rate(Path(name), arguments.plain_trials)
    result = {
        "machine": {"cores": os.cpu_count(), "platform": platform.platform()},
        "versions": {name: version(name) for name in ("ray", "optuna", "torch", "lightning")},
        "load_average": {"before": round(load_before, 2), "after": round(os.getloadavg()[0], 2)},
        "reeltune": own,
        "plain_ray_tune": plain,
        "ratio": round(own["trials_per_minute"] / plain["trials_per_minute"], 1),
    }
    write_json(arguments.out, result)
    print(result)


if __name__ == "__main__":
    main()
