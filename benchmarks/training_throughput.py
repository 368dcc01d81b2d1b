"""Training through the LightningModule against a bare PyTorch loop of the same network and batches.

Both train and validate whole epochs on one thread and take turns, so that neighbours on the machine
disturb both alike; the Lightning side also writes its checkpoints. The ratio is that of the median
processor seconds of an epoch. Run it from the repository root:

    python benchmarks/training_throughput.py --out benchmarks/results/training_throughput.json
"""

from __future__ import annotations

import argparse
import itertools
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
from reeltune.metrics.ranking import ranking_metrics
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.registry import build_network
from reeltune.training.config import TrainingConfig
from reeltune.tuning.trial import TrialConfig, run_trial

Seconds = tuple[float, float]  # processor and wall seconds of an epoch


def clock() -> Seconds:
    """Return processor and wall seconds since an arbitrary moment."""
    return time.process_time(), time.perf_counter()


def differences(moments: list[Seconds]) -> list[Seconds]:
    """Return the seconds between one moment and the next."""
    pairs = itertools.pairwise(moments)
    return [(after[0] - before[0], after[1] - before[1]) for before, after in pairs]


def lightning_epochs(config: TrialConfig, data: TuningData) -> list[Seconds]:
    """Return the seconds of each epoch after the first, which also pays for the start."""
    moments: list[Seconds] = []
    with tempfile.TemporaryDirectory() as folder:
        run_trial(config, data, lambda _: moments.append(clock()), directory=Path(folder), seed=1)
    return differences(moments)


def bare_epochs(config: TrialConfig, data: TuningData) -> list[Seconds]:
    """Return the seconds of each epoch after the first of a loop without any framework."""
    training = config.training
    torch.manual_seed(1)
    network = build_network(config.model, data.n_items)
    optimizer = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, fused=True)
    shape = {"history_length": training.history_length, "batch_size": training.batch_size}
    n_steps = n_window_batches(data.train, **shape) * training.max_epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.learning_rate, total_steps=n_steps + 1)
    moments: list[Seconds] = []
    for epoch in range(training.max_epochs):
        network.train()
        for batch in window_batches(data.train, seed=1, epoch=epoch, **shape):
            is_position = batch.targets != PAD
            queries = network.encode(batch.histories)[is_position]
            targets = batch.targets[is_position]
            loss = full_softmax_loss(queries, network.item_vectors(), network.item_bias(), targets)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), training.gradient_clip)
            optimizer.step()
            schedule.step()
        ranking_metrics(rank_queries(network, data.validation))
        moments.append(clock())
    return differences(moments)


def measure(dataset: str, epochs: int, rounds: int, data_dir: Path | None) -> dict[str, object]:
    """Return the figures of ``rounds`` turns of both sides."""
    data = open_tuning(prepare(DataConfig(dataset=dataset), data_dir=data_dir))
    config = TrialConfig(training=TrainingConfig(max_epochs=epochs))
    lightning: list[Seconds] = []
    bare: list[Seconds] = []
    for _ in range(rounds):
        lightning += lightning_epochs(config, data)
        bare += bare_epochs(config, data)
    processor = {
        "lightning": statistics.median(seconds[0] for seconds in lightning),
        "bare": statistics.median(seconds[0] for seconds in bare),
    }
    wall = {
        "lightning": statistics.median(seconds[1] for seconds in lightning),
        "bare": statistics.median(seconds[1] for seconds in bare),
    }
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
        "epochs_measured": len(bare),
        "processor_seconds_an_epoch": {name: round(value, 3) for name, value in processor.items()},
        "wall_seconds_an_epoch": {name: round(value, 3) for name, value in wall.items()},
        "positions_a_processor_second": round(n_positions / processor["lightning"]),
        "throughput_ratio": round(processor["bare"] / processor["lightning"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--dataset", default="movielens-100k")
    parser.add_argument("--data-dir", type=Path, help="where the data set's files are")
    parser.add_argument("--epochs", type=int, default=4, help="epochs a turn; the first is not measured")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side")
    args = parser.parse_args()
    torch.set_num_threads(1)
    figures = measure(args.dataset, args.epochs, args.rounds, args.data_dir)
    for name in ("processor_seconds_an_epoch", "wall_seconds_an_epoch", "throughput_ratio"):
        print(f"{name}: {figures[name]}")
    if args.out:
        write_json(args.out, figures)


if __name__ == "__main__":
    main()
