import sys

import numpy as np
import pytest

from reeltune.benchmark.rating_job import PREDICTED, QUESTIONS, run_rating_job
from reeltune.benchmark.rating_runs import RatingJob, run_rating_jobs
from reeltune.benchmark.rating_spec import RatingContestant
from reeltune.data.config import DataConfig
from reeltune.data.prepare.folds import KFold
from reeltune.data.ratings import Ratings
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import EngineError
from reeltune.files import read_json, write_json


@pytest.fixture(scope="module")
def data():
    return open_tuning(prepare(DataConfig(dataset="synthetic", split=KFold(n_folds=4), k_core=1)))


def job(folder, data, task="try", name="biases"):
    value = {
        "task": task,
        "kind": "predictor",
        "config": {"name": name},
        "params": {},
        "seed": 3,
        "data_directory": str(data.directory),
    }
    return RatingJob(folder, f"{name}, {folder.name}", value)


@pytest.fixture
def every_job_in_a_process(monkeypatch):
    monkeypatch.setattr(RatingJob, "is_long", True)


@pytest.mark.slow
@pytest.mark.usefixtures("every_job_in_a_process")
def test_processes_do_what_one_process_does(tmp_path, data):
    lines = []
    at_once = [job(tmp_path / f"{k}", data, name=name) for k, name in enumerate(("biases", "global-mean"))]
    run_rating_jobs(at_once, 2, lines.append)
    alone = [
        job(tmp_path / f"alone-{k}", data, name=one.value["config"]["name"]) for k, one in enumerate(at_once)
    ]
    run_rating_jobs(alone, 1, lines.append)
    for one, other in zip(at_once, alone, strict=True):
        assert one.result()["rmse"] == other.result()["rmse"]
    assert len(lines) == 4
    run_rating_jobs(at_once, 2, lines.append)
    assert len(lines) == 4  # done before


def test_a_job_of_another_kind_is_done_anew(tmp_path, data):
    first = job(tmp_path / "one", data)
    run_rating_jobs([first], 1, lambda _: None)
    changed = RatingJob(first.folder, first.label, first.value | {"seed": 4})
    assert first.result() is not None
    assert changed.result() is None


@pytest.mark.usefixtures("every_job_in_a_process")
def test_a_process_that_dies_is_told_with_its_log(tmp_path, data, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EngineError, match=r"biases, one ended with code 1.*log\.txt.*resume"):
        run_rating_jobs([job(tmp_path / "one", data), job(tmp_path / "two", data)], 2, lambda _: None)


def test_a_predictor_answers_questions_without_knowing_the_stars(tmp_path, data):
    folder = tmp_path / "again"
    folder.mkdir()
    asked = Ratings.of(data.validation)
    np.savez(folder / QUESTIONS, user=asked.user, item=asked.item)
    write_json(folder / "job.json", job(folder, data, "predict").value)
    run_rating_job(folder)
    predicted = np.load(folder / PREDICTED)
    assert predicted.shape == asked.stars.shape
    # The validation rows were fitted too: they are told better than by the training rows alone.
    alone = tmp_path / "alone"
    alone.mkdir()
    write_json(alone / "job.json", job(alone, data).value)
    run_rating_job(alone)
    error = float(np.sqrt(np.mean((predicted - asked.stars) ** 2)))
    assert error < read_json(alone / "result.json")["rmse"]


def test_a_space_of_ratings_draws_as_every_space_does():
    one = RatingContestant.model_validate(
        {
            "role": "optimized RNN",
            "network": {},
            "space": {
                "model.n_layers": {"kind": "int", "low": 1, "high": 3},
                "model.dropout": {
                    "kind": "float",
                    "low": 0.1,
                    "high": 0.5,
                    "when": {"model.n_layers": [2, 3]},
                },
            },
        }
    )
    points = [one.point(number, seed=5) for number in range(1, 1201)]
    counts = np.bincount([point["model.n_layers"] for point in points], minlength=4)[1:]
    assert (abs(counts - 400) < 80).all(), "each whole number a third, not 25, 50 and 25 in 100"
    assert all(("model.dropout" in point) == (point["model.n_layers"] > 1) for point in points)
    assert one.point(0, seed=5) == {"model.n_layers": 1}, "the file's own point first"
    assert one.configured(points[0]).model.n_layers == points[0]["model.n_layers"]
