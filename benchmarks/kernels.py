"""Time of the hand-written kernels against PyTorch's own and against the arithmetic floor.

Each figure is the least processor time of several rounds in which the contenders take turns, on one
thread, so that neighbours on the machine disturb all of them alike. The floor of an operation is its
floating-point operations over the best rate of the matrix products it consists of, measured in the
same rounds. Run it from the repository root:

    python benchmarks/kernels.py --out benchmarks/results/kernels.json
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from reeltune.files import write_json
from reeltune.models.kernels.dropout import Dropout
from reeltune.models.kernels.gru import FusedGRU
from reeltune.models.kernels.softmax import full_softmax_loss

N_ITEMS = 3416  # MovieLens-1M after the 5-core
N_POSITIONS = 8192  # 64 windows of 128 movies
N_WINDOWS, N_STEPS = 64, 128

Contenders = dict[str, Callable[[], object]]


def least_seconds(contenders: Contenders, rounds: int) -> dict[str, float]:
    """Return the least processor seconds of each contender; they take turns."""
    least = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.process_time()
            run()
            least[name] = min(least[name], time.process_time() - start)
    return least


def product_of(rows: int, inner: int, columns: int, kind: torch.dtype) -> tuple[Callable[[], object], float]:
    """Return a repeated matrix product of that shape and its floating-point operations."""
    left, right = torch.randn(rows, inner, dtype=kind), torch.randn(inner, columns, dtype=kind)
    out, repeats = left @ right, 20

    def run() -> None:
        for _ in range(repeats):
            torch.mm(left, right, out=out)

    return run, 2.0 * rows * inner * columns * repeats


def compare_softmax(width: int, rounds: int) -> dict[str, object]:
    """Return the times of loss and gradient over the whole catalogue, for embeddings of ``width``."""
    states = torch.randn(N_POSITIONS, width, requires_grad=True)
    vectors = (torch.randn(N_ITEMS + 1, width) * 0.3).requires_grad_()
    bias = torch.randn(N_ITEMS + 1, requires_grad=True)
    targets = torch.randint(1, N_ITEMS + 1, (N_POSITIONS,))
    leaves = [states, vectors, bias]

    def one_piece() -> None:
        logits = torch.addmm(bias[1:], states, vectors[1:].t())
        torch.autograd.grad(functional.cross_entropy(logits, targets - 1), leaves)

    def chunks(precision: str) -> Callable[[], object]:
        return lambda: torch.autograd.grad(
            full_softmax_loss(states, vectors, bias, targets, precision=precision),  # type: ignore[arg-type]
            leaves,
        )

    return _with_floor(
        {"torch": one_piece, "kernel": chunks("same"), "kernel_bfloat16": chunks("bfloat16")},
        operations=6.0 * N_POSITIONS * width * N_ITEMS,
        shape=(256, width, N_ITEMS),
        rounds=rounds,
    )


def compare_gru(width: int, hidden: int, rounds: int) -> dict[str, object]:
    """Return the times of one GRU layer, forward and backward over a batch of windows."""
    plain, fused = nn.GRU(width, hidden, batch_first=True), FusedGRU(width, hidden)
    fused.load_state_dict(plain.state_dict())
    inputs = torch.randn(N_WINDOWS, N_STEPS, width, requires_grad=True)
    upstream = torch.randn(N_WINDOWS, N_STEPS, hidden)

    def passes(layer: nn.Module, *, is_rounded: bool = False) -> Callable[[], object]:
        leaves: list[Tensor] = [inputs, *layer.parameters()]

        def run() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=is_rounded):
                states, _ = layer(inputs)
            torch.autograd.grad(states, leaves, upstream)

        return run

    return _with_floor(
        {"torch": passes(plain), "kernel": passes(fused), "kernel_bfloat16": passes(fused, is_rounded=True)},
        operations=6.0 * N_POSITIONS * 3 * hidden * (width + hidden),
        shape=(N_WINDOWS, hidden, 3 * hidden),
        rounds=rounds,
    )


def compare_dropout(width: int, rounds: int) -> dict[str, object]:
    """Return the times of dropout, forward and backward over a batch of windows."""
    inputs = torch.randn(N_WINDOWS, N_STEPS, width, requires_grad=True)
    upstream = torch.randn(N_WINDOWS, N_STEPS, width)

    def passes(layer: nn.Module) -> Callable[[], object]:
        return lambda: torch.autograd.grad(layer(inputs), inputs, upstream)

    least = least_seconds({"torch": passes(nn.Dropout(0.2)), "kernel": passes(Dropout(0.2))}, rounds)
    return {
        "milliseconds": {name: round(1e3 * seconds, 2) for name, seconds in least.items()},
        "times_faster_than_torch": round(least["torch"] / least["kernel"], 2),
    }


def _with_floor(
    contenders: Contenders, *, operations: float, shape: tuple[int, int, int], rounds: int
) -> dict[str, object]:
    product, product_operations = product_of(*shape, torch.float32)
    rounded, _ = product_of(*shape, torch.bfloat16)
    least = least_seconds({**contenders, "product": product, "product_bfloat16": rounded}, rounds)
    rate = product_operations / least.pop("product")
    rate_rounded = product_operations / least.pop("product_bfloat16")
    floor = operations / rate
    return {
        "milliseconds": {name: round(1e3 * seconds, 2) for name, seconds in least.items()},
        "floor_milliseconds": round(1e3 * floor, 2),
        "product_gigaflops": {"float32": round(rate / 1e9, 1), "bfloat16": round(rate_rounded / 1e9, 1)},
        "times_faster_than_torch": round(least["torch"] / least["kernel"], 2),
        "times_faster_than_torch_bfloat16": round(least["torch"] / least["kernel_bfloat16"], 2),
        "share_of_floor_speed": round(floor / least["kernel"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/kernels.json"))
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "load_average": os.getloadavg()[0],
        },
        "batch": {"positions": N_POSITIONS, "windows": N_WINDOWS, "steps": N_STEPS, "items": N_ITEMS},
        "full_softmax": {f"embedding {w}": compare_softmax(w, arguments.rounds) for w in (64, 128)},
        "gru": {
            f"{width} to {hidden}": compare_gru(width, hidden, arguments.rounds)
            for width, hidden in ((64, 128), (128, 256), (128, 512))
        },
        "dropout": {f"width {w}": compare_dropout(w, arguments.rounds) for w in (64, 128)},
    }
    write_json(arguments.out, results)
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
