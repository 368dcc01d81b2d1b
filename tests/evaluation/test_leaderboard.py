from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from finished_study import fail_trials
from reeltune.errors import StudyError
from reeltune.evaluation import leaderboard as module
from reeltune.evaluation import studies as studies_module
from reeltune.evaluation.compare import Comparison, Interval
from reeltune.evaluation.leaderboard import Leaderboard, make_leaderboard, read_leaderboard
from reeltune.files import read_json, write_json
from reeltune.metrics.registry import ranking_metrics

pytestmark = pytest.mark.slow


def test_trials_and_baselines_stand_together_best_first(study_dir: Path) -> None:
    board = make_leaderboard(study_dir)
    assert {entry.name for entry in board.entries} == {"trial 0", "trial 1", "popularity", "windowed Markov"}
    assert board.comparisons[0].opponent == "windowed Markov"
    values = [entry.metrics["ndcg@10"].value for entry in board.entries]
    assert values == sorted(values, reverse=True)
    ranks = np.load(study_dir / "trials" / "00000" / "validation_ranks.npy")
    trial = next(entry for entry in board.entries if entry.number == 0)
    assert {k: v.value for k, v in trial.metrics.items()} == pytest.approx(ranking_metrics(ranks))
    for entry in board.entries:
        for figure in entry.metrics.values():
            assert figure.low <= figure.value <= figure.high
    assert board.protocol["data"]["fingerprint"]


def test_the_verdict_has_the_agreed_form(study_dir: Path) -> None:
    board = make_leaderboard(study_dir)
    baselines = [entry for entry in board.entries if entry.kind == "baseline"]
    strongest = max(baselines, key=lambda entry: entry.metrics["ndcg@10"].value)
    sizes = r"0\.\d{4} NDCG@10,? \(?p [=<] [\d.e-]+\)"
    verb = "(beats|loses to|is not shown to differ from)"
    assert re.fullmatch(rf"{verb} {strongest.name}( by|) \(?[+-]?{sizes}", board.verdict)


def test_green_needs_the_strongest_baseline_beaten_and_none_ahead(study_dir: Path) -> None:
    board = make_leaderboard(study_dir)
    strong, weak = (
        Comparison(entry.name, "ndcg@10", Interval(0.1, 0.05, 0.15), 0.001, 100)
        for entry in board.entries
        if entry.kind == "baseline"
    )
    lead = dataclasses.replace(board, comparisons=(weak, strong))
    assert lead.strongest == strong
    assert lead.is_ahead
    behind = dataclasses.replace(weak, difference=Interval(-0.001, -0.1, 0.1), p_value=0.9)
    assert not dataclasses.replace(board, comparisons=(behind, strong)).is_ahead
    unsure = dataclasses.replace(strong, p_value=0.2)
    assert not dataclasses.replace(board, comparisons=(weak, unsure)).is_ahead


def test_a_study_ends_in_four_lines(study_dir: Path) -> None:
    board = make_leaderboard(study_dir)
    assert board.gain is not None
    first, tuned, verdict, following = board.summary()
    assert first.startswith("default configuration: NDCG@10 0.")
    assert tuned.startswith(f"tuned, trial {board.selected}: NDCG@10 0.")
    assert "a gain of +0." in tuned
    assert verdict == f"{board.verdict}, the strongest baseline on validation"
    assert following == "next: reeltune evaluate tiny"
    untried = dataclasses.replace(board, gain=None)
    assert untried.summary()[0] == "the default configuration was not tried"
    assert read_leaderboard(study_dir) == board


def test_a_leaderboard_of_before_has_no_gain(study_dir: Path) -> None:
    make_leaderboard(study_dir)
    content = read_json(study_dir / "leaderboard.json")
    del content["gain"]
    write_json(study_dir / "leaderboard.json", content)
    board = read_leaderboard(study_dir)
    assert board is not None
    assert board.gain is None


def test_it_is_written_and_read_back(study_dir: Path) -> None:
    assert read_leaderboard(study_dir) is None
    board = make_leaderboard(study_dir)
    assert read_leaderboard(study_dir) == board
    assert Leaderboard.from_plain(json.loads(json.dumps(board.plain()))) == board


def test_baselines_are_counted_once(study_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_leaderboard(study_dir)
    monkeypatch.setattr(module, "rank_baselines", lambda *_: pytest.fail("counted again"))
    assert make_leaderboard(study_dir) == first


def test_changed_baselines_are_counted_again(study_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_leaderboard(study_dir)
    counted = []
    original = module.rank_baselines
    monkeypatch.setattr(module, "rank_baselines", lambda *a: counted.append(1) or original(*a))
    make_leaderboard(study_dir)
    assert not counted
    with monkeypatch.context() as patch:
        patch.setattr(module, "_baseline_code", lambda: "other code")
        make_leaderboard(study_dir)
    assert len(counted) == 1
    record = read_json(study_dir / "study.json")
    record["spec"]["baselines"].reverse()
    write_json(study_dir / "study.json", record)
    make_leaderboard(study_dir)
    assert len(counted) == 2


@pytest.mark.parametrize("content", ["", "{}", '{"data": {}}'])
def test_a_damaged_cache_of_baselines_is_counted_again(study_dir: Path, content: str) -> None:
    first = make_leaderboard(study_dir)
    (study_dir / "baselines.json").write_text(content)
    again = make_leaderboard(study_dir)
    assert [e.metrics for e in again.entries] == [e.metrics for e in first.entries]


def test_diverged_and_failed_trials_never_appear(study_dir: Path) -> None:
    assert not {2, 3} & {entry.number for entry in make_leaderboard(study_dir).entries}


def test_data_in_the_cache_need_no_source(study_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies_module, "prepare", lambda *_, **__: pytest.fail("looked for a source"))
    make_leaderboard(study_dir)


def test_other_data_are_refused(study_dir: Path) -> None:
    content = read_json(study_dir / "study.json")
    content["ledger"]["fingerprint"] = "0" * 64
    write_json(study_dir / "study.json", content)
    with pytest.raises(StudyError, match="fingerprint"):
        make_leaderboard(study_dir)


def test_a_study_without_figures_is_refused(study_dir: Path) -> None:
    fail_trials(study_dir, 0, 1)
    with pytest.raises(StudyError, match="none of its 4 trials"):
        make_leaderboard(study_dir)


def test_damaged_ranks_are_refused_naming_the_file(study_dir: Path) -> None:
    path = study_dir / "trials" / "00000" / "validation_ranks.npy"
    np.save(path, np.ones(3, dtype=np.int32))
    with pytest.raises(StudyError, match="validation_ranks"):
        make_leaderboard(study_dir)
    path.write_bytes(b"x")
    with pytest.raises(StudyError, match="validation_ranks"):
        make_leaderboard(study_dir)


def test_a_damaged_leaderboard_is_refused(study_dir: Path) -> None:
    (study_dir / "leaderboard.json").write_text("{}")
    with pytest.raises(StudyError, match=r"leaderboard\.json is damaged"):
        read_leaderboard(study_dir)
