"""Figures that the page on performance tells of the service and of batches are the committed ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def told(script: str) -> str:
    """Return the last cell of the row of ``script``."""
    return re.search(rf"`{script}\.py` \|.*\| ([^|]*) \|$", PAGE, re.MULTILINE)[1]


def test_the_figures_of_batches_are_the_committed_ones() -> None:
    runs = json.loads((ROOT / "benchmarks" / "results" / "batch_lists.json").read_text())["runs"]
    small, large = runs
    assert told("batch_lists") == (
        f"{large['cpu_seconds']:.0f} processor seconds; {large['peak_memory_mb']:.0f} MB at most, "
        f"{small['peak_memory_mb']:.0f} MB for {small['n_people']:,} people"
    )
    assert large["n_lists"] == large["n_people"] == 1_000_000


def test_the_figures_of_the_service_are_the_committed_ones() -> None:
    found = json.loads((ROOT / "benchmarks" / "results" / "serving_load.json").read_text())
    one, two = (found["speed"][f"onnx_{n}"]["clients_16"] for n in ("one_process", "two_processes"))
    assert told("serving_load") == (
        f"one process {one['requests_per_second']:.0f} a second, p99 {one['p99_ms']:.0f} ms; "
        f"two {two['requests_per_second']:.0f}, p99 {two['p99_ms']:.0f} ms"
    )
    assert set(found["reloads"]["statuses"]) == {"200"}
    assert found["reloads"]["n_bundles_seen"] > 1
    assert found["memory"]["n_requests"] == 100_000
    held = found["memory"]["resident_mb_after_each_tenth"]
    assert max(held) < 1.05 * held[0]
