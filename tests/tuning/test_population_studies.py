"""Populations on real Ray Tune, over cheap trials: any concurrency, kills, failures."""

import shutil
from pathlib import Path

import pytest
from engine_parts import comparable, drive, finished, optuna_trials, restart_machine, run, wait_for
from studies_for_tests import make_study

from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.search.population import lineage
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Outcome

pytestmark = [
    pytest.mark.soak,
    pytest.mark.usefixtures("one_ray"),
    # Ray leaves the sockets and pipes of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def make(directory, name="pbt", **settings):
    scheduler = {"name": name, "population": 4, "interval_epochs": 2}
    return make_study(directory, **({"trials": 100, "max_epochs": 6, "scheduler": scheduler} | settings))


def check_lineages(study):
    rows = {row.number: row for row in study.rows()}
    assert sorted(rows) == list(range(12)), "no more legs than the training has"
    for row, trial in zip(rows.values(), optuna_trials(study), strict=True):
        assert trial.params == row.params
        epochs = [epoch.epoch for epoch in study.epochs(row.number)]
        assert epochs == [row.start_epoch + 1, row.start_epoch + 2]
        assert list(trial.intermediate_values) == epochs
        assert (row.parent is None) == (row.number < 4)
        assert row.start_epoch == row.number // 4 * 2
    chain = lineage(rows, study.best()[0].number)
    assert [row.start_epoch for row in chain] == [0, 2, 4]
    kept = {path.parent.name for path in study.directory.glob("trials/*/*.ckpt")}
    assert kept == {f"{row.number:05d}" for row in study.best(3)}, "no origin is left when all is done"


def test_a_population_killed_at_two_trials_at_once_gives_what_one_at_a_time_gives(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    killed = make(tmp_path / "killed", "pbt", concurrency=2)
    process = drive(killed, "run_a_part")
    wait_for(lambda: len(finished(killed)) >= 5, process)
    restart_machine(process)
    # To a bucket and back: nothing in the folder tells where it lies.
    killed = Study.open(Path(shutil.move(killed.directory, tmp_path / "elsewhere" / "killed")))
    before = finished(killed)
    assert run(killed, "run") is Outcome.FINISHED
    check_lineages(killed)
    rows = killed.rows()
    assert [rows[row.number] for row in before] == before, "what had ended stays as it was"
    whole = make(tmp_path / "whole", "pbt", concurrency=1)
    assert run(whole, "run") is Outcome.FINISHED
    assert comparable(killed) == comparable(whole)


def test_a_population_goes_on_without_those_that_fail(tmp_path):
    scheduler = {"name": "pbt", "population": 4, "interval_epochs": 2}
    study = make_study(tmp_path / "s", trials=8, max_epochs=6, scheduler=scheduler, n_restarts=1)
    assert run(study, "run_badly") is Outcome.FINISHED
    rows = study.rows()
    assert [str(row.state) for row in rows[:4]] == ["complete", "failed", "diverged", "complete"]
    parents = {row.parent for row in rows[4:]}
    assert parents <= {0, 3}
    assert study.n_trials == 8 < 12, "a population may be trained on later: its checkpoints are kept"
    alive = [row for row in rows[4:] if row.state is TrialState.COMPLETE]
    kept = {path.parent.name for path in study.directory.glob("trials/*/last.ckpt")}
    assert kept == {f"{row.number:05d}" for row in alive}
