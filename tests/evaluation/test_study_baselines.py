"""Which models a study is compared with."""

import json
from pathlib import Path

import pytest

from reeltune.errors import DataError
from reeltune.evaluation import baselines as module
from reeltune.evaluation.leaderboard import make_leaderboard
from reeltune.models.registry import models_of
from reeltune.tuning.study.folder import Study

pytestmark = pytest.mark.slow


def ask_for(study_dir: Path, names: list[str] | None) -> None:
    path = study_dir / "study.json"
    record = json.loads(path.read_text())
    record["spec"]["baselines"] = names
    path.write_text(json.dumps(record))


def test_all_baselines_stand_in_the_leaderboard_when_none_is_named(study_dir: Path) -> None:
    ask_for(study_dir, None)
    board = make_leaderboard(study_dir)
    entries = {entry.name: entry for entry in board.entries if entry.kind == "baseline"}
    assert entries.keys() == {entry.label for entry in models_of("baseline").values()}
    assert [comparison.opponent for comparison in board.comparisons] == [
        entry.label for entry in models_of("baseline").values()
    ]
    assert board.strongest.opponent == next(e.name for e in board.entries if e.kind == "baseline")


def test_the_untuned_rnn_is_trained_once_where_it_is_asked_for(study_dir: Path, monkeypatch) -> None:
    ask_for(study_dir, ["untuned-rnn", "popularity"])
    board = make_leaderboard(study_dir)
    entries = {entry.name: entry for entry in board.entries}
    assert board.comparisons[0].opponent == "untuned RNN"
    popular = entries["popularity"].metrics["ndcg@10"].value
    assert entries["untuned RNN"].metrics["ndcg@10"].value > popular
    from reeltune.tuning.trial import run as trial

    monkeypatch.setattr(trial, "run_trial", lambda *_, **__: pytest.fail("trained again"))
    (study_dir / "baselines.json").unlink()
    again = {entry.name: entry for entry in make_leaderboard(study_dir).entries}
    assert again["untuned RNN"].metrics == entries["untuned RNN"].metrics


def test_what_the_data_do_not_allow_is_told_and_left_out_unless_it_was_named(
    study_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reeltune.models.baselines import ease

    def refuse(config, known):
        raise DataError("no")

    monkeypatch.setattr(ease.EASE, "fit", refuse)
    few = {name: entry for name, entry in models_of("baseline").items() if name in ("popularity", "ease")}
    monkeypatch.setattr(module, "models_of", lambda kind: few)
    told: list[str] = []
    ask_for(study_dir, None)
    board = make_leaderboard(study_dir, notify=told.append)
    assert [c.opponent for c in board.comparisons] == ["popularity"]
    assert "without the baseline EASE: no" in told
    ask_for(study_dir, ["ease"])
    with pytest.raises(DataError, match="no"):
        make_leaderboard(study_dir)


def test_other_baselines_are_fitted_when_others_are_asked_for(study_dir: Path) -> None:
    first = make_leaderboard(study_dir)
    ask_for(study_dir, ["markov"])
    second = make_leaderboard(study_dir)
    assert [c.opponent for c in first.comparisons] == ["windowed Markov", "popularity"]
    assert [c.opponent for c in second.comparisons] == ["first-order Markov"]
    assert Study.open(study_dir).spec.baselines == ["markov"]


def test_slow_ones_wait_to_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="2,000,001 events take it minutes; ask for it"):
        module._check_cost("bpr", 2_000_001, is_asked=False)
    module._check_cost("bpr", 2_000_001, is_asked=True)
    module._check_cost("ease", 2_000_001, is_asked=False)
