"""Lists for very many people: time and peak memory of ``reeltune recommend --batch``.

Writes a Parquet file of made-up ratings (20 a person on average, in random order) for a bundle of ML-1M's
size, and runs the command as a process of its own for each number of people. Peak memory is that of the
process as the system counts it, and must not grow with the number of people.

    python benchmarks/batch_lists.py --people 100000 1000000 --out benchmarks/results/batch_lists.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from reeltune.files import write_json
from serving_load import N_MOVIES, cpu_name, make_bundle

SHORTEST, LONGEST = 5, 35
PEOPLE_A_CHUNK = 50_000


def make_table(path: Path, n_people: int) -> int:
    """Write ratings of ``n_people`` and return the number of rows, strewn over a chunk each."""
    schema = pa.schema(
        {"user": pa.int64(), "item": pa.string(), "rating": pa.float32(), "timestamp": pa.int64()}
    )
    n_rows = 0
    with pa.parquet.ParquetWriter(path, schema) as writer:
        for first in range(0, n_people, PEOPLE_A_CHUNK):
            rng = np.random.default_rng(first)
            lengths = rng.integers(SHORTEST, LONGEST + 1, size=min(PEOPLE_A_CHUNK, n_people - first))
            user = rng.permutation(np.repeat(np.arange(first, first + len(lengths)), lengths))
            columns = {
                "user": user,
                "item": rng.integers(1, N_MOVIES + 1, size=len(user)).astype(str),
                "rating": (rng.integers(1, 11, size=len(user)) / 2).astype(np.float32),
                "timestamp": rng.integers(0, 1 << 30, size=len(user)),
            }
            writer.write_table(pa.table(columns, schema=schema))
            n_rows += len(user)
    return n_rows


def measure(bundle: Path, folder: Path, n_people: int, engine: str) -> dict[str, Any]:
    """Return time and memory of one run."""
    table, out = folder / "ratings.parquet", folder / "lists.parquet"
    n_rows = make_table(table, n_people)
    start = "from reeltune.cli.app import main; main()"
    options = ["recommend", str(bundle), "--batch", str(table), "--out", str(out), "--engine", engine]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "REELTUNE_CACHE": str(folder / "cache")}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", start, *options], env=environment)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)  # the process was waited for here
    assert process.returncode == 0, "the command failed"
    return {
        "n_people": n_people,
        "n_rows": n_rows,
        "engine": engine,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "people_per_second": round(n_people / seconds, 1),
        "peak_memory_mb": round(used.ru_maxrss / 1024, 1),
        "output_mb": round(out.stat().st_size / 1e6, 1),
        "n_lists": pa.parquet.read_metadata(out).num_rows // 10,
        "load_average_1m": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--people", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--engine", default="onnx")
    options = parser.parse_args()
    results: dict[str, Any] = {
        "question": "How long do lists for very many people take, and does memory stay where it is?",
        "bundle": {"n_movies": N_MOVIES, "model": "gru", "hidden_dim": 128, "embedding_dim": 128},
        "list": {"k": 10, "ratings_a_person": f"{SHORTEST} to {LONGEST}"},
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "cpu": cpu_name()},
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_bundle(folder / "bundle", 0)
        for n_people in options.people:
            results["runs"].append(measure(folder / "bundle", folder, n_people, options.engine))
            print(json.dumps(results["runs"][-1], indent=1), flush=True)
            if options.out:
                write_json(options.out, results)


if __name__ == "__main__":
    main()
