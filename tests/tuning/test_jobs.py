"""Trainings outside a search: the same wherever they run, resumed, with the device and threads asked for."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reeltune.errors import DataError, EngineError, StudyError
from reeltune.evaluation.retrain import study_executor
from reeltune.evaluation.studies import open_study_data, silent
from reeltune.files import read_json, write_json
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.config import TrainingConfig
from reeltune.tuning.ray import jobs as ray_jobs
from reeltune.tuning.ray.jobs import RayJobs
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.study.folder import Study
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.job import TrialJob
from reeltune.tuning.trial.jobs import LocalPool, job_result, run_jobs, write_job

CONFIG = TrialConfig(
    model=GRUConfig(embedding_dim=8, hidden_dim=8), training=TrainingConfig(max_epochs=2, batch_size=64)
)


def make_jobs(root: Path, data, n: int = 2) -> list[TrialJob]:
    return [
        TrialJob(
            number=k,
            seed=k,
            params={},
            config=CONFIG.plain(),
            directory=str(root / f"seed-{k}"),
            data_directory=str(data.directory),
            study="jobs",
            study_directory=str(root),
            accelerator="cpu",
            name=f"seed {k}",
        )
        for k in range(1, n + 1)
    ]


def figures(results):
    return [(result.state, result.reason, result.metrics) for result in results]


def test_what_has_ended_is_not_trained_again(tmp_path, tiny_data) -> None:
    jobs = make_jobs(tmp_path, tiny_data, 1)
    lines: list[str] = []
    first = run_jobs(jobs * 2, LocalPool(), lines.append)
    assert [line.partition(",")[0] for line in lines] == ["seed 1: epoch 1 of 2", "seed 1: epoch 2 of 2"]
    assert first[0] == first[1]
    assert first[0].n_epochs == 2
    assert not (tmp_path / "seed-1" / "last.ckpt").exists()
    assert run_jobs(jobs, LocalPool(), pytest.fail) == first[:1]
    assert job_result(replace(jobs[0], seed=9)) is None, "another job's"


def test_a_result_of_before_is_read_and_a_damaged_one_refused(tmp_path, tiny_data) -> None:
    (job,) = make_jobs(tmp_path, tiny_data, 1)
    before = {"seed": 1, "state": "complete", "reason": "ran all epochs", "metrics": {"ndcg@10": 0.1}}
    write_json(tmp_path / "seed-1" / "result.json", before)
    found = job_result(job)
    assert (found.state, found.metrics, found.n_epochs) == (TrialState.COMPLETE, {"ndcg@10": 0.1}, 0)
    for content in ("{", "[]", "{}", '{"seed": 1, "state": "ended"}'):
        (tmp_path / "seed-1" / "result.json").write_text(content)
        with pytest.raises(StudyError, match=r"result\.json is damaged.*remove its folder"):
            run_jobs([job], LocalPool(), silent)


@pytest.mark.slow
def test_processes_and_ray_give_what_one_process_gives(tmp_path, tiny_data, study_dir) -> None:
    alone = run_jobs(make_jobs(tmp_path / "alone", tiny_data), LocalPool(), silent)
    lines: list[str] = []
    apart = run_jobs(make_jobs(tmp_path / "apart", tiny_data), LocalPool(2), lines.append)
    assert len(lines) == 4
    assert (tmp_path / "apart" / "seed-1" / "log.txt").exists(), "a process of its own"
    on_ray = RayJobs(Study.open(study_dir), tiny_data.directory)
    assert figures(apart) == figures(alone)
    lines.clear()
    assert figures(run_jobs(make_jobs(tmp_path / "ray", tiny_data), on_ray, lines.append)) == figures(alone)
    assert len(lines) == 4
    broken = replace(make_jobs(tmp_path / "broken", tiny_data, 1)[0], data_directory=str(tmp_path / "none"))
    with pytest.raises(DataError, match="none is not a whole prepared data set"):
        run_jobs([broken], on_ray, silent)


def test_a_node_that_does_not_see_the_folder_sends_its_files_back(tmp_path, tiny_data) -> None:
    (job,) = make_jobs(tmp_path, tiny_data, 1)
    files = ray_jobs._train(job.plain(), "")
    assert not Path(job.directory).exists()
    ray_jobs._write_files(files, Path(job.directory))
    assert {"best.ckpt", "epochs.jsonl", "result.json", "validation_ranks.npy"} <= set(files)
    (again,) = make_jobs(tmp_path / "here", tiny_data, 1)
    assert figures([job_result(job)]) == figures(run_jobs([again], LocalPool(), silent))


def test_retraining_uses_the_threads_and_device_of_the_study(study_dir, monkeypatch) -> None:
    content = read_json(study_dir / "study.json")
    content["spec"]["study"] |= {"n_threads": 2, "gpus_per_trial": 0.5, "concurrency": 3}
    content["spec"]["final"]["seeds"] = 2
    write_json(study_dir / "study.json", content)
    study = Study.open(study_dir)
    _, data = open_study_data(study, data_dir=None, notify=silent)
    assert study_executor(study, data) == LocalPool(3, 0.5)
    assert study_executor(study, data, "auto") == RayJobs(study, data.directory, "auto")
    from reeltune.evaluation.retrain import _job

    job = _job(study, study.best()[0], data, 1)
    assert (job.n_threads, job.accelerator) == (2, "gpu")


@pytest.mark.parametrize(
    ("share", "n_gpus", "concurrency", "seen"),
    [
        (0.0, 2, 2, [{}, {}]),
        (1.0, 2, 3, ["0", "1"]),
        (0.5, 2, 3, ["0", "1", "0"]),
        (0.1, 1, 16, ["0"] * 10),
        (2.0, 4, 4, ["0,1", "2,3"]),
        (2.0, 1, 4, ["0"]),
    ],
)
def test_each_process_sees_its_own_accelerators(share, n_gpus, concurrency, seen, monkeypatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    wanted = [of if isinstance(of, dict) else {"CUDA_VISIBLE_DEVICES": of} for of in seen]
    assert LocalPool(concurrency, share)._slots() == wanted


def test_without_an_accelerator_the_processor_trains_and_says_so(tmp_path, tiny_data, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (job,) = make_jobs(tmp_path, tiny_data, 1)
    lines: list[str] = []
    run_jobs([replace(job, accelerator="gpu")], LocalPool(1, 1.0), lines.append)
    assert lines[0] == "there is no accelerator here, so the CPU trains"
    assert read_json(Path(job.directory) / "job.json")["accelerator"] == "cpu"


@pytest.mark.slow
def test_a_process_that_dies_is_reported_with_its_log(tmp_path, tiny_data, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(EngineError, match=r"training seed \d ended with code 1.*log\.txt.*resume"):
        run_jobs(make_jobs(tmp_path, tiny_data), LocalPool(2), silent)
    assert not (tmp_path / "seed-1" / "result.json").exists()


def test_the_job_of_another_process_can_be_read(tmp_path, tiny_data) -> None:
    (job,) = make_jobs(tmp_path, tiny_data, 1)
    write_job(job)
    assert TrialJob(**read_json(Path(job.directory) / "job.json")) == job
