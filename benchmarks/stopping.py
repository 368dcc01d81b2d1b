"""Epochs that early stopping saves at equal final quality, on recorded learning curves.

``record`` trains configurations spread over a space to their last epoch and writes their curves;
``compare`` replays the curves through the study's own scheduler, in many orders and with several trials
at once, and counts epochs, wall-clock time and the quality of the winner. Run it from the repository root:

    python benchmarks/stopping.py record --data-dir FOLDER --out benchmarks/results/stopping_curves.json
    python benchmarks/stopping.py compare --out benchmarks/results/stopping.json
"""

from __future__ import annotations

import argparse
import heapq
import statistics
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from reeltune.config import Config, parse_yaml
from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.files import read_json, write_json
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import EpochReport
from reeltune.tuning.ray.schedulers import StudyScheduler
from reeltune.tuning.ray.worker import EPOCH, JOB, OBJECTIVE, REPORT
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.search.history import History
from reeltune.tuning.search.searchers import QmcConfig
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.study.spec import StudySettings
from reeltune.tuning.study.storage import quiet_optuna
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.job import TrialJob
from reeltune.tuning.trial.run import run_trial

SPACE = """
model: gru
space:
  model.embedding_dim:     {kind: choice, values: [32, 64]}
  model.hidden_dim:        {kind: int, low: 32, high: 96, log: true}
  model.embedding_dropout: {kind: float, low: 0.0, high: 0.7}
  model.dropout:           {kind: float, low: 0.0, high: 0.6}
  training.learning_rate:  {kind: float, low: 5.0e-4, high: 2.0e-2, log: true}
  training.weight_decay:   {kind: float, low: 1.0e-4, high: 3.0, log: true}
  training.batch_size:     {kind: choice, values: [64, 128]}
"""
OBJECTIVE_LABEL = "ndcg@10"
CURVES = Path(__file__).parent / "results" / "stopping_curves.json"
RULES: dict[str, dict[str, Any]] = {
    "none": {"name": "none"},
    "asha, grace 1": {"name": "asha", "grace_epochs": 1},
    "asha, grace 2": {"name": "asha", "grace_epochs": 2},
    "asha, grace 3": {"name": "asha", "grace_epochs": 3},
    "hyperband": {"name": "hyperband"},
    "median": {"name": "median", "grace_epochs": 2},
}
N_ORDERS = 40


def record(data_dir: Path | None, n_trials: int, n_epochs: int, out: Path) -> None:
    """Train configurations spread over the space to the end and write their curves."""
    directory = prepare(DataConfig(dataset="movielens-100k"), data_dir=data_dir)
    data = open_tuning(directory)
    training = TrainingConfig(max_epochs=n_epochs, patience=n_epochs)
    trial = TrialConfig(training=training, objective=OBJECTIVE_LABEL)
    sections: dict[str, Config] = {"model": trial.model, "training": trial.training}
    space = parse_space(parse_yaml(SPACE, "space"), sections, "gru")
    quiet_optuna()
    history = History(space, QmcConfig(), 17, ["maximize"])
    curves = []
    for number in range(n_trials):
        params = history.suggest(trial.plain(), {}).params
        config = TrialConfig.model_validate(space.apply(trial.plain(), params))
        epochs: list[EpochReport] = []
        with tempfile.TemporaryDirectory() as folder:
            result = run_trial(config, data, epochs.append, directory=Path(folder), seed=number)
        if result.state is TrialState.COMPLETE:
            values = [round(epoch.metrics[OBJECTIVE_LABEL], 6) for epoch in epochs]
            seconds = [round(epoch.seconds, 2) for epoch in epochs]
            curves.append({"params": params, "values": values, "seconds": seconds})
        print(f"{number + 1}/{n_trials}: {result.state}, {OBJECTIVE_LABEL} {max(values):.4f}", flush=True)
        described = {
            "ledger": data.ledger.plain(),
            "objective": OBJECTIVE_LABEL,
            "epochs": n_epochs,
            "versions": {name: version(name) for name in ("torch", "lightning", "ray")},
            "curves": curves,
        }
        write_json(out, described)


@dataclass
class Replay:
    """A study over recorded curves, without workers: what the scheduler sees of a recorder."""

    settings: StudySettings
    curves: list[list[float]]  # best so far by epoch, in the order of the trials
    costs: list[list[float]]  # seconds by epoch
    done: dict[int, TrialRow] = field(default_factory=dict)
    told: dict[int, list[EpochReport]] = field(default_factory=dict)

    @property
    def study(self) -> Any:
        """The parts of a study that the scheduler reads."""
        goal = Goal((OBJECTIVE_LABEL,))
        return SimpleNamespace(spec=SimpleNamespace(study=self.settings), goal=goal, higher_is_better=True)

    @property
    def rows(self) -> list[TrialRow]:
        """Trials of earlier runs: none."""
        return []

    def row(self, number: int) -> TrialRow | None:
        """Return the row of a trial that ended."""
        return self.done.get(number)

    def epochs(self, number: int) -> list[EpochReport]:
        """Return the epochs told so far."""
        return self.told.get(number, [])

    def run(self) -> dict[str, float]:
        """Run all trials and return the epochs, seconds and winner."""
        n_epochs = len(self.curves[0])
        scheduler = StudyScheduler(self, n_epochs)  # type: ignore[arg-type]
        clock, started = 0.0, 0
        events: list[tuple[float, int, int]] = []  # (time of the end of an epoch, trial, epoch)
        is_waiting_for_all = self.settings.scheduler.name != "none" and self.settings.lag is not None
        while started < len(self.curves) or events:
            while started < len(self.curves) and len(events) < self.settings.concurrency:
                horizon = max(started - (self.settings.lag or 0), 0) if is_waiting_for_all else 0
                if any(other not in self.done for other in range(horizon)):
                    break
                scheduler.on_trial_add(None, self._trial(started))
                heapq.heappush(events, (clock + self.costs[started][0], started, 1))
                started += 1
            clock, number, epoch = heapq.heappop(events)
            if self._goes_on(scheduler, number, epoch) and epoch < n_epochs:
                heapq.heappush(events, (clock + self.costs[number][epoch], number, epoch + 1))
                continue
            state = TrialState.COMPLETE if epoch == n_epochs else TrialState.STOPPED
            self.done[number] = TrialRow(number, state, "", {}, {}, 0, value=self.curves[number][epoch - 1])
            scheduler.on_trial_complete(None, self._trial(number), {})
        complete = [row.value for row in self.done.values() if row.state is TrialState.COMPLETE]
        return {
            "epochs": sum(len(epochs) for epochs in self.told.values()),
            "seconds": clock,
            "best": max(value for value in complete if value is not None),
        }

    def _goes_on(self, scheduler: StudyScheduler, number: int, epoch: int) -> bool:
        value = self.curves[number][epoch - 1]
        report = EpochReport(epoch, {OBJECTIVE_LABEL: value}, value, 0.0, self.costs[number][epoch - 1])
        message = {EPOCH: epoch, OBJECTIVE: value, REPORT: report}
        decision = scheduler.on_trial_result(None, self._trial(number), message)
        self.told.setdefault(number, []).append(report)
        return decision == "CONTINUE"

    def _trial(self, number: int) -> Any:
        job = TrialJob(
            number=number,
            seed=0,
            params={},
            config={"training": {"max_epochs": len(self.curves[0])}},
            directory="",
            data_directory="",
            study="",
            study_directory="",
        )
        return SimpleNamespace(config={JOB: job}, trial_id=str(number))


def compare(curves: list[dict[str, Any]], concurrency: int, lag: int | None) -> dict[str, Any]:
    """Return epochs, seconds and the winner's quality of each rule, as means over many orders."""
    best_so_far = [np.maximum.accumulate(curve["values"]).tolist() for curve in curves]
    found: dict[str, Any] = {}
    for label, scheduler in RULES.items():
        runs = []
        for order in range(N_ORDERS):
            places = np.random.default_rng(order).permutation(len(curves))
            settings = StudySettings.model_validate(
                {"scheduler": scheduler, "lag": lag, "concurrency": concurrency}
            )
            values = [best_so_far[place] for place in places]
            costs = [curves[place]["seconds"] for place in places]
            runs.append(Replay(settings, values, costs).run())
        top = max(values[-1] for values in best_so_far)
        found[label] = {
            "epochs": round(statistics.mean(run["epochs"] for run in runs), 1),
            "seconds": round(statistics.mean(run["seconds"] for run in runs), 1),
            "best": round(statistics.mean(run["best"] for run in runs), 5),
            "finds_the_best": sum(run["best"] == top for run in runs) / len(runs),
        }
    full = found["none"]["epochs"]
    for entry in found.values():
        entry["epochs_saved"] = round(1 - entry["epochs"] / full, 3)
    return found


def main() -> None:
    """Record curves, or compare rules on them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("action", choices=["record", "compare"])
    parser.add_argument("--curves", type=Path, default=CURVES)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.action == "record":
        record(args.data_dir, args.trials, args.epochs, args.out)
        return
    recorded = read_json(args.curves)
    results = [
        {"concurrency": concurrency, "lag": lag, "rules": compare(recorded["curves"], concurrency, lag)}
        for concurrency, lag in [(1, None), (2, None), (2, 3), (2, 7), (4, None), (4, 3)]
    ]
    write_json(
        args.out,
        {
            "curves": len(recorded["curves"]),
            "epochs_each": recorded["epochs"],
            "orders": N_ORDERS,
            "fingerprint": recorded["ledger"]["fingerprint"],
            "results": results,
        },
    )
    for result in results:
        print(f"{result['concurrency']} at once, lag {result['lag']}")
        for label, entry in result["rules"].items():
            print(f"  {label:15} " + "  ".join(f"{key} {value}" for key, value in entry.items()))


if __name__ == "__main__":
    main()
