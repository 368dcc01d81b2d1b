"""From a table of one's own to an experiment that is valid, and every mistake of a file at once."""

import re

import pytest
import yaml
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import ReeltuneError
from reeltune.tuning.study.experiment_file import load_experiment


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("header", "row", "wanted"),
    [
        (
            "userId,movieId,rating,timestamp",
            "1,{i},{r}.5,{t}",
            {
                "user": "userId",
                "item": "movieId",
                "rating": "rating",
                "time_unit": "seconds",
                "lowest_rating": 0.5,
            },
        ),
        ("who;film;when", "1;{i};2019-06-{i}", {"delimiter": ";", "time_unit": "day", "timestamp": "when"}),
        (
            "User ID,Movie,Score,Date",
            "1,{i},{r},{t}000",
            {"highest_rating": 5.0, "time_unit": "milliseconds"},
        ),
        ("uid,title,stars", "1,Film {i},1{r}", {"item": "title", "highest_rating": 100.0}),
        ("user,item,time", "1,{i},{r}", {"time_unit": "order"}),
    ],
)
def test_columns_unit_and_scale_are_guessed(tmp_path, header, row, wanted):
    rows = [row.format(i=10 + i, r=i % 5, t=1_500_000_000 + i) for i in range(20)]
    (tmp_path / "mine.csv").write_text("\n".join([header, *rows, ""]))
    made = run("init", "mine.csv")
    assert made.exit_code == 0, made.exception
    assert made.stdout == "written: mine.yaml, mine_space.yaml\nnext:    reeltune check mine.yaml\n"
    columns = yaml.safe_load((tmp_path / "mine.yaml").read_text())["data"]["columns"]
    assert wanted.items() <= columns.items()
    assert load_experiment("mine.yaml").study_spec().study.trials == 16
    checked = run("check", "mine.yaml")
    assert "valid: 16 trials of 8 parameters" in checked.stderr
    assert yaml.safe_load(checked.stdout)["trial"]["training"]["max_epochs"] == 10
    again = run("init", "mine.csv")
    assert isinstance(again.exception, ReeltuneError)
    assert "mine.yaml exists" in str(again.exception)


def test_what_was_written_can_be_prepared(tmp_path):
    rows = [f"{u},{i},{1 + (u * i) % 5},{1_500_000_000 + 60 * i}" for u in range(12) for i in range(9)]
    (tmp_path / "mine.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows, ""]))
    assert run("init", "mine.csv").exit_code == 0
    inspected = run("data", "inspect", "mine.yaml")
    assert inspected.exit_code == 0, inspected.exception
    assert "108 rows, 12 users, 9 movies" in inspected.stdout


def test_a_known_data_set_and_mistakes(tmp_path):
    assert run("init", "--dataset", "synthetic", "--name", "s").exit_code == 0
    assert load_experiment("s.yaml").spec.data.dataset == "synthetic"
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    for words, message in (
        (["init"], "give a file or a known data set"),
        (["init", "odd.csv"], "no column looks like the users; the header has a, b; name it: --user COLUMN"),
        (["init", "none.csv"], "cannot be read as CSV"),
        (["init", "--dataset", "synthetik"], "did you mean 'synthetic'"),
        (["init", "--dataset", "synthetic", "--name", "t", "--model", "gruu"], "did you mean 'gru'"),
    ):
        error = run(*words).exception
        assert isinstance(error, ReeltuneError)
        assert message in str(error)
        assert len(str(error).splitlines()) == 1
    assert not (tmp_path / "t.yaml").exists()
    assert run("init", "odd.csv", "--user", "a", "--item", "b").exit_code == 0


def test_all_mistakes_are_told_at_once(tmp_path):
    (tmp_path / "e.yaml").write_text(
        "data: {dataset: synthetik}\nmodel: {n_lairs: 2}\ntraining: {learning_rate: -1}\n"
        "study:\n  trials: 0\n"
        "  space: {model: gru, space: {model.hidden_dim: {kind: int, low: 9, high: 8}}}\n"
    )
    told = str(run("check", "e.yaml").exception)
    assert [int(line) for line in re.findall(r"^e.yaml:(\d+): ", told, re.M)] == [1, 5, 2, 3, 6]
    assert len(told.splitlines()) == 5
