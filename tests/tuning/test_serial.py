import pytest

from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.models.baselines.item_knn import ItemKNNConfig
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.space.parameters import IntRange
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study import serial
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Outcome
from reeltune.tuning.study.serial import run_serially
from reeltune.tuning.study.spec import StudySettings, StudySpec
from reeltune.tuning.trial.config import TrialConfig, one_go

pytestmark = pytest.mark.slow


def make_study(folder, trials=4):
    data = DataConfig(dataset="synthetic")
    prepared = prepare(data)
    spec = StudySpec(
        data=data,
        trial=TrialConfig(model=ItemKNNConfig(), training=one_go("next-item")),
        space=Space(model="item-knn", space={"model.n_neighbours": IntRange(low=2, high=90)}),
        study=StudySettings(trials=trials, searcher={"name": "random"}),
    )
    return Study.create(folder, spec, open_tuning(prepared).ledger), prepared


def test_a_study_runs_to_its_end_and_repeats_itself(tmp_path):
    rows = []
    for name in ("a", "b"):
        study, prepared = make_study(tmp_path / name)
        assert run_serially(study, prepared) is Outcome.FINISHED
        assert study.is_finished
        rows.append([(row.params, row.value, row.state) for row in study.rows()])
        assert run_serially(study, prepared) is Outcome.FINISHED
    assert rows[0] == rows[1]
    assert rows[0][0][0] == {"model.n_neighbours": ItemKNNConfig().n_neighbours}
    assert all(state is TrialState.COMPLETE for _, _, state in rows[0])


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path, monkeypatch):
    study, prepared = make_study(tmp_path / "whole")
    run_serially(study, prepared)
    whole = [(row.params, row.value) for row in study.rows()]
    study, prepared = make_study(tmp_path / "cut")

    def interrupt(job, report):
        if job.number == 2:
            raise KeyboardInterrupt
        return run_job(job, report)

    run_job = serial.run_job
    with monkeypatch.context() as patch:
        patch.setattr(serial, "run_job", interrupt)
        assert run_serially(study, prepared) is Outcome.INTERRUPTED
    assert [row.state for row in study.rows()][2] is TrialState.RUNNING
    assert run_serially(study, prepared) is Outcome.FINISHED
    assert [(row.params, row.value) for row in study.rows()] == whole


def test_a_trial_that_raises_is_recorded_with_its_reason(tmp_path, monkeypatch):
    study, prepared = make_study(tmp_path / "s", trials=2)
    monkeypatch.setattr(serial, "run_job", lambda *_: (_ for _ in ()).throw(RuntimeError("no luck")))
    run_serially(study, prepared)
    assert {(row.state, row.reason) for row in study.rows()} == {(TrialState.FAILED, "RuntimeError: no luck")}
