"""One trial of any task, start to end, without any engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from reeltune.data.prepare.reduce import with_validation
from reeltune.data.prepared import TuningData
from reeltune.errors import ConfigError, DivergedError
from reeltune.metrics.registry import Evidence, list_length, measure, parse_metric
from reeltune.models.registry import is_network
from reeltune.seeding import derive
from reeltune.training.epochs import (
    BEST_CHECKPOINT,
    VALIDATION_PREDICTIONS,
    VALIDATION_RANKS,
    EpochReport,
    Report,
    best_epoch,
)
from reeltune.tuning.records.rows import TrialResult, TrialState
from reeltune.tuning.trial.config import RatingTrialConfig, TrialConfig

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

    from reeltune.data.datamodule import SequenceDataModule
    from reeltune.training.base import Segment, TrainedModule
    from reeltune.training.rating import RatingDataModule


def run_trial(
    config: TrialConfig | RatingTrialConfig,
    data: TuningData,
    report: Report,
    *,
    directory: Path,
    seed: int,
    n_threads: int = 1,
    accelerator: str = "auto",
    loggers: Sequence[Logger] = (),
    measures: Sequence[str] = (),
    segment: Segment | None = None,
) -> TrialResult:
    """Train one configuration and return how it ended.

    The result depends on ``config``, ``data`` and ``seed`` alone, not on the process, on earlier
    trials in it, or on how often the trial was killed and called again with the same ``directory``.

    Args:
        config: What to train; its class is the task.
        data: Training sequences and validation queries.
        report: Called after each epoch (again for those of a resumed trial); an exception that it
            raises ends the trial and passes through.
        directory: Folder of this trial alone; receives ``last.ckpt`` (every epoch, before its
            report), ``best.ckpt`` and, of the best epoch, ``validation_ranks.npy`` (int32 [M]) or
            ``validation_predictions.npy`` (float32 [M]).
        seed: Origin of the weights, the order of batches and the dropout masks.
        n_threads: Threads that torch may use.
        accelerator: As Lightning names it: ``cpu``, ``gpu``, or ``auto`` for whatever is there.
        loggers: Lightning loggers that receive the metrics of each epoch.
        measures: Labels of metrics to take each epoch besides the objective.
        segment: The epochs to train, from where another trial ended; None for all.

    Raises:
        ConfigError: A baseline is asked for a segment.
        DataError: The data do not have what the task or the model needs.
        StudyError: The checkpoint in ``directory`` is damaged or of another configuration.
        EngineError: The disk is full or not writable.
    """
    from reeltune.training.fit import fit, isolated

    epochs: list[EpochReport] = []
    is_refit = segment is not None and segment.is_refit

    def record(epoch: EpochReport) -> None:
        epochs.append(epoch)
        report(epoch)

    with isolated(n_threads):
        if is_network(config.model.name):
            module, batches = _start(config, data, seed, is_refit=is_refit)
            n_parameters = sum(parameter.numel() for parameter in module.parameters())
            state, reason = TrialState.COMPLETE, ""
            try:
                reason = fit(
                    module,
                    batches,
                    directory=directory,
                    objective=parse_metric(config.objective),
                    report=record,
                    loggers=loggers,
                    accelerator=accelerator,
                    measures=measures,
                    segment=segment,
                ).reason
            except DivergedError as error:
                state, reason = TrialState.DIVERGED, str(error)
        elif segment is not None and not (is_refit and isinstance(config, RatingTrialConfig)):
            raise ConfigError(
                f"{config.model.name} is fitted in one go, it has no segments; choose a network"
            )
        else:
            labels = (config.objective, *measures)
            data = with_validation(data) if is_refit else data
            state, reason, n_parameters = _fit_in_one_go(
                config, data, labels, record, directory=directory, seed=seed
            )
    best = best_epoch(epochs, parse_metric(config.objective)) if epochs else None
    return TrialResult(
        state=state,
        reason=reason,
        best_epoch=best.epoch if best else 0,
        metrics=best.metrics if best else {},
        n_epochs=len(epochs),
        n_parameters=n_parameters,
        seconds=sum(epoch.seconds for epoch in epochs),
    )


def _start(
    config: TrialConfig | RatingTrialConfig, data: TuningData, seed: int, *, is_refit: bool
) -> tuple[TrainedModule, SequenceDataModule | RatingDataModule]:
    """Return the untrained module of the task and its batches."""
    if isinstance(config, RatingTrialConfig):
        return _start_rating(config, with_validation(data) if is_refit else data, seed)
    return _start_next_item(config, data, seed, is_refit=is_refit)


def _start_next_item(
    config: TrialConfig, data: TuningData, seed: int, *, is_refit: bool
) -> tuple[Any, SequenceDataModule]:
    from reeltune.data.datamodule import SequenceDataModule
    from reeltune.data.features.assemble import make_features, query_features
    from reeltune.models.baselines.popularity import count_items
    from reeltune.training.next_item import NextItemModule

    model: Any = config.model
    features = make_features(model.inputs, data)
    torch.manual_seed(derive(seed, "weights"))
    module = NextItemModule(
        model.plain(), config.training.plain(), data.n_items, seed, features.shapes.plain()
    )
    module.network.side.fill(features.tables)
    if is_refit:  # the features stay those of the training part
        known = replace(data.validation, sequences=data.validation.answered())
        extended = query_features(model.inputs, data, known).sequences
        features = replace(features, data=replace(features.data, train=extended))
    if config.training.loss != "softmax":
        module.sample_from(count_items(features.data.train, data.n_items))
    if module.network.prior is not None:
        module.network.prior.fill(features.data.train)
    return module, SequenceDataModule(
        features.data,
        history_length=config.training.history_length,
        batch_size=config.training.batch_size,
        seed=derive(seed, "batches"),
    )


def _start_rating(config: RatingTrialConfig, data: TuningData, seed: int) -> tuple[Any, RatingDataModule]:
    from reeltune.training.rating import RatingDataModule, RatingModule

    batches = RatingDataModule(data, batch_size=config.training.batch_size, seed=derive(seed, "batches"))
    torch.manual_seed(derive(seed, "weights"))
    module = RatingModule(
        model=config.model.plain(),
        head=config.head.plain(),
        training=config.training.plain(),
        n_items=data.n_items,
        n_users=data.train.n_users,
        mean=float(batches.train.stars.mean()),
        bounds=list(batches.train.bounds),
        seed=seed,
    )
    return module, batches


def _fit_in_one_go(
    config: TrialConfig | RatingTrialConfig,
    data: TuningData,
    labels: Sequence[str],
    report: Report,
    *,
    directory: Path,
    seed: int,
) -> tuple[TrialState, str, int]:
    """Report a fitted baseline as one epoch; return the state, the reason and the number of its values."""
    from reeltune.training.checkpoint import write_array, write_checkpoint

    start = time.perf_counter()
    plain: dict[str, Any] = {"model": config.model.plain(), "training": {}, "n_items": data.n_items}
    fitted: Any
    try:
        if isinstance(config, RatingTrialConfig):
            fitted, metrics, found = _rated(config, data, labels, seed)
            name, plain["task"] = VALIDATION_PREDICTIONS, config.task
        else:
            fitted, metrics, found = _ranked(config, data, labels, seed)
            name = VALIDATION_RANKS
    except DivergedError as error:
        return TrialState.DIVERGED, str(error), 0
    tables = {key: torch.from_numpy(np.array(table)) for key, table in fitted.tables().items()}
    write_checkpoint(directory / BEST_CHECKPOINT, {"state_dict": tables, "hyper_parameters": plain})
    write_array(directory / name, found)
    seconds = time.perf_counter() - start
    # There is no loss to report: what is fitted in closed form or by another package has none.
    size = sum(table.numel() for table in tables.values())
    report(EpochReport(1, metrics, metrics.get(labels[0], 0.0), 0.0, seconds, size))
    return TrialState.COMPLETE, "fitted in one go", size


def _ranked(
    config: TrialConfig, data: TuningData, labels: Sequence[str], seed: int
) -> tuple[Any, dict[str, float], NDArray[Any]]:
    """Return a fitted baseline, its metrics and the ranks of the validation targets, [M]."""
    from reeltune.metrics.evaluate import rank_queries, top_lists
    from reeltune.models.baselines.fit import fit_to_data

    model: Any = config.model
    baseline = fit_to_data(model, data, seed=derive(seed, "weights"))
    n_listed = list_length(labels)
    ranks = rank_queries(baseline, data.validation)
    lists = top_lists(baseline, data.validation, n_listed) if n_listed else ranks[:, None]
    return baseline, measure(labels, Evidence(ranks, lists, baseline, data)), ranks


def _rated(
    config: RatingTrialConfig, data: TuningData, labels: Sequence[str], seed: int
) -> tuple[Any, dict[str, float], NDArray[Any]]:
    """Return a fitted rating baseline, its metrics and the predicted ratings of the rated targets, [M]."""
    from reeltune.data.ratings import Ratings, known_ratings
    from reeltune.models.baselines.fit import fit_rating_baseline

    model: Any = config.model
    baseline = fit_rating_baseline(model, known_ratings(data.train), data.n_items, seed=seed)
    asked = Ratings.of(data.validation)
    predicted = baseline.predict(asked)
    if not asked.n_ratings:
        return baseline, {}, predicted
    return baseline, measure(labels, Evidence.of_ratings(predicted, asked.stars, baseline, data)), predicted
