"""The verbs report, evaluate, export and recommend, end to end on a finished study."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reeltune.cli.app import main

pytestmark = pytest.mark.slow


class Shell:
    """Runs ``reeltune`` in this process and keeps what it said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str | Path) -> tuple[int, str, str]:
        self._monkeypatch.setattr("sys.argv", ["reeltune", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = self._capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture(name="studies")
def _studies(study_dir: Path) -> Path:
    return study_dir.parent


def test_from_a_finished_study_to_a_recommendation(run: Shell, studies: Path, tmp_path: Path) -> None:
    code, out, _ = run("evaluate", "tiny", "--studies", studies)
    assert code == 0
    assert re.search(r"^(beats|loses to|is not shown to differ from) [\w ]+.* NDCG@10.*p [=<] ", out, re.M)
    assert "test set opened once" in out
    assert run("evaluate", "tiny", "--studies", studies)[1] == out

    code, out, _ = run("evaluate", "tiny", "--studies", studies, "--json")
    assert json.loads(out)["trial"] == 0

    code, out, _ = run("report", studies / "tiny")
    assert Path(out.strip()).read_text(encoding="utf-8").startswith("<!doctype html>")

    bundle = tmp_path / "bundle"
    code, out, _ = run("export", "tiny", "--studies", studies, "--out", bundle)
    assert (code, bundle.is_dir()) == (0, True)
    assert run("export", "tiny", "--studies", studies, "--out", bundle)[0] == 2
    assert run("export", "tiny", "--studies", studies, "--out", bundle, "--force")[0] == 0

    words = ["--liked", "synthetic film 003", "--rated", "Synthetic Film 004 (1953)=4.5"]
    code, out, _ = run("recommend", bundle, *words, "-k", "4", "--json")
    listed = json.loads(out)
    assert [line["rank"] for line in listed] == [1, 2, 3, 4]
    code, out, _ = run("recommend", bundle, *words, "-k", "4")
    assert code == 0
    assert [line["title"] in out for line in listed] == [True] * 4
    code, out, _ = run("recommend", bundle, *words, "-k", "4", "--disliked", listed[0]["title"])
    assert listed[0]["title"] not in out

    seen = tmp_path / "seen.csv"
    seen.write_text("title,rating\nSynthetic Film 003,4\nNonesuch,2\n")
    code, out, err = run(
        "recommend", bundle, "--from", seen, "--why", "--genre", "group 1", "--until", "1980"
    )
    assert code == 0
    assert "1 movies known, 1 not in the catalogue" in err
    assert "because of" in out
    assert "Group 2" not in out

    code, out, err = run("recommend", bundle, "--liked", "Synthetic Film 003", "--since", "3000")
    assert (code, out) == (0, "")
    assert "no movie is left" in err

    bad_lines(run, bundle)


def bad_lines(run: Shell, bundle: Path) -> None:
    for words, told in (
        (["--liked", "Synthetic Flim 3"], "did you mean"),
        (["--rated", "Synthetic Film 003=five"], "TITLE=RATING"),
        (["--rated", "Synthetic Film 003"], "TITLE=RATING"),
        (["--rated", "=5"], "TITLE=RATING"),
        (["--rated", "Synthetic Film 003=6"], "ratings go from 0.5 to 5"),
        (["--rated", "Synthetic Film 003=nan"], "ratings go from 0.5 to 5"),
        ([], "no movie was given"),
        (["--liked", "Synthetic Film 003", "-k", "0"], "at least 1"),
    ):
        code, out, err = run("recommend", bundle, *words)
        assert (code, out) == (2, "")
        assert told in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize("verb", ["evaluate", "report"])
def test_an_unknown_study_is_one_line(run: Shell, studies: Path, verb: str) -> None:
    code, out, err = run(verb, "tinny", "--studies", studies)
    assert (code, out) == (2, "")
    assert "did you mean 'tiny'" in err
    assert err.count("\n") == 1


def test_a_damaged_bundle_is_one_line(run: Shell, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        code, _, err = run("recommend", path, "--liked", "x")
        assert code == 2
        assert err.count("\n") == 1
