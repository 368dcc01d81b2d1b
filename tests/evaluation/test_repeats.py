"""The best configurations trained again before a winner is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reeltune.data.store import open_tuning, prepare
from reeltune.errors import StudyError
from reeltune.evaluation.final import evaluate_study
from reeltune.evaluation.repeats import Repeats, name_winner, read_repeats
from reeltune.evaluation.retrain import repeat_best
from reeltune.evaluation.studies import selected_trial
from reeltune.files import read_json, write_json
from reeltune.tuning.study.folder import Study
from reeltune.tuning.trial.jobs import LocalPool

pytestmark = pytest.mark.slow


def ask(study_dir: Path, **settings: object) -> Study:
    record = read_json(study_dir / "study.json")
    record["spec"]["study"] |= {"concurrency": 1, **settings}
    write_json(study_dir / "study.json", record)
    return Study.open(study_dir)


def figures(value: float) -> dict[str, float]:
    return {"ndcg@10": value, "coverage@10": 1 - value}


def test_the_mean_over_fresh_seeds_names_the_winner(study_dir: Path) -> None:
    study = ask(study_dir)
    rows = [replace(row, value=0.9 - row.number / 10) for row in study.best()]
    lucky = {0: [figures(0.2), figures(0.4)], 1: [figures(0.5), figures(0.3)]}
    found = name_winner(study, rows, lucky)
    assert (found.winner, found.n_finished) == (1, 4)
    assert [c.trial for c in found.configurations] == [1, 0]
    assert found.configurations[1].own == 0.9
    assert found.configurations[0].mean("ndcg@10") == pytest.approx(0.4)
    assert found.configurations[0].sd("ndcg@10") == pytest.approx(0.2 / 2**0.5)
    assert Repeats.from_plain(found.plain()) == found


def test_of_several_objectives_the_knee_of_the_means_wins(study_dir: Path) -> None:
    study = ask(study_dir, objectives=["ndcg@10", "coverage@10"])
    rows = study.rows()[:3]
    points = {0: (0.10, 0.0), 1: (0.09, 0.8), 2: (0.0, 1.0)}
    means = {n: [{"ndcg@10": a, "coverage@10": b}] for n, (a, b) in points.items()}
    rows = [replace(row, value=0.1) for row in rows]
    assert name_winner(study, rows, means).winner == 1


def test_a_configuration_whose_mean_breaks_a_limit_is_last(study_dir: Path) -> None:
    study = ask(study_dir, constraints={"coverage@10": {"min": 0.5}})
    rows = study.rows()[:2]
    found = name_winner(study, rows, {0: [figures(0.9)], 1: [figures(0.1)]})
    assert found.winner == 1
    assert [c.trial for c in found.configurations] == [1, 0]


def test_who_diverged_from_every_seed_is_left_out(study_dir: Path) -> None:
    study = ask(study_dir)
    found = name_winner(study, study.best(), {0: [], 1: [figures(0.1)]})
    assert [c.trial for c in found.configurations] == [1]
    assert name_winner(study, study.best(), {0: [], 1: []}).winner == study.best()[0].number


def test_a_study_trains_its_best_again_and_the_evaluation_uses_it(study_dir: Path) -> None:
    study = ask(study_dir, repeats={"top": 2, "seeds": 2})
    data = open_tuning(prepare(study.spec.data))
    lines: list[str] = []
    found = repeat_best(study, data, lines.append, LocalPool())
    assert found is not None
    assert read_repeats(study) == found
    assert {c.trial for c in found.configurations} == {0, 1}
    for configuration in found.configurations:
        first, second = configuration.seeds
        assert first != second, "seeds differ"
    assert selected_trial(study).number == found.winner
    n_lines = len(lines)
    assert repeat_best(study, data, lines.append, LocalPool()) == found
    assert len(lines) == n_lines, "nothing is trained twice"
    record = read_json(study_dir / "study.json")
    record["spec"]["final"]["seeds"] = 2
    write_json(study_dir / "study.json", record)
    told: list[str] = []
    evaluation = evaluate_study(study_dir, notify=told.append)
    assert evaluation.trial == found.winner
    assert not any("epoch" in line for line in told), "the repeats are the final seeds"


def test_the_simplest_within_a_standard_error_may_win(study_dir: Path) -> None:
    study = ask(study_dir)
    rows = [replace(row, n_parameters=size) for row, size in zip(study.best(), (900, 100), strict=True)]
    close = {row.number: np.linspace(0, 1, 50) + 0.001 * (row is rows[0]) * np.arange(50) for row in rows}
    fixed = {row.number: [figures(0.9 - 0.1 * place)] for place, row in enumerate(rows)}
    assert name_winner(study, rows, fixed).winner == rows[0].number
    assert name_winner(study, rows, fixed, close).winner == rows[0].number, "clearly better"
    noisy = close | {rows[0].number: close[rows[1].number] + np.resize([0.1, -0.1], 50)}
    assert name_winner(study, rows, fixed, noisy).winner == rows[1].number


def test_the_simplest_is_found_among_the_repeats(study_dir: Path) -> None:
    study = ask(study_dir, repeats={"top": 2, "seeds": 1, "winner": "simplest"})
    data = open_tuning(prepare(study.spec.data))
    found = repeat_best(study, data, lambda _: None, LocalPool())
    assert found is not None
    assert found.winner in {c.trial for c in found.configurations}
    assert selected_trial(study).number == found.winner


def test_repeats_end_with_the_next_trial(study_dir: Path) -> None:
    study = ask(study_dir)
    found = name_winner(study, study.best(), {0: [figures(0.1)], 1: [figures(0.9)]})
    write_json(study_dir / "repeats.json", found.plain())
    assert selected_trial(study).number == 1
    study.write_row(replace(study.rows()[3], number=4))
    assert read_repeats(study) is None
    assert selected_trial(study).number == 0


def test_a_damaged_file_is_told(study_dir: Path) -> None:
    (study_dir / "repeats.json").write_text("{}")
    with pytest.raises(StudyError, match=r"repeats\.json is damaged"):
        selected_trial(Study.open(study_dir))


def test_without_repeats_nothing_is_trained(study_dir: Path) -> None:
    study = ask(study_dir)
    assert repeat_best(study, None, pytest.fail, LocalPool()) is None  # type: ignore[arg-type]


def test_when_every_trial_breaks_a_limit_the_nearest_is_told(study_dir: Path) -> None:
    study = ask(study_dir, constraints={"hr@10": {"min": 0.999}})
    with pytest.raises(StudyError, match=r"breaks a limit; the nearest, trial \d, has hr@10 0"):
        selected_trial(study)
