"""Load on ``reeltune serve``: latency and requests a second at 1, 16 and 64 clients, memory, and reloads.

Starts the service as a process of its own over a bundle of ML-1M's size (3,416 movies, GRU, 128 hidden units,
random weights) and asks it for 10 movies after histories of 20, each client sending its next request
when the last is answered. The clients run in this process and take their share of the same cores.

Runs: ONNX Runtime and PyTorch in one process, and ONNX Runtime in two; reloads under load with two
processes; the memory of one over a long run.

    python benchmarks/serving_load.py --out benchmarks/results/serving_load.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

N_MOVIES = 3416
HISTORY = 20
CLIENTS = (1, 16, 64)
PARTS = ("speed", "reloads", "memory")
PROBE = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def make_bundle(folder: Path, seed: int) -> None:
    import torch

    from reeltune.data.prepared import Catalogue, Ledger
    from reeltune.models.networks.gru import GRUConfig
    from reeltune.models.registry import build_network
    from reeltune.serving.bundle.bundle import BundleParts, export_bundle
    from reeltune.serving.bundle.onnx_model import write_proved_onnx

    torch.manual_seed(seed)
    years = tuple(1920 + i % 81 for i in range(N_MOVIES))
    catalogue = Catalogue(
        item_ids=tuple(str(i) for i in range(1, N_MOVIES + 1)),
        titles=tuple(f"Movie {i} ({year})" for i, year in enumerate(years, start=1)),
        years=years,
        genres=tuple((("Drama",), ("Comedy", "Romance"), ("Action",))[i % 3] for i in range(N_MOVIES)),
    )
    ledger = Ledger(
        dataset="made-up",
        source_sha256="0" * 64,
        split="leave-one-out",
        tie_rule="file order",
        k_core=5,
        n_users=1,
        n_items=N_MOVIES,
        n_interactions=1,
        n_duplicates=0,
        fingerprint="0" * 64,
        preparation="0",
    )
    network = build_network(GRUConfig(embedding_dim=128, hidden_dim=128), N_MOVIES).eval()
    export_bundle(
        BundleParts(network, {}, catalogue, ledger, {}, "# Made up\n"),
        folder,
        force=True,
        extras=lambda part: write_proved_onnx(network, network, part),
    )


class Server:
    """``reeltune serve`` on a free port; ends with the block."""

    def __init__(self, bundle: Path, *options: str) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", "from reeltune.cli.app import main; main()", "serve", str(bundle)]
        self.process = subprocess.Popen(
            [*command, "--port", "0", *options], stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.process.stderr.readline())
        assert found, "the service did not start"
        self.port = int(found[1])

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)

    def processes(self) -> list[int]:
        """Return the ids of the service's processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]

    def resident_mb(self) -> float:
        """Return the memory that the service holds; what processes share counts once for each."""
        held = (Path(f"/proc/{process}/status").read_text() for process in self.processes())
        return sum(int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) for status in held) / 1024  # type: ignore[index]

    def cpu_seconds(self) -> float:
        """Return the processor time that the service has used."""
        ticks = 0
        for process in self.processes():
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def requests(n: int, *, is_explained: bool = False) -> list[bytes]:
    """Return ``n`` requests with random histories as bytes on the wire."""
    rng = random.Random(0)
    wires = []
    for _ in range(n):
        history = [{"movie": f"id:{i}", "stars": 4.0} for i in rng.sample(range(1, N_MOVIES + 1), HISTORY)]
        body = json.dumps({"history": history, "k": 10, "explain": is_explained}).encode()
        head = "POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        wires.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return wires


def cpu_name() -> str:
    """Return the processor as the system calls it."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


async def answer(reader: asyncio.StreamReader) -> int:
    """Read one response and return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
    await reader.readexactly(length)
    return int(head[9:12])


async def load(port: int, n_clients: int, seconds: float, wires: list[bytes], *, most: int = 10**9) -> Any:
    """Return latencies in seconds, statuses and the time taken; stops at ``seconds`` or ``most`` requests."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    started = time.perf_counter()

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = number
        while time.perf_counter() - started < seconds and len(latencies) < most:
            sent = time.perf_counter()
            writer.write(wires[turn % len(wires)])
            status = await answer(reader)
            latencies.append(time.perf_counter() - sent)
            statuses[status] = statuses.get(status, 0) + 1
            turn += n_clients
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client(number) for number in range(n_clients)))
    return latencies, statuses, time.perf_counter() - started


def measure(server: Server, n_clients: int, seconds: float, wires: list[bytes]) -> dict[str, Any]:
    """Return the figures of a run; the processor time tells what neighbours on the machine cannot blur."""
    before = server.cpu_seconds()
    latencies, statuses, taken = asyncio.run(load(server.port, n_clients, seconds, wires))
    cpu_ms = (server.cpu_seconds() - before) / len(latencies) * 1e3
    return figures(latencies, statuses, taken) | {"service_cpu_ms_per_request": round(cpu_ms, 2)}


def figures(latencies: list[float], statuses: dict[int, int], taken: float) -> dict[str, Any]:
    p50, p99 = np.percentile(np.array(latencies) * 1e3, [50, 99])
    return {
        "n_requests": len(latencies),
        "requests_per_second": round(len(latencies) / taken, 1),
        "p50_ms": round(float(p50), 2),
        "p99_ms": round(float(p99), 2),
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
        "load_average_1m": round(os.getloadavg()[0], 2),
    }


async def memory(server: Server, n_requests: int, wires: list[bytes]) -> dict[str, Any]:
    """Return the resident memory of the service at ten points of a long run."""
    megabytes = []
    for _ in range(10):
        await load(server.port, 16, 3600, wires, most=n_requests // 10)
        megabytes.append(round(server.resident_mb(), 1))
    return {"n_requests": n_requests, "resident_mb_after_each_tenth": megabytes}


async def reloads(server: Server, bundle: Path, seconds: float, wires: list[bytes]) -> dict[str, Any]:
    """Return statuses under load while the bundle is replaced, by SIGHUP, again and again."""
    task = asyncio.create_task(load(server.port, 16, seconds, wires))
    n_reloads = 0
    served = set()
    while not task.done():
        await asyncio.to_thread(make_bundle, bundle, n_reloads + 1)
        server.process.send_signal(signal.SIGHUP)
        n_reloads += 1
        await asyncio.sleep(2)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(PROBE)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
        served.add(json.loads(await reader.readexactly(length))["bundle"])
        writer.close()
    latencies, statuses, taken = await task
    return figures(latencies, statuses, taken) | {"n_signals": n_reloads, "n_bundles_seen": len(served)}


def speed(bundle: Path, seconds: float) -> dict[str, Any]:
    """Return latency and requests a second for each engine and number of processes."""
    wires, explained = requests(512), requests(512, is_explained=True)
    results: dict[str, Any] = {}

    def run(name: str, server: Server, sent: list[bytes], clients: tuple[int, ...] = CLIENTS) -> None:
        asyncio.run(load(server.port, 16, 3.0, sent))  # every process has answered before it is measured
        results[name] = {f"clients_{n}": measure(server, n, seconds, sent) for n in clients}
        print(name, json.dumps(results[name], indent=1), flush=True)

    with Server(bundle, "--engine", "torch") as server:
        run("torch_one_process", server, wires, (16,))
    with Server(bundle) as server:
        run("onnx_one_process", server, wires)
        run("onnx_one_process_explained", server, explained, (16,))
    with Server(bundle, "--workers", "2") as server:
        run("onnx_two_processes", server, wires)
    return results


def reloading(bundle: Path, seconds: float) -> dict[str, Any]:
    """Return what a load of 16 clients saw while the bundle of two processes was replaced."""
    wires = requests(512)
    with Server(bundle, "--workers", "2") as server:
        asyncio.run(load(server.port, 16, 3.0, wires))
        found = asyncio.run(reloads(server, bundle, seconds, wires))
    print("reloads", found, flush=True)
    return found


def long_run(bundle: Path, n_requests: int) -> dict[str, Any]:
    """Return the memory of one process over many requests."""
    wires = requests(512)
    with Server(bundle) as server:
        asyncio.run(load(server.port, 16, 2.0, wires))
        found = asyncio.run(memory(server, n_requests, wires))
    print("memory", found, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, help="Results; parts that are not run again stay as they are.")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=float, default=8.0, help="Length of each run.")
    parser.add_argument("--memory-requests", type=int, default=100_000)
    options = parser.parse_args()
    results: dict[str, Any] = (
        json.loads(options.out.read_text()) if options.out and options.out.exists() else {}
    )
    results |= {
        "question": "How fast does the service answer, and does it hold its memory?",
        "bundle": {"n_movies": N_MOVIES, "model": "gru", "hidden_dim": 128, "embedding_dim": 128},
        "request": {"history": HISTORY, "k": 10},
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "cpu": cpu_name()},
    }
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        make_bundle(bundle, 0)
        for part in options.parts:
            before = [round(value, 2) for value in os.getloadavg()]
            if part == "speed":
                found = speed(bundle, options.seconds)
            elif part == "reloads":
                found = reloading(bundle, 2 * options.seconds)
            else:
                found = long_run(bundle, options.memory_requests)
            results[part] = {"load_average_before": before, "niceness": os.nice(0), **found}
            if options.out:
                from reeltune.files import write_json

                write_json(options.out, results)


if __name__ == "__main__":
    main()
