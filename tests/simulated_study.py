"""A study folder with two objectives, a limit and every way to end; its curves come from a formula."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.evaluation.repeats import name_winner
from reeltune.files import write_json
from reeltune.metrics.registry import per_query
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import EpochReport
from reeltune.training.loggers import LoggingConfig, trial_loggers
from reeltune.tuning.records.rows import TrialResult, TrialState
from reeltune.tuning.space.parameters import Choice, FloatRange, IntRange
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import SilentObserver
from reeltune.tuning.study.recorder import Recorder, open_storage
from reeltune.tuning.study.spec import StudySettings, StudySpec
from reeltune.tuning.trial.config import TrialConfig

SPACE = Space(
    model="gru",
    space={
        "model.hidden_dim": IntRange(low=16, high=256, log=True),
        "model.dropout": FloatRange(low=0.0, high=0.6),
        "training.learning_rate": FloatRange(low=1e-4, high=3e-2, log=True),
        "training.batch_size": Choice(values=[16, 32, 64, 128]),
    },
)
EPOCHS = 12


def curve(params, chance):
    """Return the metrics of each epoch: wide networks rank better, dropout spreads the lists."""
    rate = abs(math.log10(params["training.learning_rate"]) + 2.4)
    width = math.log2(params["model.hidden_dim"] / 16) / 4
    top = 0.55 * (0.55 + 0.45 * width) / (1 + rate) * (1 - 0.5 * params["model.dropout"] ** 2)
    spread = 0.25 + 0.9 * params["model.dropout"] + 0.08 * rate
    for epoch in range(1, EPOCHS + 1):
        grown = 1 - 0.75**epoch
        value = max(top * grown + 0.006 * chance.standard_normal(), 0.001)
        yield {
            "hr@10": min(1.5 * value, 1.0),
            "ndcg@10": value,
            "mrr@10": 0.8 * value,
            "coverage@10": min(spread * grown + 0.01 * chance.standard_normal(), 1.0),
            "model_megabytes": 0.2 + 4e-6 * 12 * params["model.hidden_dim"] ** 1.75,
        }


def spec(trials):
    """Return the description of the study."""
    trial = TrialConfig(training=TrainingConfig(max_epochs=EPOCHS))
    settings = {
        "trials": trials,
        "objectives": ["ndcg@10", "coverage@10"],
        "constraints": {"model_megabytes": {"max": 0.8}},
        "repeats": {"top": 3, "seeds": 3},
    }
    return StudySpec(
        question="How much of a generated catalogue can a small GRU show before its ranking suffers?",
        data=DataConfig(dataset="synthetic"),
        trial=trial,
        space=SPACE,
        study=StudySettings.model_validate(settings),
    )


def simulate(
    directory: Path, trials: int = 30, *, logging: LoggingConfig | None = None, logged: int = 0
) -> Path:
    """Return the folder of a study made in ``directory``; its first ``logged`` trials are logged."""
    described = spec(trials)
    data = open_tuning(prepare(described.data))
    study = Study.create(directory, described, data.ledger)
    storage = open_storage(study)
    recorder = Recorder(study, storage, SilentObserver(), data.directory)
    chance = np.random.default_rng(3)
    for number in range(trials):
        params = storage.suggest(number)
        recorder.start(number, params)
        metrics = list(curve(params, chance))
        state, n_epochs, reason = TrialState.COMPLETE, EPOCHS, f"ran all {EPOCHS} epochs"
        if number == 23:
            state, n_epochs, reason = TrialState.FAILED, 0, "its worker died 4 times"
        elif number > 4 and metrics[2]["ndcg@10"] < 0.15 and metrics[2]["coverage@10"] < 0.6:
            state, n_epochs, reason = TrialState.STOPPED, 3, "stopped by asha at epoch 3"
        elif number in (11, 19):
            state, n_epochs, reason = TrialState.DIVERGED, 2, "the loss is nan at epoch 3, step 41"
        elif metrics[0]["model_megabytes"] > 0.8:
            state, n_epochs, reason = TrialState.STOPPED, 1, "cannot win: model_megabytes above its limit"
        _tell(recorder, number, metrics[:n_epochs])
        result = TrialResult(state, reason, 0, {}, n_epochs, 0, 0.0)
        _write_ranks(study, number, metrics[:n_epochs], data.validation.n_queries)
        recorder.finish(number, state, reason, result)
        if logging is not None and number < logged:
            _log(study, number, params, metrics[:n_epochs], logging)
    storage.close()
    study.write_elapsed(1.1 * sum(row.seconds for row in study.rows()) / 2)
    best = study.best(3)
    seeds = {row.number: [_moved(row.metrics, chance) for _ in range(3)] for row in best}
    write_json(study.directory / "repeats.json", name_winner(study, best, seeds).plain())
    return directory


def _tell(recorder, number, metrics):
    best = 0.0
    for epoch, figures in enumerate(metrics, start=1):
        best = max(best, figures["ndcg@10"])
        seconds = 2.0 + figures["model_megabytes"]
        recorder.epoch(number, EpochReport(epoch, figures, best, 6.0 / epoch**0.2, seconds))


def _write_ranks(study, number, metrics, n_queries):
    """Write ranks whose NDCG@10 is about that of the best epoch."""
    wanted = max((figures["ndcg@10"] for figures in metrics), default=0.0)
    chance = np.random.default_rng(number)
    ranks = chance.integers(11, 200, n_queries).astype(np.int32)
    for query in chance.permutation(n_queries):
        if per_query(ranks, "ndcg@10").mean() >= wanted:
            break
        ranks[query] = chance.integers(1, 11)
    folder = study.trial_directory(number)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "validation_ranks.npy", ranks)


def _moved(metrics, chance):
    return {
        name: value * (1 + 0.03 * chance.standard_normal()) if name != "model_megabytes" else value
        for name, value in metrics.items()
    }


def _log(study, number, params, metrics, logging):
    with trial_loggers(
        logging,
        study=study.name,
        study_id="0a1b2c3d",
        study_directory=study.directory,
        number=number,
        params=params,
    ) as loggers:
        for epoch, figures in enumerate(metrics, start=1):
            for logger in loggers:
                logger.log_metrics(figures, step=epoch)
