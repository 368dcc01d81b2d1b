"""What threads cost: trials side by side with their share of the cores, and with more threads than cores.

Each way trains as many trials at once as the machine has cores, for the same steps, or one trial with all
cores; a figure is steps a second over all trials. A study gives each trial its share of the cores, which is
the first line. Run it from the repository root on a machine that has nothing else to do:

    python benchmarks/threads.py --out benchmarks/results/threads.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

from reeltune.data.sequences import to_histories
from reeltune.files import write_json
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.registry import build_network

N_ITEMS, N_ROWS, N_STEPS = 3416, 64, 128


def train(n_threads: int, seconds: float) -> float:
    """Return the steps a second of a GRU that is trained for ``seconds`` after a step to warm up."""
    torch.set_num_threads(n_threads)
    torch.manual_seed(0)
    network = build_network(GRUConfig(embedding_dim=64, hidden_dim=128), N_ITEMS).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    items = torch.randint(1, N_ITEMS + 1, (N_ROWS, N_STEPS + 1))
    histories, targets = to_histories(items[:, :-1].tolist()), items[:, 1:].flatten()

    def step() -> None:
        queries = network.encode(histories).flatten(0, 1)
        optimizer.zero_grad()
        full_softmax_loss(queries, network.item_vectors(), network.item_bias(), targets).backward()
        optimizer.step()

    step()
    start, n_steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        n_steps += 1
    return n_steps / (time.perf_counter() - start)


def together(n_trials: int, n_threads: int, seconds: float) -> float:
    """Return the steps a second of ``n_trials`` processes at once, all together."""
    command = [sys.executable, __file__, "--train", str(n_threads), "--seconds", str(seconds)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(n_threads)}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(n_trials)]
    return sum(float(process.communicate()[0]) for process in running)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each way and round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--train", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.train:
        print(train(args.train, args.seconds))
        return
    n_cores = len(os.sched_getaffinity(0))
    ways = {
        f"{n_cores} trials with 1 thread each": (n_cores, 1),
        f"1 trial with {n_cores} threads": (1, n_cores),
        f"{n_cores} trials with {n_cores} threads each": (n_cores, n_cores),
        f"{n_cores} trials with {4 * n_cores} threads each": (n_cores, 4 * n_cores),
    }
    load = os.getloadavg()[0]
    best = dict.fromkeys(ways, 0.0)
    for _ in range(args.rounds):
        for name, (n_trials, n_threads) in ways.items():
            best[name] = max(best[name], together(n_trials, n_threads, args.seconds))
    own = next(iter(best.values()))
    figures = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "cores": n_cores,
            "load_average": load,
        },
        "step": {"rows": N_ROWS, "steps": N_STEPS, "hidden_dim": 128, "n_items": N_ITEMS},
        "steps_a_second": {name: round(rate, 3) for name, rate in best.items()},
        "share_of_the_first": {name: round(rate / own, 3) for name, rate in best.items()},
    }
    print(json.dumps(figures, indent=1))
    if args.out:
        write_json(args.out, figures)


if __name__ == "__main__":
    main()
