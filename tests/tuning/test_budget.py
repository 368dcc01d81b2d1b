"""Which checkpoints give way to the cap."""

from dataclasses import replace

import pytest
from studies_for_tests import make_study, write_ended

from reeltune.errors import EngineError
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.study.budget import COPIES, OVERHEAD_BYTES, CheckpointBudget

MEGABYTE = 10**6


def study_with(directory, n_ended, *, megabytes_each=1, **settings):
    """Return a study, its rows (the later the better) and a budget; ended trials have weights and litter."""
    study = make_study(directory / "s", trials=20, **settings)
    rows = {}
    for number in range(n_ended):
        rows[number] = write_ended(study, number, number / 100)
        folder = study.trial_directory(number)
        (folder / "best.ckpt").write_bytes(bytes(megabytes_each * MEGABYTE))
        (folder / "last.ckpt").write_bytes(b"x")
        (folder / ".last.ckpt.1.part").write_bytes(b"x")
    return study, rows, CheckpointBudget(study)


def kept(study):
    return [int(path.parent.name) for path in sorted(study.directory.glob("trials/*/best.ckpt"))]


def running(study, rows, number, n_parameters):
    rows[number] = TrialRow(number, TrialState.RUNNING, "", {}, {}, 1, n_parameters=n_parameters)
    study.write_row(rows[number])


def test_the_best_keep_their_weights_and_nothing_else(tmp_path):
    study, rows, budget = study_with(tmp_path, 6, keep_checkpoints=3)
    budget.tidy(rows)
    budget.make_room(rows)
    assert kept(study) == [3, 4, 5]
    assert {path.name for path in study.directory.glob("trials/*/*")} == {
        "trial.json", "epochs.jsonl", "best.ckpt",
    }  # fmt: skip


def test_repeated_configurations_keep_theirs(tmp_path):
    study, rows, budget = study_with(tmp_path, 6, keep_checkpoints=1, repeats={"top": 4, "seeds": 2})
    budget.tidy(rows)
    assert kept(study) == [2, 3, 4, 5]


def test_the_worst_give_way_to_a_trial_that_begins(tmp_path):
    n_parameters = (2 * MEGABYTE - OVERHEAD_BYTES) // (4 * COPIES)  # may take 2 MB
    study, rows, budget = study_with(tmp_path, 6, keep_checkpoints=5, checkpoint_megabytes=4.5)
    budget.tidy(rows)
    running(study, rows, 6, n_parameters)
    budget.begin(6, rows)
    assert kept(study) == [4, 5]


def test_the_best_never_gives_way(tmp_path):
    study, rows, budget = study_with(tmp_path, 2, checkpoint_megabytes=1.1)
    running(study, rows, 2, 1000)
    with pytest.raises(
        EngineError, match=r"1 running trials and of the best one may take 1\.2 MB, .* is 1\.1"
    ):
        budget.begin(2, rows)
    assert kept(study) == [1]


def test_files_larger_than_expected_count_as_they_are(tmp_path):
    study, rows, budget = study_with(tmp_path, 3, checkpoint_megabytes=6.5)
    running(study, rows, 3, 1000)
    (study.trial_directory(3) / "last.ckpt").write_bytes(bytes(2 * MEGABYTE))
    budget.begin(3, rows)  # twice the last one, for its successor is written beside it
    assert kept(study) == [1, 2]


def test_what_others_begin_from_stays_and_counts(tmp_path):
    population = {"name": "pbt", "population": 2, "interval_epochs": 2}
    study, rows, budget = study_with(
        tmp_path, 2, checkpoint_megabytes=4.3, keep_checkpoints=2, scheduler=population
    )
    for number in (0, 1):
        rows[number] = replace(rows[number], n_epochs=2)
        (study.trial_directory(number) / "last.ckpt").write_bytes(bytes(MEGABYTE))
    budget.tidy(rows)
    assert len(list(study.directory.glob("trials/*/last.ckpt"))) == 2, "the next generation begins from them"
    running(study, rows, 2, 1000)
    budget.begin(2, rows)
    assert kept(study) == [0, 1]
    (study.trial_directory(1) / "last.ckpt").write_bytes(bytes(3 * MEGABYTE))
    with pytest.raises(
        EngineError, match=r"1 running trials, of the 2 that others begin from and of the best"
    ):
        budget.begin(2, rows)
    for number in (2, 3):
        rows[number] = TrialRow(number, TrialState.FAILED, "", {}, {}, 1)
    budget.tidy(rows)
    assert not list(study.directory.glob("trials/*/last.ckpt"))
