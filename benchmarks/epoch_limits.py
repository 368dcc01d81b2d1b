"""Peak memory of a large epoch, and the time of ranking everybody's next movie in the whole catalogue.

The epoch is one of MovieLens-1M, its validation included, at length 200, batch 64, hidden 256, in a process
of its own whose peak the operating system tells. The ranking is that of the 6,040 validation queries by a GRU
of hidden 128, with one thread and with two. Run it from the repository root:

    python benchmarks/epoch_limits.py --data-dir FOLDER --out benchmarks/results/epoch_limits.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.files import write_json
from reeltune.metrics.evaluate import rank_queries
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.registry import build_network
from reeltune.training.config import TrainingConfig
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.run import run_trial

BATCH_SIZES = (64, 256, 1024)


def peak_kib() -> int:
    """Return the most memory this program held, in KiB; ``ru_maxrss`` would count its parent's in."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "this needs Linux"
    return int(found.group(1))


def train_epoch(folder: Path) -> dict[str, float]:
    """Train one large epoch and return its seconds and the peak of this process."""
    data = open_tuning(folder)
    config = TrialConfig(
        model=GRUConfig(embedding_dim=64, hidden_dim=256),
        training=TrainingConfig(max_epochs=1, batch_size=64, history_length=200),
    )
    before = peak_kib()
    with tempfile.TemporaryDirectory() as run:
        result = run_trial(config, data, lambda _: None, directory=Path(run), seed=1)
    peak = peak_kib()
    return {
        "seconds": round(result.seconds, 1),
        "before_gib": round(before / 2**20, 3),  # the interpreter with its libraries
        "peak_gib": round(peak / 2**20, 3),
    }


def rank_everybody(folder: Path, n_threads: int, batch_size: int, rounds: int = 3) -> float:
    """Return the least wall seconds of ranking all validation queries."""
    data = open_tuning(folder)
    torch.set_num_threads(n_threads)
    network = build_network(GRUConfig(hidden_dim=128), data.n_items)
    least = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        rank_queries(network, data.validation, batch_size=batch_size)
        least = min(least, time.perf_counter() - start)
    return round(least, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--data-dir", type=Path, help="where the data set's files are")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.train:
        print(json.dumps(train_epoch(args.train)))
        return
    folder = prepare(DataConfig(dataset="movielens-1m"), data_dir=args.data_dir)
    load = os.getloadavg()[0]
    ranking = {
        f"{n_threads} threads, batches of {batch_size}": rank_everybody(folder, n_threads, batch_size)
        for n_threads in (1, 2)
        for batch_size in BATCH_SIZES
    }
    command = [sys.executable, __file__, "--train", str(folder)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    n_items = open_tuning(folder).n_items
    figures = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "load_average": load,
        },
        "epoch": {"dataset": "movielens-1m", "history_length": 200, "batch_size": 64, "hidden_dim": 256}
        | json.loads(ended.stdout),
        "wall_seconds_to_rank_6040_users": ranking,
        "bytes_of_a_chunk_of_scores": {size: 4 * size * (n_items + 1) for size in BATCH_SIZES},
        "bytes_of_all_scores": 4 * open_tuning(folder).validation.n_queries * (n_items + 1),
    }
    print(json.dumps(figures, indent=1))
    if args.out:
        write_json(args.out, figures)


if __name__ == "__main__":
    main()
