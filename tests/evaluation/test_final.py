from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from reeltune.errors import EngineError, StudyError
from reeltune.evaluation import final as module
from reeltune.evaluation.final import Evaluation, evaluate_study, read_evaluation
from reeltune.evaluation.leaderboard import make_leaderboard
from reeltune.files import read_json, write_json
from reeltune.training.checkpoint import load_network
from reeltune.tuning.study.spec import FinalConfig

pytestmark = pytest.mark.slow


@pytest.fixture(name="openings")
def _openings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the list of openings of the test set, as they happen."""
    opened: list[Path] = []
    original = module.open_held_out

    def count(directory: Path) -> object:
        opened.append(directory)
        return original(directory)

    monkeypatch.setattr(module, "open_held_out", count)
    return opened


def _ask_for_seeds(study_dir: Path, n_seeds: int, *, concurrency: int = 1) -> None:
    content = read_json(study_dir / "study.json")
    content["spec"]["study"]["concurrency"] = concurrency
    content["spec"]["final"]["seeds"] = n_seeds
    write_json(study_dir / "study.json", content)


def test_the_selected_trial_is_evaluated_and_the_opening_logged(
    study_dir: Path, openings: list[Path]
) -> None:
    found = evaluate_study(study_dir)
    assert len(openings) == 1
    assert found.trial == 0
    assert found.checkpoint == "trials/00000/best.ckpt"
    assert set(found.metrics) == {"hr@10", "ndcg@10", "mrr@10"}
    assert set(found.baselines) == {"popularity", "windowed Markov"}
    assert re.fullmatch(r"(beats|loses to|is not shown to differ from) [\w ]+ .*NDCG@10.*", found.verdict)
    assert next(iter(found.baselines)) == make_leaderboard(study_dir).strongest.opponent
    assert found.comparisons[0].opponent == next(iter(found.baselines)), "chosen on validation"
    log = read_json(study_dir / "evaluation.json")["openings"]
    assert [entry["trial"] for entry in log] == [0]
    assert log[0]["fingerprint"] == found.protocol["data"]["fingerprint"]
    assert found.spread() == {}


def test_a_second_call_gives_the_stored_figures_and_opens_nothing(
    study_dir: Path, openings: list[Path]
) -> None:
    first = evaluate_study(study_dir)
    assert evaluate_study(study_dir) == first
    assert len(openings) == 1
    assert read_evaluation(study_dir) == first


def test_opening_again_on_purpose_is_logged(study_dir: Path, openings: list[Path]) -> None:
    first = evaluate_study(study_dir)
    again = evaluate_study(study_dir, is_reopening=True)
    assert len(openings) == 2
    assert len(again.openings) == 2
    assert again.metrics == first.metrics


def test_an_opening_that_crashed_stays_in_the_log(
    study_dir: Path, openings: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "_rank_all", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            evaluate_study(study_dir)
    assert read_evaluation(study_dir) is None
    assert len(evaluate_study(study_dir).openings) == 2


def test_an_unfinished_study_is_refused_unless_asked(study_dir: Path, openings: list[Path]) -> None:
    (study_dir / "trials" / "00003" / "trial.json").unlink()
    with pytest.raises(StudyError, match=r"3 of 4 trials finished.*resume tiny"):
        evaluate_study(study_dir)
    assert not openings
    assert not (study_dir / "evaluation.json").exists()
    assert evaluate_study(study_dir, is_unfinished_allowed=True).trial == 0


def test_final_seeds_are_trained_and_their_spread_given(study_dir: Path, openings: list[Path]) -> None:
    _ask_for_seeds(study_dir, 2)
    lines: list[str] = []
    found = evaluate_study(study_dir, notify=lines.append)
    assert len(openings) == 1
    assert len(found.seeds) == 2
    assert len({seed.seed for seed in found.seeds}) == 2
    spread = found.spread()["ndcg@10"]
    values = [seed.metrics["ndcg@10"] for seed in found.seeds]
    assert spread["n"] == 2
    assert min(values) <= spread["mean"] <= max(values)
    assert any("final seed 2: epoch 3 of 3" in line for line in lines)
    own = read_json(study_dir / "trials" / "00000" / "trial.json")["value"]
    assert found.validation == max(own, *(seed.validation for seed in found.seeds))
    load_network(study_dir / found.checkpoint)
    assert not list(study_dir.glob("final/**/last.ckpt"))
    assert Evaluation.from_plain(found.plain()) == found


def test_retraining_goes_on_where_it_was_killed(study_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ask_for_seeds(study_dir, 2)

    def interrupt(line: str) -> None:
        if "seed 2: epoch 2" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_study(study_dir, notify=interrupt)
    assert not (study_dir / "evaluation.json").exists()
    lines: list[str] = []
    found = evaluate_study(study_dir, notify=lines.append)
    assert not any("seed 1: epoch" in line for line in lines)
    assert len(found.seeds) == 2


@pytest.mark.soak
def test_processes_at_once_give_what_one_after_the_other_gives(study_dir: Path, tmp_path: Path) -> None:
    other = shutil.copytree(study_dir, tmp_path / "other" / "tiny")
    _ask_for_seeds(study_dir, 2)
    _ask_for_seeds(other, 2, concurrency=2)
    lines: list[str] = []
    found = evaluate_study(other, notify=lines.append)
    assert found.seeds == evaluate_study(study_dir).seeds
    assert sum("final seed" in line for line in lines) == 6


def test_a_training_process_that_dies_is_told(study_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ask_for_seeds(study_dir, 2, concurrency=2)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EngineError, match="final seed 1 ended with code 1"):
        evaluate_study(study_dir)
    assert not (study_dir / "evaluation.json").exists()


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b"\xff" * 400])
def test_a_damaged_log_is_refused(study_dir: Path, content: bytes) -> None:
    (study_dir / "evaluation.json").write_bytes(content)
    with pytest.raises(StudyError, match=r"evaluation\.json is damaged") as caught:
        evaluate_study(study_dir)
    assert len(str(caught.value)) < 400


def test_damaged_weights_open_nothing(study_dir: Path, openings: list[Path]) -> None:
    for path in (study_dir / "trials").glob("*/best.ckpt"):
        path.write_bytes(b"torn")
    with pytest.raises(StudyError, match="cannot read the checkpoint"):
        evaluate_study(study_dir)
    assert not openings
    assert not (study_dir / "evaluation.json").exists()


def test_another_process_holding_the_study_is_told(study_dir: Path) -> None:
    from reeltune.tuning.study.folder import Study

    with Study.open(study_dir).lock(), pytest.raises(StudyError):
        evaluate_study(study_dir)


@pytest.mark.soak
def test_the_winner_is_refitted_on_all_that_precedes_the_test(study_dir: Path, openings: list[Path]) -> None:
    _finally(study_dir, refit=True, seeds=2, fit_count_prior=True)
    lines: list[str] = []
    found = evaluate_study(study_dir, notify=lines.append)
    row = read_json(study_dir / "trials" / "00000" / "trial.json")
    assert len(openings) == 1
    assert found.checkpoint == "final/trial-00000/refit-1/best.ckpt"
    assert found.trained_on == f"all that precedes the test targets, {row['best_epoch']} epochs"
    assert found.metrics["ndcg@10"].value == found.seeds[0].metrics["ndcg@10"]
    assert len({seed.metrics["ndcg@10"] for seed in found.seeds}) == 2
    assert any(re.match(r"refit 2: epoch \d of 3, loss ", line) for line in lines)
    assert not any("refit" in line and "ndcg" in line for line in lines)  # nothing is left to validate it on
    # The weight of the prior is the best of those tried, and the bundle's network has it.
    assert found.count_prior is not None
    values = found.count_prior["values"]
    assert values[f"{found.count_prior['weight']:g}"] == max(values.values())
    assert values["0"] == pytest.approx(row["value"])
    assert found.count_prior["cross_fitted"] <= max(values.values())
    assert load_network(study_dir / found.checkpoint).config.count_prior == found.count_prior["weight"]
    assert Evaluation.from_plain(found.plain()) == found
    assert found.gain is None  # the default configuration is the winner


def test_the_gain_over_the_default_configuration_is_given(study_dir: Path) -> None:
    _finally(study_dir, refit=True)
    content = read_json(study_dir / "study.json")
    content["spec"]["trial"] = read_json(study_dir / "trials" / "00001" / "trial.json")["config"]
    write_json(study_dir / "study.json", content)
    other = read_json(study_dir / "trials" / "00001" / "trial.json")
    write_json(study_dir / "trials" / "00001" / "trial.json", other | {"state": "complete"})
    found = evaluate_study(study_dir)
    assert (study_dir / "final" / "trial-00001" / "refit-1" / "best.ckpt").exists()
    assert found.gain is not None
    assert found.gain.difference.value > 0
    assert found.gain.opponent == "the default configuration"
    assert Evaluation.from_plain(found.plain()) == found


def test_a_prior_without_a_refit_is_refused() -> None:
    with pytest.raises(ValueError, match="fit_count_prior needs refit: true"):
        FinalConfig(refit=False, fit_count_prior=True)


def _finally(study_dir: Path, **settings: object) -> None:
    content = read_json(study_dir / "study.json")
    content["spec"]["final"] |= settings
    write_json(study_dir / "study.json", content)
