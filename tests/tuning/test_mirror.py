"""A study mirrored to object storage: sent, brought elsewhere, held by one driver at a time."""

import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cheap_trials
import pytest
from engine_parts import comparable
from studies_for_tests import ledger, make_study, spec

from reeltune.errors import EngineError, StudyError
from reeltune.files import read_json
from reeltune.object_storage import ObjectStorage
from reeltune.tuning.mirror import remote
from reeltune.tuning.mirror.lease import read_lease
from reeltune.tuning.mirror.nodes import ARCHIVE, node_data, pack_data
from reeltune.tuning.mirror.remote import remote_trial
from reeltune.tuning.mirror.restore import restore_if_there, restore_study
from reeltune.tuning.mirror.study_mirror import mirrored, send_results
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import SilentObserver
from reeltune.tuning.study.recorder import Recorder, open_storage

pytestmark = pytest.mark.slow


SETTINGS = {"trials": 4, "max_epochs": 5, "scheduler": {"name": "none"}, "keep_checkpoints": 1}


class Cut(Exception):
    """Ends a trial in the middle, as a kill does."""


@pytest.fixture
def bucket(tmp_path):
    return (tmp_path / "bucket").as_uri()


@contextmanager
def driver(study, notes=None, *, is_on_cluster=False, is_taking_over=False):
    """Do what :func:`run_study` does around the trials, without Ray."""
    told = [] if notes is None else notes
    on = {"is_on_cluster": is_on_cluster, "is_taking_over": is_taking_over}
    with study.lock(), mirrored(study, told.append, **on) as mirror:
        storage = open_storage(study)
        try:
            yield Recorder(study, storage, SilentObserver(), Path(__file__).parent, mirror)
        finally:
            storage.close()


def run_trial(recorder, number, *, n_epochs=None):
    """Run a trial where its job says, cut off after ``n_epochs``."""
    job = recorder.begin(number)
    reported = []

    def report(epoch):
        recorder.epoch(number, epoch)
        reported.append(epoch)
        if n_epochs is not None and epoch.epoch >= n_epochs:
            raise Cut

    if not job.storage:
        Path(job.directory).mkdir(parents=True, exist_ok=True)
        result = cheap_trials.run(job, report)
    else:
        study = recorder.study.directory
        with remote_trial(job) as (moved, send):
            assert not Path(moved.directory).is_relative_to(study)

            def send_and_report(epoch):
                send()
                report(epoch)

            result = cheap_trials.run(moved, send_and_report)
            send()
    recorder.finish(number, result.state, result.reason, result)
    return reported


def cut(recorder, number, n_epochs):
    with pytest.raises(Cut):
        run_trial(recorder, number, n_epochs=n_epochs)


def mirrored_study(tmp_path, bucket, **settings):
    return make_study(tmp_path / "studies" / "s", storage=bucket, **(SETTINGS | settings))


def whole(tmp_path):
    """Return the rows and epochs of the study when nothing interferes and nothing is mirrored."""
    study = make_study(tmp_path / "undisturbed" / "s", **SETTINGS)
    with driver(study) as recorder:
        for number in range(4):
            run_trial(recorder, number)
    return comparable(study)


@pytest.mark.parametrize("is_on_cluster", [False, True])
def test_a_fresh_machine_goes_on_where_the_lost_one_was(tmp_path, bucket, is_on_cluster):
    study = mirrored_study(tmp_path, bucket)
    with driver(study, is_on_cluster=is_on_cluster) as recorder:
        run_trial(recorder, 0)
        cut(recorder, 1, 3)
        shutil.copy(study.directory / "study.json", study.directory / "experiment.yaml")
    before = study.rows()[0]
    shutil.rmtree(study.directory)  # with the machine
    notes = []
    directory = restore_study(f"{bucket}/s", tmp_path / "fresh", notify=notes.append)
    assert directory == tmp_path / "fresh" / "s"
    assert notes[0].startswith("fetching ")
    assert not (directory / "study.db").exists()
    assert (directory / "experiment.yaml").exists()
    again = Study.open(directory)
    assert again.rows()[0] == before
    with driver(again, is_on_cluster=is_on_cluster) as recorder:
        reported = run_trial(recorder, 1)
        for number in (2, 3):
            run_trial(recorder, number)
    assert [epoch.epoch for epoch in reported] == [1, 2, 3, 4, 5]
    trace = (again.trial_directory(1) / "trace").read_text().split()
    assert trace == ["1", "2", "3", "4", "5"], "it went on from its checkpoint"
    assert comparable(again) == whole(tmp_path)


@pytest.mark.parametrize("is_on_cluster", [False, True])
def test_the_bucket_holds_what_the_folder_holds(tmp_path, bucket, is_on_cluster):
    study = mirrored_study(tmp_path, bucket)
    with driver(study, is_on_cluster=is_on_cluster) as recorder:
        for number in range(3):
            run_trial(recorder, number)
    here = {str(p.relative_to(study.directory)) for p in study.directory.rglob("*") if p.is_file()}
    local = {name for name in here if name.startswith(("study.db", ".", "study.lock"))}
    root = tmp_path / "bucket" / "s"
    there = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    assert there == here - local | {"driver.json"}
    assert all((root / name).read_bytes() == (study.directory / name).read_bytes() for name in here - local)
    kept = sorted(name for name in there if name.endswith(".ckpt"))
    assert kept == [f"trials/{study.best(1)[0].number:05d}/best.ckpt"]
    (study.directory / "evaluation.json").write_text("{}")
    send_results(study.directory, pytest.fail)
    assert (root / "evaluation.json").exists()


def test_a_trial_goes_on_elsewhere_and_comes_home(tmp_path, bucket, monkeypatch):
    monkeypatch.setattr(remote.tempfile, "gettempdir", lambda: str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    study = mirrored_study(tmp_path, bucket)
    with driver(study) as recorder:
        cut(recorder, 0, 1)  # here
    with driver(study, is_on_cluster=True) as recorder:
        cut(recorder, 0, 2)  # on a node, which dies
        cut(recorder, 0, 3)  # on another
    assert not list((tmp_path / "node").iterdir()), "nothing stays on the nodes"
    root = tmp_path / "bucket" / "s" / "trials" / "00000"
    assert len((root / "trace").read_text().split()) == 3
    assert len((study.trial_directory(0) / "trace").read_text().split()) == 1
    with driver(study) as recorder:
        run_trial(recorder, 0)  # here again
    assert (study.trial_directory(0) / "trace").read_text().split() == ["1", "2", "3", "4", "5"]
    left = tmp_path / "node" / f"reeltune-trial-{remote.platform.node()}-x-00000-{2**22 + 1}"
    left.mkdir()
    with driver(study, is_on_cluster=True) as recorder:
        run_trial(recorder, 1)
    assert not left.exists(), "of a worker that was killed"


def break_bucket(monkeypatch):
    def fail(self, *_):
        raise EngineError("cannot write s3://bucket: AWS Error SLOW_DOWN; check it")

    for name in ("write", "read", "sizes", "fetch", "remove"):
        monkeypatch.setattr(ObjectStorage, name, fail)


def sent(recorder):
    """Wait until what was asked to be sent was tried."""
    recorder._files._pool.submit(lambda: None).result()


def run_into_a_failing_bucket(study, monkeypatch, notes, *, is_on_cluster):
    with driver(study, notes, is_on_cluster=is_on_cluster) as recorder:
        job = recorder.begin(0)
        sent(recorder)
        if is_on_cluster:
            with remote_trial(job) as (moved, send):
                result = cheap_trials.run(moved, lambda epoch: (send(), recorder.epoch(0, epoch)))
        else:
            Path(job.directory).mkdir(exist_ok=True)
            result = cheap_trials.run(job, lambda epoch: recorder.epoch(0, epoch))
        break_bucket(monkeypatch)
        recorder.finish(0, result.state, result.reason, result)
        if not is_on_cluster:
            run_trial(recorder, 1)
        sent(recorder)
        for _ in range(3):
            recorder._files.look()


@pytest.mark.parametrize("is_on_cluster", [False, True])
def test_a_failing_bucket_is_told_once_and_costs_no_trial(tmp_path, bucket, is_on_cluster, monkeypatch):
    study = mirrored_study(tmp_path, bucket)
    notes = []
    with pytest.raises(EngineError, match=r"not all of the study is at file:.*SLOW_DOWN.*reeltune resume s$"):
        run_into_a_failing_bucket(study, monkeypatch, notes, is_on_cluster=is_on_cluster)
    assert len(notes) == 1
    assert notes[0].startswith("warning: cannot write s3://bucket: AWS Error SLOW_DOWN")
    rows = study.rows()
    assert all(row.state == "complete" for row in rows)
    monkeypatch.undo()
    with driver(study):
        pass
    best = study.trial_directory(study.best(1)[0].number) / "best.ckpt"
    assert best.exists()
    assert (tmp_path / "bucket" / "s" / best.relative_to(study.directory)).exists()
    there = {path.parent.name for path in (tmp_path / "bucket").rglob("trial.json")}
    assert there == {f"{row.number:05d}" for row in rows}


def run_while_another_takes_over(study, address, root):
    with driver(study) as recorder:
        run_trial(recorder, 0)
        sent(recorder)
        with pytest.raises(StudyError, match=r"is being run by process .* resume .*/s --take-over"):
            restore_study(address, root)
        assert not root.exists(), "nothing half-written"
        other = Study.open(restore_study(address, root, is_taking_over=True))
        with pytest.raises(StudyError, match="--take-over"):
            driver(other).__enter__()
        with driver(other, is_taking_over=True) as second:
            run_trial(second, 1)
            run_trial(recorder, 1)
            sent(recorder)
        recorder._files.look()


def test_one_driver_at_a_time(tmp_path, bucket):
    study, root = mirrored_study(tmp_path, bucket), tmp_path / "fresh"
    with pytest.raises(
        StudyError, match=r"taken over by process \d+ on .*; this run stops and sends nothing"
    ):
        run_while_another_takes_over(study, f"{bucket}/s", root)
    assert read_lease(ObjectStorage(f"{bucket}/s")).holder is None
    with pytest.raises(StudyError, match=r"was resumed elsewhere since .*`reeltune rm s`"):
        driver(study).__enter__()
    told = []
    send_results(study.directory, told.append)
    assert "which another driver holds or went on with" in told[0]
    with driver(Study.open(root / "s")):
        pass


def test_the_study_of_a_killed_driver_goes_on_in_its_folder(tmp_path, bucket, monkeypatch):
    study = mirrored_study(tmp_path, bucket)
    with monkeypatch.context() as patch:
        patch.setattr("reeltune.tuning.mirror.study_mirror.Mirror.close", lambda self: self._pool.shutdown())
        with driver(study) as recorder:
            run_trial(recorder, 0)
    assert read_lease(ObjectStorage(f"{bucket}/s")).holder is not None
    with driver(study) as recorder:
        run_trial(recorder, 1)
    assert read_lease(ObjectStorage(f"{bucket}/s")).holder is None


def test_another_study_of_the_name_is_left_alone(tmp_path, bucket):
    study = mirrored_study(tmp_path, bucket)
    with driver(study):
        pass
    restore_if_there(bucket, study.directory)
    restore_if_there(bucket, tmp_path / "third" / "s")
    assert Study.open(tmp_path / "third" / "s").created == study.created
    restore_if_there(bucket, tmp_path / "third" / "t")
    assert not (tmp_path / "third" / "t").exists()
    other = Study.create(
        tmp_path / "other" / "s", spec(storage=bucket, **SETTINGS), replace_fingerprint(ledger())
    )
    for refused in (
        lambda: restore_if_there(bucket, other.directory),
        lambda: restore_study(f"{bucket}/s", tmp_path / "other"),
        driver(other).__enter__,
    ):
        with pytest.raises(
            StudyError, match=r"holds another study, made .* choose another --name, --storage"
        ):
            refused()
    with pytest.raises(StudyError, match=f"no study at {bucket}/absent; its address is that given as --st"):
        restore_study(f"{bucket}/absent", tmp_path / "other")
    (tmp_path / "full" / "s").mkdir(parents=True)
    (tmp_path / "full" / "s" / "thesis.txt").touch()
    with pytest.raises(StudyError, match="is a folder but no study"):
        restore_study(f"{bucket}/s", tmp_path / "full")


def replace_fingerprint(value):
    return value.model_copy(update={"fingerprint": "another"})


def test_a_mirror_may_move(tmp_path, bucket):
    study = mirrored_study(tmp_path, bucket)
    with driver(study) as recorder:
        run_trial(recorder, 0)
    shutil.move(tmp_path / "bucket", tmp_path / "moved")
    shutil.rmtree(study.directory)
    moved = (tmp_path / "moved").as_uri()
    again = Study.open(restore_study(f"{moved}/s", tmp_path / "studies"))
    assert again.spec.study.storage == moved
    with driver(again) as recorder:
        run_trial(recorder, 1)
    assert not (tmp_path / "bucket").exists()
    assert (tmp_path / "moved" / "s" / "trials" / "00001" / "best.ckpt").exists() or again.best(1)[
        0
    ].number == 0
    assert read_json(tmp_path / "moved" / "s" / "study.json")["spec"]["study"]["storage"] == moved


def test_a_node_fetches_the_data_once(tmp_path, bucket, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data-0123"
    (data / "tuning").mkdir(parents=True)
    (data / "tuning" / "items.npy").write_text("tuning")
    storage = ObjectStorage(bucket)
    assert node_data(str(data), bucket) == str(data), "what a node sees, it uses"
    pack_data(data, tmp_path)
    shutil.rmtree(data)
    with pytest.raises(EngineError, match=f"the data are neither at {data} nor at {bucket}"):
        node_data(str(data), bucket)
    storage.send(tmp_path / ARCHIVE, ARCHIVE)
    found = Path(node_data(str(data), bucket))
    assert (found / "tuning" / "items.npy").read_text() == "tuning"
    storage.remove(ARCHIVE)
    assert node_data(str(data), bucket) == str(found)


def test_a_leg_begins_from_where_its_parent_was_sent(tmp_path, bucket):
    study = mirrored_study(tmp_path, bucket)
    storage = ObjectStorage(f"{bucket}/s")
    with driver(study) as recorder:
        job = recorder.begin(0)
    storage.write("trials/00007/last.ckpt", b"weights")
    (tmp_path / "data").mkdir()
    origin = str(study.trial_directory(7) / "last.ckpt")
    leg = replace(job, storage=storage.address, origin=origin, data_directory=str(tmp_path / "data"))
    with remote_trial(leg) as (moved, send):
        assert Path(moved.origin).read_bytes() == b"weights"
        send()
    assert "trials/00000/last.ckpt" not in storage.sizes(), "the parent's is not sent as its own"
