"""MovieLens-100K trials an hour of RecBole 1.2.1's GRU4Rec through its own Ray tuning.

RecBole wants older libraries than reeltune, so it has a virtual environment of its own:

    python -m venv recbole && recbole/bin/pip install recbole==1.2.1 "ray[tune]==2.6.3" "torch==2.13.0" \
        "numpy<2" "pandas<2.3" "scipy<1.13" "pyarrow<16" "setuptools<80" "pydantic<2" \
        hyperopt thop
    recbole/bin/python benchmarks/recbole_trials.py --seconds 240 --out recbole.json

As in its ``run_hyper.py --tool Ray``: ``objective_function`` in ``tune.run``, two slots of one processor.
Its split, filter and metric are set to reeltune's (5-core, leave-one-out, whole catalogue). The search is
ended after ``--seconds``. Because a trial is far longer than that, each logs how many of its training batches
it has done, and the length of a trial of ``--epochs`` epochs follows from their pace.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

SPACE = {"hidden_size": [32, 256], "learning_rate": [5e-4, 2e-2], "dropout_prob": [0.0, 0.6]}


def settings(data: Path, epochs: int, saved: Path) -> dict[str, Any]:
    """Return RecBole's configuration: its defaults but for the protocol, the epochs and the sizes."""
    return {
        "model": "GRU4Rec",
        "dataset": "ml-100k",
        "data_path": str(data),
        "epochs": epochs,
        "embedding_size": 64,
        "train_neg_sample_args": None,
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": None},
        "metrics": ["NDCG", "Hit"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "item_inter_num_interval": "[5,inf)",
        "state": "ERROR",
        "show_progress": False,
        "use_gpu": False,
        "worker": 0,
        "checkpoint_dir": str(saved),
    }


def watch_batches(log: Path) -> None:
    """Make RecBole's trainer write down when each training batch is done and what each validation gives."""
    from recbole.trainer import Trainer

    fit_epoch, validate = Trainer._train_epoch, Trainer._valid_epoch

    def train_epoch(self: Any, data: Any, epoch: int, **options: Any) -> Any:
        n_batches, loss = len(data), self.model.calculate_loss
        done = 0

        def counted(batch: Any) -> Any:
            nonlocal done
            done += 1
            with log.open("a") as file:
                line = {"time": time.time(), "trial": os.getpid(), "epoch": epoch, "batch": done}
                file.write(json.dumps(line | {"of": n_batches}) + "\n")
            return loss(batch)

        return fit_epoch(self, data, epoch, loss_func=counted, **options)

    def valid_epoch(self: Any, *arguments: Any, **options: Any) -> Any:
        result = validate(self, *arguments, **options)
        with log.open("a") as file:
            line = {"time": time.time(), "trial": os.getpid(), "ndcg@10": float(result[0])}
            file.write(json.dumps(line) + "\n")
        return result

    Trainer._train_epoch, Trainer._valid_epoch = train_epoch, valid_epoch


def trial(config: dict[str, Any], base: dict[str, Any], log: str) -> None:
    """Run RecBole's objective function."""
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # RecBole loads pickles of its own
    import torch
    from recbole.quick_start import objective_function

    torch.set_num_threads(1)
    watch_batches(Path(log))
    objective_function({**base, **config}, saved=False)


def search(base: dict[str, Any], log: Path, seconds: float, n_trials: int) -> tuple[int, float]:
    """Run the search until ``seconds`` are over; return the trials that ended and the seconds taken."""
    import ray
    from ray import tune

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    space = {
        "hidden_size": tune.randint(*SPACE["hidden_size"]),
        "learning_rate": tune.loguniform(*SPACE["learning_rate"]),
        "dropout_prob": tune.uniform(*SPACE["dropout_prob"]),
    }
    start = time.monotonic()
    result = tune.run(
        tune.with_parameters(trial, base=base, log=str(log)),
        config=space,
        num_samples=n_trials,
        resources_per_trial={"cpu": 1},
        time_budget_s=seconds,
        local_dir=str(log.parent / "ray"),
        verbose=0,
        raise_on_failed_trial=False,
    )
    ended = sum("ndcg@10" in (t.last_result or {}) for t in result.trials)
    return ended, time.monotonic() - start


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--trials", type=int, default=64)
    arguments = parser.parse_args()
    import recbole

    data = Path(recbole.__file__).parent / "dataset_example"
    log = arguments.out.absolute().with_suffix(".jsonl")
    log.unlink(missing_ok=True)
    base = settings(data, arguments.epochs, log.parent / "saved")
    n_ended, seconds = search(base, log, arguments.seconds, arguments.trials)
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    batches = [line for line in lines if "batch" in line]
    paces = []
    for pid in {line["trial"] for line in batches}:
        own = [line for line in batches if line["trial"] == pid]
        if len(own) > 1:
            paces.append((own[-1]["time"] - own[0]["time"]) / (len(own) - 1))
    batch_seconds = sum(paces) / len(paces)
    trial_seconds = batch_seconds * batches[0]["of"] * arguments.epochs
    validations = [line["ndcg@10"] for line in lines if "ndcg@10" in line]
    result = {
        "machine": {"cores": os.cpu_count(), "platform": platform.platform()},
        "load_average_after": round(os.getloadavg()[0], 2),
        "epochs_a_trial": arguments.epochs,
        "seconds": round(seconds, 1),
        "trials_ended": n_ended,
        "batches_done": len(batches),
        "batches_an_epoch": batches[0]["of"],
        "seconds_a_batch": round(batch_seconds, 3),
        "seconds_a_trial_training_alone": round(trial_seconds, 1),
        "trials_per_hour_two_at_once": round(2 * 3600 / trial_seconds, 3),
        "best_validation_ndcg@10_so_far": max(validations, default=None),
    }
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    print(result)


if __name__ == "__main__":
    main()
