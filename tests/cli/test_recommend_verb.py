from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from reeltune.cli.app import main
from reeltune.serving.bundle.bundle import export_bundle
from serving_parts import make_parts


def _run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object):
    monkeypatch.setattr(sys, "argv", ["reeltune", *map(str, words)])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture(name="run")
def _run_verb(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return lambda *words: _run(capsys, monkeypatch, "recommend", *words)


def test_a_table_of_people(run, bundle_dir: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "o.parquet"
    table.write_text("user,item,rating\na,500,4\nb,nonesuch,3\na,501,2\nc,503,\n")
    code, said, err = run(bundle_dir, "--batch", table, "--out", out, "--k", 3)
    assert code == 0
    assert said.startswith("lists of 2 people: ")
    assert "ratings: 4 of 4 (100%)" in err
    assert "1 of 4 ratings are of movies not in the catalogue, e.g. 'nonesuch'" in err
    assert "1 people have no movie" in err
    assert len(pd.read_parquet(out)) == 6


def test_weights_reach_the_list(run, bundle_dir: Path) -> None:
    plain, calibrated, novel = (
        [line["code"] for line in json.loads(run(bundle_dir, "--liked", "Toy Story", "--json", *more)[1])]
        for more in ([], ["--calibration", "1"], ["--novelty", "0.9"])
    )
    assert plain != calibrated
    assert plain != novel


def test_tuned_weights_are_used_when_asked_for_and_give_way(run, tmp_path: Path) -> None:
    parts = make_parts(reranking={"weights": {"novelty": 0.9, "calibration": 0.2}})
    bundle = export_bundle(parts, tmp_path / "tuned")
    plain, tuned, spelt, zeros = (
        [line["code"] for line in json.loads(run(bundle, "--liked", "Toy Story", "--json", *more)[1])]
        for more in (
            [],
            ["--tuned"],
            ["--novelty", "0.9", "--calibration", "0.2"],
            ["--tuned", "--novelty", "0", "--calibration", "0"],
        )
    )
    assert tuned == spelt != plain == zeros


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--batch", "t.csv"], "--batch and --out go together"),
        (["--out", "o.parquet"], "--batch and --out go together"),
        (
            ["--batch", "t.csv", "--out", "o.parquet", "--liked", "Toy Story"],
            "takes its people from the table",
        ),
        (["--batch", "absent.csv", "--out", "o.parquet"], "cannot read absent.csv"),
        (["--liked", "Toy Story", "--novelty", "2"], "novelty is 2; it goes from 0 to 1"),
        (["--liked", "Toy Story", "--popularity", "nan"], "popularity is nan"),
        (["--liked", "Toy Story", "--person", "Ann"], "does not know who made"),
        (["--liked", "Toy Story", "--tuned"], "holds no tuned weights"),
        (["--liked", "Toy Story", "--engine", "onnx"], "holds no model.onnx"),
        (["--liked", "Toy Story", "--engine", "tpu"], "unknown engine 'tpu'"),
    ],
)
def test_what_makes_no_sense_is_one_line(run, bundle_dir: Path, words: list[str], told: str) -> None:
    code, out, err = run(bundle_dir, *words)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
