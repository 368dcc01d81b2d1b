"""An epoch's training steps against the arithmetic floor of the machine.

The floor is the floating-point operations of the matrix products of a step, forward and backward, over the
rate at which this machine multiplies matrices of their shapes, measured in the same rounds: no code could
be faster. The batches are windows of MovieLens-1M, the loss is the full softmax; one thread, least
processor time of several rounds in which all take turns. Run it from the repository root:

    python benchmarks/arithmetic_floor.py --data-dir FOLDER --out benchmarks/results/arithmetic_floor.json
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch

from kernels import least_seconds
from reeltune.data.batch import TrainingBatch
from reeltune.data.config import DataConfig
from reeltune.data.prepared import PAD, TuningData
from reeltune.data.sequences import window_batches
from reeltune.data.store import open_tuning, prepare
from reeltune.files import write_json
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.registry import build_network
from reeltune.training.base import parameter_groups

EMBEDDING_DIM = 64
N_BATCHES = 6


class Steps:
    """Training steps of a GRU on the same few batches."""

    def __init__(self, hidden_dim: int, batches: list[TrainingBatch], n_items: int) -> None:
        config = GRUConfig(embedding_dim=EMBEDDING_DIM, hidden_dim=hidden_dim)
        self.batches = batches
        self.network = build_network(config, n_items).train()
        self.optimizer = torch.optim.AdamW(parameter_groups(self.network, 0.01), lr=1e-3, fused=True)

    def __call__(self) -> None:
        """Train on each batch once."""
        for batch in self.batches:
            is_position = batch.targets != PAD
            queries = self.network.encode(batch.histories)[is_position]
            vectors, bias = self.network.item_vectors(), self.network.item_bias()
            self.optimizer.zero_grad()
            full_softmax_loss(queries, vectors, bias, batch.targets[is_position]).backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()


def product(rows: int, inner: int, columns: int) -> tuple[Callable[[], None], float]:
    """Return a repeated matrix product of that shape and its floating-point operations."""
    left, right = torch.randn(rows, inner), torch.randn(inner, columns)
    out, repeats = left @ right, max(1, int(4e8 / (2.0 * rows * inner * columns)))

    def run() -> None:
        for _ in range(repeats):
            torch.mm(left, right, out=out)

    return run, 2.0 * rows * inner * columns * repeats


def measure_width(hidden_dim: int, data: TuningData, rounds: int) -> dict[str, object]:
    """Return the figures of one hidden width."""
    stream = window_batches(data.train, history_length=128, batch_size=64, seed=1, epoch=0)
    batches = list(islice(stream, N_BATCHES))
    n_targets = sum(int((batch.targets != PAD).sum()) for batch in batches)
    n_cells = sum(batch.targets.numel() for batch in batches)  # padding goes through the recurrence too
    n_items, width = data.n_items, EMBEDDING_DIM
    # (operations of the part in all batches, shape of its product); backward is twice the forward.
    parts = {
        "inputs": (3 * 2.0 * n_cells * width * 3 * hidden_dim, (8192, width, 3 * hidden_dim)),
        "recurrence": (3 * 2.0 * n_cells * hidden_dim * 3 * hidden_dim, (64, hidden_dim, 3 * hidden_dim)),
        "projection": (3 * 2.0 * n_cells * hidden_dim * width, (8192, hidden_dim, width)),
        "softmax": (3 * 2.0 * n_targets * width * n_items, (1024, width, n_items)),
    }
    products = {name: product(*shape) for name, (_, shape) in parts.items()}
    best = product(1024, 1024, 1024)
    contenders: dict[str, Callable[[], object]] = {name: run for name, (run, _) in products.items()}
    contenders |= {"best": best[0], "steps": Steps(hidden_dim, batches, n_items)}
    seconds = least_seconds(contenders, rounds)
    rates = {name: operations / seconds[name] for name, (_, operations) in products.items()}
    floor = sum(operations / rates[name] for name, (operations, _) in parts.items())
    total = sum(operations for operations, _ in parts.values())
    return {
        "hidden_dim": hidden_dim,
        "operations_a_position": round(total / n_targets),
        "gigaflops_of_products": {name: round(rate / 1e9, 1) for name, rate in rates.items()},
        "gigaflops_of_the_best_product": round(best[1] / seconds["best"] / 1e9, 1),
        "seconds_of_the_steps": round(seconds["steps"], 3),
        "seconds_of_the_floor": round(floor, 3),
        "share_of_the_floors_speed": round(floor / seconds["steps"], 3),
        "share_of_the_best_products_rate": round(total / (best[1] / seconds["best"]) / seconds["steps"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--dataset", default="movielens-1m")
    parser.add_argument("--data-dir", type=Path, help="where the data set's files are")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = open_tuning(prepare(DataConfig(dataset=args.dataset), data_dir=args.data_dir))
    figures = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "torch": torch.__version__,
            "threads": 1,
            "load_average": os.getloadavg()[0],
        },
        "dataset": args.dataset,
        "embedding_dim": EMBEDDING_DIM,
        "widths": [measure_width(width, data, args.rounds) for width in (128, 256, 512)],
    }
    for width in figures["widths"]:
        print(width)
    if args.out:
        write_json(args.out, figures)


if __name__ == "__main__":
    main()
