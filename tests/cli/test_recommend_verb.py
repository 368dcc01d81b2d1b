from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from reeltune.cli.app import main
from reeltune.data.scale import RatingScale
from reeltune.serving.bundle.bundle import export_bundle
from serving_parts import make_catalogue, make_ledger, make_parts


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
    assert said.startswith("lists of 2 users: ")
    assert "ratings: 4 of 4 (100%)" in err
    assert "1 of 4 ratings are of movies not in the catalogue, e.g. 'nonesuch'" in err
    assert "1 users have no movie" in err
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
            "takes its users from the table",
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


def test_titles_and_messages_never_steer_the_terminal(run, tmp_path: Path) -> None:
    evil = "Alien\x1b[2J\x9b31m\u202e (1979)"
    catalogue = make_catalogue()
    titles = (catalogue.titles[0], evil, *catalogue.titles[2:])
    bundle = export_bundle(make_parts(catalogue=replace(catalogue, titles=titles)), tmp_path / "b")
    (tmp_path / "x.csv").write_text(f"title\nToy Story\n{evil}x\n")
    for words in (["--liked", "Toy Story"], ["--liked", "Toy Story", "--json"], ["--liked", evil[:9] + "qq"],
                  ["--from", tmp_path / "x.csv"]):  # fmt: skip
        _, out, err = run(bundle, "-k", 29, *words)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out + err)
    found = json.loads(run(bundle, "--liked", "Toy Story", "-k", 29, "--json")[1])
    assert evil.strip() in {line["title"] for line in found}


def test_a_rating_is_on_the_scale_of_the_bundle(run, bundle_dir: Path, tmp_path: Path) -> None:
    scale = RatingScale(lowest=1, highest=10, step=1)
    ledger = make_ledger().model_copy(update={"rating_scale": scale})
    bundle = export_bundle(make_parts(ledger=ledger), tmp_path / "ten")
    assert run(bundle, "--rated", "Toy Story=8")[0] == 0
    code, _, err = run(bundle, "--rated", "Toy Story=11")
    assert (code, err) == (2, "error: 'Toy Story' is rated 11; ratings go from 1 to 10\n")
    assert "ratings go from 0.5 to 5" in run(bundle_dir, "--rated", "Toy Story=8")[2]
