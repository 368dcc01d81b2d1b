import json
import os
import stat
from pathlib import Path

import pytest
from studies_for_tests import ledger, make_study, spec, write_ended

from reeltune.cli.options import studies_root
from reeltune.errors import ConfigError, EngineError, StudyError
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.folders import find_study, list_studies, remove_study


def row(number):
    return TrialRow(number, TrialState.RUNNING, "", {"training.learning_rate": 0.01}, {}, 5)


def report(epoch, value=0.1):
    return EpochReport(epoch, {"ndcg@10": value}, value, 1.0, 0.5)


def test_a_study_is_made_once_and_opened_again(tmp_path):
    study = make_study(tmp_path / "s", trials=4)
    again = Study.open(tmp_path / "s")
    assert again.spec == study.spec
    assert again.name == "s"
    assert again.ledger == ledger()
    assert set(again.versions) >= {"python", "reeltune", "ray", "optuna", "torch", "lightning"}
    assert Study.create(tmp_path / "s", spec(trials=4), ledger()).created == study.created


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 18}, "study.seed = 17, now it is 18"),
        ({"searcher": "random"}, "study.searcher.name = 'tpe', now it is 'random'"),
        ({"max_epochs": 9}, "trial.training.max_epochs = 8, now it is 9"),
        ({"objective": "hr@10"}, "study.objective = 'ndcg@10', now it is 'hr@10'"),
    ],
)
def test_another_spec_under_the_same_name_is_refused(tmp_path, change, message):
    make_study(tmp_path / "s")
    with pytest.raises(StudyError) as error:
        make_study(tmp_path / "s", **change)
    assert message in str(error.value)
    assert "choose another --name, or remove the study with `reeltune rm s`" in str(error.value)


def test_a_study_may_be_extended(tmp_path):
    make_study(tmp_path / "s", trials=4)
    make_study(tmp_path / "s", trials=9, concurrency=1, keep_checkpoints=7)
    assert Study.open(tmp_path / "s").spec.study.trials == 9


def test_other_data_are_refused(tmp_path):
    make_study(tmp_path / "s")
    other = ledger().model_copy(update={"fingerprint": "y"})
    with pytest.raises(StudyError, match="fingerprint = 'x', now it is 'y'"):
        Study.create(tmp_path / "s", spec(), other)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.txt").write_text("mine")
    with pytest.raises(StudyError, match="no study; choose another --name"):
        make_study(tmp_path / "s")
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{torn", "is damaged"),
        ("[]", "is damaged"),
        ('{"schema": 99}', "has schema 99, this version of reeltune reads 1"),
        ('{"schema": 1, "ledger": {}, "spec": {}}', "is damaged"),
    ],
)
def test_a_damaged_or_foreign_study_is_named(tmp_path, text, message):
    make_study(tmp_path / "s")
    (tmp_path / "s" / "study.json").write_text(text)
    with pytest.raises(StudyError, match=message):
        Study.open(tmp_path / "s")


def test_rows_and_epochs_survive_torn_writes(tmp_path):
    study = make_study(tmp_path / "s")
    for number in (3, 1, 0, 2):
        study.write_row(row(number))
    assert [r.number for r in study.rows()] == [0, 1, 2, 3]
    for epoch in (1, 2):
        study.append_epoch(3, report(epoch))
    path = study.trial_directory(3) / "epochs.jsonl"
    path.write_text(path.read_text() + '{"epoch": 3, "metr')
    study.append_epoch(3, report(3))
    assert study.epochs(3) == [report(1), report(2), report(3)]
    (study.trial_directory(3) / "trial.json").write_text("{}")
    with pytest.raises(StudyError, match=r"trial\.json is damaged"):
        study.rows()


@pytest.mark.parametrize("text", ["[]\n", "{}\n", "null\n", None])
def test_a_damaged_file_of_a_study_is_named(tmp_path, text):
    study = make_study(tmp_path / "s")
    files = [study.trial_directory(0) / name for name in ("trial.json", "epochs.jsonl")]
    for path in [*files, study.directory / "elapsed.json"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.mkdir()
        else:
            path.write_text(text)
    for read in (study.rows, lambda: study.epochs(0), lambda: study.elapsed_seconds):
        with pytest.raises(StudyError, match="is damaged"):
            read()


def test_only_ended_trials_with_a_figure_win_and_complete_ones_first(tmp_path):
    study = make_study(tmp_path / "s", trials=6)
    for number, (state, value) in enumerate(
        [
            (TrialState.DIVERGED, 0.9),
            (TrialState.STOPPED, 0.8),
            (TrialState.COMPLETE, 0.5),
            (TrialState.COMPLETE, 0.6),
            (TrialState.FAILED, None),
            (TrialState.RUNNING, None),
        ]
    ):
        if state is TrialState.RUNNING:
            study.write_row(row(number))
        else:
            write_ended(study, number, value, state)
    assert [r.number for r in study.best()] == [3, 2, 1]
    assert [r.number for r in study.best(1)] == [3]
    assert not study.is_finished
    write_ended(study, 5, None, TrialState.FAILED)
    assert study.is_finished


def test_a_folder_of_something_else_is_left_alone_but_not_one_that_a_kill_left(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(StudyError, match="a folder but no study"):
        make_study(tmp_path / "photos")
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / ".study.json.x1.part").write_text("{")
    assert make_study(tmp_path / "killed").n_trials


def test_the_lock_belongs_to_one(tmp_path):
    study = make_study(tmp_path / "s")
    assert not study.is_locked()
    with study.lock():
        assert study.is_locked()
        with pytest.raises(StudyError, match=f"being run by process {os.getpid()}"), study.lock():
            pass
        with pytest.raises(StudyError):
            remove_study(study.directory)
    assert not study.is_locked()
    remove_study(study.directory)
    assert not study.directory.exists()


def test_studies_are_found_by_name_or_path(tmp_path, monkeypatch):
    study = make_study(tmp_path / "studies" / "first")
    assert find_study("first", tmp_path / "studies") == study.directory
    assert find_study(str(study.directory), tmp_path) == study.directory
    assert list_studies(tmp_path / "studies") == [study.directory]
    with pytest.raises(StudyError, match="unknown study 'frist': did you mean 'first'"):
        find_study("frist", tmp_path / "studies")
    with pytest.raises(StudyError, match="there is none in"):
        find_study("first", tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(EngineError, match="cannot write"):
        make_study(tmp_path / "s")


def test_the_spec_is_plain_json(tmp_path):
    study = make_study(tmp_path / "s", first=[{"training.learning_rate": 0.1}])
    record = json.loads((study.directory / "study.json").read_text())
    assert record["spec"]["space"]["space"]["training.learning_rate"]["log"] is True
    assert record["spec"]["study"]["first"] == [{"training.learning_rate": 0.1}]


@pytest.mark.parametrize(
    "address", ["s3://bucket/studies", "gs://bucket", "file:///studies", "hdfs://n:8020/s"]
)
def test_an_address_of_object_storage_is_refused(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    for ask in (
        lambda: Study.create(Path(address) / "s", spec(), ledger()),
        lambda: studies_root(Path(address)),
        lambda: find_study(f"{address}/s", tmp_path),
    ):
        with pytest.raises(
            ConfigError, match=f"^{address.partition('//')[0]}//.* is an address, a study needs"
        ):
            ask()
    monkeypatch.setenv("REELTUNE_STUDIES", address)
    with pytest.raises(ConfigError, match="give one on a disk or on shared storage"):
        studies_root(None)
    assert not list(tmp_path.iterdir())
    assert studies_root(Path("./a:b/c")) == Path("a:b/c")
