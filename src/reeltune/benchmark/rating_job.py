"""One training of a predictor of stars, in a folder of its own: ``job.json`` in, ``result.json`` out.

``python -m reeltune.benchmark.rating_job FOLDER`` does it in a process of its own. The job holds ``task``
(``try``: how good on validation; ``train``: keep the weights too; ``predict``: answer the questions in
``questions.npz``, which hold no stars), ``kind`` (``network`` or ``predictor``), ``config``, ``seed`` and
``data_directory``.

Shapes: M questions.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from reeltune.data.prepared import TuningData
from reeltune.data.ratings import Ratings, known_ratings
from reeltune.data.store import open_tuning
from reeltune.errors import DivergedError
from reeltune.evaluation.studies import Notify, silent
from reeltune.files import atomic_path, read_json, write_json
from reeltune.metrics.rating import rating_errors
from reeltune.models.baselines.fit import fit_rating_baseline
from reeltune.models.registry import AnyRatingBaselineConfig
from reeltune.training.rating_config import RatingTrainingConfig
from reeltune.tuning.trial.processes import stop_without_parent

__all__ = ["PREDICTED", "QUESTIONS", "WEIGHTS", "predict_with_network", "run_rating_job"]

WEIGHTS = "weights.safetensors"
QUESTIONS = "questions.npz"
PREDICTED = "predicted.npy"


def run_rating_job(folder: Path, notify: Notify = silent) -> None:
    """Do the job of ``folder``; a training that diverges is told in its result.

    Raises:
        ConfigError: The predictor's package is not installed.
    """
    job, start = read_json(folder / "job.json"), time.perf_counter()
    data = open_tuning(Path(job["data_directory"]))
    result: dict[str, Any] = {"seed": job["seed"], "rmse": None, "reason": "", "n_epochs": 0}
    try:
        if job["kind"] == "network":
            result |= _train_network(job, data, folder, notify)
        else:
            result |= _fit_predictor(job, data, folder)
    except DivergedError as error:
        result["reason"] = str(error)
    write_json(folder / "result.json", result | {"seconds": time.perf_counter() - start})


def predict_with_network(folder: Path, ratings: Ratings, data: TuningData) -> NDArray[np.float32]:
    """Return the stars of each question, [M], by the network whose weights lie in ``folder``."""
    from safetensors.torch import load_model

    from reeltune.data.features.config import SideShapes
    from reeltune.models.rating.network import RatingNetwork
    from reeltune.models.registry import build_network
    from reeltune.training.rating import predict_ratings

    config = RatingTrainingConfig.model_validate(read_json(folder / "job.json")["config"])
    network = RatingNetwork(
        build_network(config.model, data.n_items, SideShapes()), config.head, data.train.n_users
    )
    load_model(network, folder / WEIGHTS)
    return predict_ratings(network.eval(), ratings, bounds=known_ratings(data.train).bounds)


def _train_network(job: dict[str, Any], data: TuningData, folder: Path, notify: Notify) -> dict[str, Any]:
    from safetensors.torch import save_model

    from reeltune.training.rating import fit_ratings

    fitted = fit_ratings(
        RatingTrainingConfig.model_validate(job["config"]),
        known_ratings(data.train),
        Ratings.of(data.validation),
        data.n_items,
        seed=job["seed"],
        report=lambda epoch, rmse: notify(f"epoch {epoch}: validation RMSE {rmse:.4f}"),
    )
    if job["task"] == "train":
        with atomic_path(folder / WEIGHTS) as part:
            save_model(fitted.network, str(part))
    return {"rmse": min(fitted.validation_rmse), "n_epochs": len(fitted.validation_rmse)}


def _fit_predictor(job: dict[str, Any], data: TuningData, folder: Path) -> dict[str, Any]:
    config = TypeAdapter(AnyRatingBaselineConfig).validate_python(job["config"])
    train, validation = known_ratings(data.train), Ratings.of(data.validation)
    if job["task"] != "predict":
        fitted = fit_rating_baseline(config, train, data.n_items, seed=job["seed"])
        predicted = np.clip(fitted.predict(validation), *train.bounds)
        return {"rmse": rating_errors(predicted, validation.stars)["rmse"]}
    known = Ratings(
        sequences=train.sequences,
        **{
            name: np.concatenate([getattr(train, name), getattr(validation, name)])
            for name in ("user", "before", "item", "stars")
        },
    )
    fitted = fit_rating_baseline(config, known, data.n_items, seed=job["seed"])
    with np.load(folder / QUESTIONS, allow_pickle=False) as asked:
        user, item = asked["user"], asked["item"]
    questions = Ratings(train.sequences, user, np.zeros_like(user), item, np.zeros(len(user), np.float32))
    with atomic_path(folder / PREDICTED) as part, part.open("wb") as file:
        np.save(file, np.clip(fitted.predict(questions), *train.bounds).astype(np.float32))
    return {}


if __name__ == "__main__":
    run_rating_job(Path(sys.argv[1]), stop_without_parent())
