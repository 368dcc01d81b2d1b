"""Training through the LightningModule against a bare PyTorch loop of the same network and batches.

Both train and validate whole epochs on one thread and take turns epoch by epoch, so that neighbours on
the machine disturb both alike; the Lightning side also writes its checkpoints. The ratio is the median
over turns of the ratio of processor seconds. Run it from the repository root:

    python benchmarks/training_throughput.py --out benchmarks/results/training_throughput.json
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch

from reeltune.data.config import DataConfig
from reeltune.data.prepared import PAD, TuningData
from reeltune.data.sequences import n_window_batches, window_batches
from reeltune.data.store import open_tuning, prepare
from reeltune.files import write_json
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import ranking_metrics
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.registry import build_network
from reeltune.training.base import parameter_groups
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import EpochReport
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.run import run_trial

Seconds = tuple[float, float]  # processor and wall seconds of an epoch


def clock() -> Seconds:
    """Return processor and wall seconds since an arbitrary moment."""
    return time.process_time(), time.perf_counter()


class BareLoop:
    """Trains and validates the same network on the same batches without any framework."""

    def __init__(self, config: TrialConfig, data: TuningData) -> None:
        training = config.training
        self.data = data
        self.shape = {"history_length": training.history_length, "batch_size": training.batch_size}
        self.clip = training.gradient_clip
        self.network = build_network(config.model, data.n_items)
        groups = parameter_groups(self.network, training.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)
        n_steps = n_window_batches(data.train, **self.shape) * training.max_epochs
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, training.learning_rate, total_steps=n_steps + 1
        )

    def epoch(self, number: int) -> None:
        """Train one epoch and rank the validation queries."""
        network = self.network.train()
        for batch in window_batches(self.data.train, seed=1, epoch=number, **self.shape):
            is_position = batch.targets != PAD
            queries = network.encode(batch.histories)[is_position]
            targets = batch.targets[is_position]
            loss = full_softmax_loss(queries, network.item_vectors(), network.item_bias(), targets)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), self.clip)
            self.optimizer.step()
            self.schedule.step()
        ranking_metrics(rank_queries(network, self.data.validation))


def take_turns(config: TrialConfig, data: TuningData) -> dict[str, list[Seconds]]:
    """Return the seconds of each epoch of both sides; the bare one trains inside the other's reports."""
    bare = BareLoop(config, data)
    seconds: dict[str, list[Seconds]] = {"lightning": [], "bare": []}
    start = clock()

    def close(side: str) -> None:
        nonlocal start
        now = clock()
        seconds[side].append((now[0] - start[0], now[1] - start[1]))
        start = now

    def report(epoch: EpochReport) -> None:
        close("lightning")
        bare.epoch(epoch.epoch - 1)
        close("bare")

    with tempfile.TemporaryDirectory() as folder:
        run_trial(config, data, report, directory=Path(folder), seed=1)
    return {side: epochs[1:] for side, epochs in seconds.items()}  # the first pays for the start


def measure(dataset: str, epochs: int, data_dir: Path | None) -> dict[str, object]:
    """Return the figures of ``epochs`` turns of both sides."""
    data = open_tuning(prepare(DataConfig(dataset=dataset), data_dir=data_dir))
    config = TrialConfig(training=TrainingConfig(max_epochs=epochs + 1, patience=epochs + 1))
    seconds = take_turns(config, data)
    processor = {side: statistics.median(cpu for cpu, _ in epochs) for side, epochs in seconds.items()}
    wall = {side: statistics.median(wall for _, wall in epochs) for side, epochs in seconds.items()}
    pairs = zip(seconds["bare"], seconds["lightning"], strict=True)
    ratios = [bare[0] / lightning[0] for bare, lightning in pairs]
    n_positions = int((data.train.lengths - 1).clip(min=0).sum())
    return {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "torch": torch.__version__,
            "threads": 1,
            "load_average": os.getloadavg()[0],
        },
        "dataset": dataset,
        "config": config.plain(),
        "positions_an_epoch": n_positions,
        "epochs_measured": epochs,
        "processor_seconds_an_epoch": {name: round(value, 3) for name, value in processor.items()},
        "wall_seconds_an_epoch": {name: round(value, 3) for name, value in wall.items()},
        "positions_a_processor_second": round(n_positions / processor["lightning"]),
        "throughput_ratio": round(statistics.median(ratios), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--dataset", default="movielens-100k")
    parser.add_argument("--data-dir", type=Path, help="where the data set's files are")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of each side")
    args = parser.parse_args()
    torch.set_num_threads(1)
    figures = measure(args.dataset, args.epochs, args.data_dir)
    for name in ("processor_seconds_an_epoch", "wall_seconds_an_epoch", "throughput_ratio"):
        print(f"{name}: {figures[name]}")
    if args.out:
        write_json(args.out, figures)


if __name__ == "__main__":
    main()
