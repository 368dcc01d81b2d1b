import runpy
import sys
from pathlib import Path

import pytest

from reeltune.files import read_json

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_lightning_costs_no_more_than_a_twentieth():
    figures = read_json(BENCHMARKS / "results" / "training_throughput.json")
    assert figures["throughput_ratio"] >= 0.95


@pytest.mark.slow
def test_the_script_runs(tmp_path, monkeypatch, capsys):
    out = tmp_path / "figures.json"
    options = ["--dataset", "synthetic", "--epochs", "1", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["training_throughput.py", *options])
    runpy.run_path(str(BENCHMARKS / "training_throughput.py"), run_name="__main__")
    assert read_json(out)["throughput_ratio"] > 0
    assert "throughput_ratio" in capsys.readouterr().out
