"""Preparing, opening and feeding tens of millions of ratings: rows a second, memory, milliseconds.

Generates MovieLens-like CSV files (see ``large_csv.py``), prepares each in a process of its
own with an empty cache, opens what was prepared in another, and runs through one epoch's batches. Both
wall and processor seconds are given, for a neighbour on the machine disturbs the first. Run it from
the repository root:

    python benchmarks/data_scale.py --rows 25000095 100000000 --out benchmarks/results/data_scale.json

25 million ratings need 3 GB on the disk, 100 million 12 GB. With ``--folder`` the CSV
files are kept there and used again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from large_csv import write_large_csv
from reeltune.data.config import DataConfig
from reeltune.data.sequences import window_batches
from reeltune.data.sources.datasets import DATASETS
from reeltune.data.store import open_tuning, prepare
from reeltune.files import write_json

ROWS = 25_000_095  # of the published MovieLens 25M
NAME = "movielens-25m"
HISTORY_LENGTH, BATCH_SIZE = 200, 128
FED_POSITIONS = 20_000_000
LARGE_ROWS = 50_000_000  # a larger size is measured once: what counts there is the memory


def measure_preparation(source: Path) -> dict[str, Any]:
    """Return rows a second and peak memory of one preparation; libraries are loaded before."""
    prepare(DataConfig(dataset="synthetic"))
    n_rows = sum(chunk.count(b"\n") for chunk in chunks(source / "ratings.csv")) - 1
    DATASETS[NAME] = replace(DATASETS[NAME], n_rows=n_rows)
    load = os.getloadavg()[0]
    wall, processor = time.perf_counter(), time.process_time()
    directory = prepare(DataConfig(dataset=NAME), data_dir=source)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return {
        "directory": str(directory),
        "rows": n_rows,
        "load_average_before": round(load, 2),
        "wall_seconds": round(wall, 2),
        "processor_seconds": round(processor, 2),
        "million_rows_per_second": round(n_rows / wall / 1e6, 3),
        "million_rows_per_processor_second": round(n_rows / processor / 1e6, 3),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def chunks(path: Path) -> Any:
    """Yield the bytes of a file."""
    with path.open("rb") as file:
        while chunk := file.read(1 << 24):
            yield chunk


def measure_feeding(directory: Path) -> dict[str, Any]:
    """Return what opening, a first batch and a run through many batches cost."""
    opening, first = [], []
    for _ in range(5):
        start = time.perf_counter()
        data = open_tuning(directory)
        opened = time.perf_counter()
        next(
            window_batches(data.train, history_length=HISTORY_LENGTH, batch_size=BATCH_SIZE, seed=1, epoch=0)
        )
        opening.append(opened - start)
        first.append(time.perf_counter() - start)
    n_positions = 0
    start, processor = time.perf_counter(), time.process_time()
    for batch in window_batches(
        data.train, history_length=HISTORY_LENGTH, batch_size=BATCH_SIZE, seed=1, epoch=1
    ):
        n_positions += int(batch.histories.lengths.sum())
        if n_positions > FED_POSITIONS:
            break
    wall, processor = time.perf_counter() - start, time.process_time() - processor
    return {
        "opening_milliseconds": round(1e3 * float(np.median(opening)), 1),
        "opening_and_first_batch_milliseconds": round(1e3 * float(np.median(first)), 1),
        "first_opening_and_batch_milliseconds": round(1e3 * first[0], 1),
        "positions": n_positions,
        "million_positions_per_second": round(n_positions / wall / 1e6, 2),
        "million_positions_per_processor_second": round(n_positions / processor / 1e6, 2),
    }


def child(kind: str, place: Path, cache: Path) -> dict[str, Any]:
    """Return what a measuring process of its own tells."""
    command = [sys.executable, __file__, "--measure", kind, "--folder", str(place)]
    environment = os.environ | {"REELTUNE_CACHE": str(cache)}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[ROWS])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keeps the files; a temporary folder if not given")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", choices=["preparation", "feeding"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        measure = measure_preparation if options.measure == "preparation" else measure_feeding
        print(json.dumps(measure(options.folder)))
        return
    results: dict[str, Any] = {
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "numpy": np.__version__},
        "sizes": [],
    }
    with tempfile.TemporaryDirectory() as temporary:
        for n_rows in options.rows:
            source = (options.folder or Path(temporary)) / str(n_rows)
            if not (source / "movies.csv").exists():
                write_large_csv(source, n_rows=n_rows)
            runs = []
            for repeat in range(options.repeats if n_rows <= LARGE_ROWS else 1):
                with tempfile.TemporaryDirectory(dir=temporary) as cache:
                    run = child("preparation", source, Path(cache))
                    feeding = child("feeding", Path(run.pop("directory")), Path(cache))
                runs.append(run | feeding)
                print(f"{n_rows:,} rows, run {repeat + 1}: {runs[-1]}", flush=True)
            results["sizes"].append(runs)
    if options.out is not None:
        write_json(options.out, results)


if __name__ == "__main__":
    main()
