"""Real MovieLens-100K trials an hour: reeltune, and Ray Tune with Lightning as Ray's documentation shows it.

Both search the same three values of the same network on the same batches with two slots of one processor, for
the same wall-clock seconds, Ray's start left out for the plain script only: reeltune with its defaults (TPE,
ASHA, reused workers), the plain script with random draws and ASHA, a process a trial, a checkpoint of
Lightning's each epoch. RecBole's share is ``recbole_trials.py``, whose JSON is taken in. From the root:

    python benchmarks/real_trials.py --recbole recbole.json --out benchmarks/results/real_trials.json
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reeltune.config import parse_yaml
from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.files import read_json, write_json
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.config import TrainingConfig
from reeltune.tuning.ray.engine import run_study
from reeltune.tuning.ray.session import private_environment, start_ray
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.spec import StudySettings, StudySpec
from reeltune.tuning.trial.config import TrialConfig

SPACE = """
model: gru
space:
  model.hidden_dim: {kind: int, low: 32, high: 256}
  training.learning_rate: {kind: float, low: 5e-4, high: 2e-2, log: true}
  model.dropout: {kind: float, low: 0.0, high: 0.6}
"""


def default_trial(epochs: int) -> TrialConfig:
    """Return the configuration that the space changes."""
    return TrialConfig(model=GRUConfig(embedding_dim=64), training=TrainingConfig(max_epochs=epochs))


def own_way(prepared: Path, folder: Path, seconds: float, epochs: int) -> dict[str, Any]:
    """Return what a study of reeltune does in ``seconds``."""
    trial = default_trial(epochs)
    sections = {"model": trial.model, "training": trial.training}
    spec = StudySpec(
        data=DataConfig(dataset="movielens-100k"),
        trial=trial,
        space=parse_space(parse_yaml(SPACE, "space"), sections, "gru"),
        study=StudySettings(trials=100_000, study_seconds=seconds),
    )
    study = Study.create(folder / "study", spec, open_tuning(prepared).ledger)
    run_study(study, prepared)
    cut = "the study's time limit"
    rows = [row for row in study.rows() if row.state.is_finished and not row.reason.startswith(cut)]
    return summary([row.value or 0.0 for row in rows], [row.n_epochs for row in rows], seconds)


def plain_trial(config: dict[str, Any], prepared: str, epochs: int) -> None:
    """Train one configuration with Lightning and report each epoch to Ray Tune."""
    import lightning.pytorch as pl
    import torch
    from ray.tune.integration.pytorch_lightning import TuneReportCheckpointCallback

    from reeltune.data.datamodule import SequenceDataModule
    from reeltune.metrics.registry import ranking_metrics
    from reeltune.training.next_item import NextItemModule

    pl.seed_everything(1, verbose=False)
    data = open_tuning(Path(prepared))
    base = default_trial(epochs)
    model = base.model.plain() | {"hidden_dim": config["hidden_dim"], "dropout": config["dropout"]}
    training = base.training.plain() | {"learning_rate": config["learning_rate"]}
    module = NextItemModule(model, training, data.n_items)
    batches = SequenceDataModule(data, history_length=128, batch_size=base.training.batch_size, seed=1)

    class Ndcg(pl.Callback):
        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            value = ranking_metrics(module.ranks)["ndcg@10"]
            trainer.callback_metrics["ndcg"] = torch.tensor(value)

    report = TuneReportCheckpointCallback({"ndcg": "ndcg"}, on="validation_end")
    pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        gradient_clip_val=base.training.gradient_clip,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Ndcg(), report],
    ).fit(module, datamodule=batches)


def plain_way(prepared: Path, folder: Path, seconds: float, epochs: int) -> dict[str, Any]:
    """Return what the plain script does in ``seconds``."""
    from ray import tune

    ended: list[tuple[float, int]] = []

    class Ends(tune.Callback):  # type: ignore[misc]
        def on_trial_complete(self, *, trial: Any, **info: Any) -> None:
            last = trial.metric_analysis["ndcg"]
            ended.append((last["max"], trial.last_result["training_iteration"]))

    start_ray(2)
    runner = tune.with_parameters(plain_trial, prepared=str(prepared), epochs=epochs)
    start = time.monotonic()
    tune.Tuner(
        tune.with_resources(runner, {"cpu": 1}),
        param_space={
            "hidden_dim": tune.randint(32, 257),
            "learning_rate": tune.loguniform(5e-4, 2e-2),
            "dropout": tune.uniform(0.0, 0.6),
        },
        tune_config=tune.TuneConfig(
            num_samples=1000,
            max_concurrent_trials=2,
            time_budget_s=seconds,
            scheduler=tune.schedulers.ASHAScheduler(
                metric="ndcg", mode="max", max_t=epochs, grace_period=min(3, epochs), reduction_factor=3
            ),
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "plain"), verbose=0, callbacks=[Ends()]),
    ).fit()
    kept = ended if time.monotonic() - start < seconds else ended[:-2]  # the last two were cut by the clock
    return summary([value for value, _ in kept], [n for _, n in kept], seconds)


def summary(values: list[float], n_epochs: list[int], seconds: float) -> dict[str, Any]:
    """Return the figures of one way."""
    return {
        "trials_ended": len(values),
        "trials_per_hour": round(3600 * len(values) / seconds, 1),
        "epochs": sum(n_epochs),
        "best_validation_ndcg@10": round(max(values, default=0.0), 4),
    }


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recbole", type=Path, help="JSON of recbole_trials.py")
    parser.add_argument("--data-dir", type=Path, help="where the data set's files are")
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    os.environ.update(private_environment() | {"PYTHONPATH": str(Path(__file__).parent)})
    prepared = prepare(DataConfig(dataset="movielens-100k"), data_dir=arguments.data_dir)
    load = [round(os.getloadavg()[0], 2)]
    with tempfile.TemporaryDirectory() as name:
        own = own_way(prepared, Path(name), arguments.seconds, arguments.epochs)
        load.append(round(os.getloadavg()[0], 2))
        plain = plain_way(prepared, Path(name), arguments.seconds, arguments.epochs)
        load.append(round(os.getloadavg()[0], 2))
    result = {
        "machine": {"cores": os.cpu_count(), "platform": platform.platform()},
        "versions": {name: version(name) for name in ("ray", "optuna", "torch", "lightning")},
        "load_average_before_between_after": load,
        "seconds_each": arguments.seconds,
        "epochs_a_trial": arguments.epochs,
        "reeltune": own,
        "plain_ray_tune_and_lightning": plain,
    }
    if arguments.recbole is not None:
        recbole = read_json(arguments.recbole)
        result["recbole"] = recbole
        result["times_recbole"] = round(own["trials_per_hour"] / recbole["trials_per_hour_two_at_once"], 1)
    if plain["trials_per_hour"]:
        result["times_plain"] = round(own["trials_per_hour"] / plain["trials_per_hour"], 2)
    write_json(arguments.out, result)
    print(result)


if __name__ == "__main__":
    main()
