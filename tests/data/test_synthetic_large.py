import runpy
from pathlib import Path

import numpy as np
import pytest

from reeltune.data.config import DataConfig
from reeltune.data.readers.movielens import read_csv_edition
from reeltune.data.sources.source import FileSet
from reeltune.data.store import open_summary, open_tuning, write_dataset

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
write_large_csv = runpy.run_path(str(BENCHMARKS / "large_csv.py"))["write_large_csv"]


@pytest.mark.soak
def test_large_data_look_like_the_published(tmp_path):
    raw = read_csv_edition(FileSet(write_large_csv(tmp_path / "made", n_rows=300_000)))
    assert raw.interactions.n_rows == 300_000
    pairs = raw.interactions.user.astype(np.int64) << 32 | raw.interactions.item
    assert (np.diff(pairs) > 0).all()  # by user and movie, no pair twice
    write_dataset(tmp_path / "e", raw, DataConfig(dataset="movielens-25m"))
    _, summary = open_summary(tmp_path / "e")
    assert summary.no_title_share == 0
    assert summary.length_quantiles["median"] == pytest.approx(71, rel=0.2)  # as in MovieLens 25M
    assert summary.top_tenth_share > 0.6
    assert 0.1 < summary.tie_share < 0.5
    assert open_tuning(tmp_path / "e").train.n_events > 250_000


@pytest.mark.slow
def test_the_same_seed_makes_the_same_file(tmp_path):
    files = [write_large_csv(tmp_path / name, n_rows=2000) / "ratings.csv" for name in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes().count(b"\n") == 2001
