import sys

import pytest

from reeltune.cli.app import main


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))

    def call(*arguments: str):
        monkeypatch.setattr(sys, "argv", ["reeltune", "data", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        output = capsys.readouterr()
        return code, output.out, output.err

    return call


def test_list_shows_licence_and_citation(run):
    code, out, _ = run("list")
    assert code == 0
    for part in (
        "movielens-100k",
        "synthetic",
        "licence",
        "https://doi.org/10.1145/2827872",
        "recbole 1.2.1",
    ):
        assert part in out


def test_prepare_prints_the_folder_and_does_the_work_once(run):
    code, out, err = run("prepare", "synthetic")
    assert code == 0
    assert "preparing synthetic" in err
    assert run("prepare", "synthetic") == (0, out, "")


def test_inspect_draws_lengths(run):
    code, out, _ = run("inspect", "synthetic", "--k-core", "1")
    assert code == 0
    for part in ("15,257 rows", "400 users", "200 movies", "###", "median", "fingerprint", "ties"):
        assert part in out


def test_cache_lists_and_prunes(run):
    run("prepare", "synthetic")
    code, out, _ = run("cache")
    assert code == 0
    assert "prepared" in out
    assert "removed" not in run("cache", "--prune")[1]
    assert "removed" in run("cache", "--prune", "--all")[1]
    assert run("cache")[1].startswith("0.0 MB")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prepare", "synthetik"), "error: unknown dataset 'synthetik': did you mean 'synthetic'?"),
        (("prepare", "movielens-100k", "--data-dir", "gone"), "error: --data-dir gone does not exist"),
        (("cache", "--all"), "error: --all goes with --prune"),
        (("prepare", "synthetic", "--k-core", "500000"), "error: nothing is left of 15257 rows"),
    ],
)
def test_a_fault_is_one_line_and_exit_code_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert next(line for line in err.splitlines() if line.startswith("error")).startswith(message)
    assert "Traceback" not in err


def test_an_experiment_file_describes_a_table_of_ones_own(run, tmp_path):
    rows = "".join(f"0{u},{i},{1_500_000_000 + t},4\n" for u in (1, 2, 3) for t, i in enumerate("abcd"))
    (tmp_path / "mine.csv").write_text("who,what,when,stars\n" + rows)
    (tmp_path / "own.yaml").write_text(
        "data:\n  dataset: csv\n  path: mine.csv\n  k_core: 1\n"
        "  columns: {user: who, item: what, rating: stars, timestamp: when}\n"
        "  split: {name: global-time, validation_from: 0.5, test_from: 0.9}\nmodel: {name: gru}\n"
    )
    code, out, err = run("inspect", str(tmp_path / "own.yaml"))
    assert (code, "12 rows, 3 users, 4 movies" in out) == (0, True), err
    assert "split          global-time(targets=last, test_from=0.9, validation_from=0.5)" in out
    (tmp_path / "mine.csv").write_text("who,what,when\n" + rows)
    code, _, err = run("inspect", str(tmp_path / "own.yaml"))
    assert code == 2
    assert "mine.csv:1: there is no column 'stars' for rating" in err


def test_what_the_reader_left_out_is_told(run, shared_data):
    code, out, _ = run("inspect", "rotten-tomatoes", "--data-dir", str(shared_data))
    assert code == 0
    assert "2,722 rows without a critic left out" in out
    code, out, _ = run("prepare", "amazon-reviews", "--data-dir", str(shared_data))
    assert code == 0


def test_sentiment_trains_a_classifier_of_ones_own(run, tmp_path):
    rows = [
        f"{word} film number {i % 7},{label}" for i in range(40) for word, label in (("fine", 1), ("dull", 0))
    ]
    (tmp_path / "mine.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    code, out, _ = run("sentiment", str(tmp_path / "mine.csv"), "--out", str(tmp_path / "scorer"))
    assert code == 0
    assert "72 texts" in out
    assert "100.0% right of 8 held-out texts" in out
    assert (tmp_path / "scorer" / "scorer.safetensors").is_file()
    code, _, err = run("sentiment", str(tmp_path / "absent.csv"), "--out", str(tmp_path / "scorer"))
    assert code == 2
    assert "absent.csv" in err
