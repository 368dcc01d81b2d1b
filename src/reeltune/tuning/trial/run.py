"""One trial, start to end, without any engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field

from reeltune.config import Config
from reeltune.data.prepared import TuningData
from reeltune.errors import ConfigError, DivergedError
from reeltune.files import atomic_path
from reeltune.metrics.registry import Evidence, RankingLabel, list_length, measure, parse_metric
from reeltune.models.baselines.fit import fit_to_data
from reeltune.models.baselines.popularity import count_items
from reeltune.models.registry import DEFAULT_NETWORK, MODELS, AnyModelConfig, is_network
from reeltune.seeding import derive
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import BEST_CHECKPOINT, VALIDATION_RANKS, EpochReport, Report, best_epoch
from reeltune.training.isolation import isolated
from reeltune.training.leg import Leg
from reeltune.tuning.records.rows import TrialResult, TrialState

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

__all__ = ["ONE_GO", "TrialConfig", "run_trial"]

ONE_GO = TrainingConfig(max_epochs=1, patience=1)
"""Stands in for the training of a baseline, which is fitted in one go."""


class TrialConfig(Config):
    """Everything about a trial that changes its numbers, besides the data and the seed."""

    model: AnyModelConfig = Field(default_factory=MODELS[DEFAULT_NETWORK].default)
    """The network and its sizes, or a baseline and its settings."""
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    """How it is trained; a baseline is fitted in one go and reads none of it."""
    objective: RankingLabel = "ndcg@10"
    """Validation metric that chooses the best epoch, ``NAME@K``."""


def run_trial(
    config: TrialConfig,
    data: TuningData,
    report: Report,
    *,
    directory: Path,
    seed: int,
    n_threads: int = 1,
    accelerator: str = "auto",
    loggers: Sequence[Logger] = (),
    measures: Sequence[str] = (),
    leg: Leg | None = None,
) -> TrialResult:
    """Train one configuration and return how it ended.

    The result depends on ``config``, ``data`` and ``seed`` alone, not on the process, on earlier
    trials in it, or on how often the trial was killed and called again with the same ``directory``.

    Args:
        config: What to train.
        data: Training sequences and validation queries.
        report: Called after each epoch (again for those of a resumed trial); an exception that it
            raises ends the trial and passes through.
        directory: Folder of this trial alone; receives ``last.ckpt`` (every epoch, before its
            report), ``best.ckpt`` and ``validation_ranks.npy`` (int32 [M], of the best epoch).
        seed: Origin of the weights, the order of batches and the dropout masks.
        n_threads: Threads that torch may use.
        accelerator: As Lightning names it: ``cpu``, ``gpu``, or ``auto`` for whatever is there.
        loggers: Lightning loggers that receive the figures of each epoch.
        measures: Labels of figures to take each epoch besides the ranking metrics.
        leg: The epochs to train, from where another trial ended; None for all.

    Raises:
        ConfigError: A baseline is asked for a leg or a figure that it does not have.
        StudyError: The checkpoint in ``directory`` is damaged or of another configuration.
        EngineError: The disk is full or not writable.
    """
    epochs: list[EpochReport] = []

    def record(epoch: EpochReport) -> None:
        epochs.append(epoch)
        report(epoch)

    with isolated(n_threads):
        if not is_network(config.model.name):
            if leg is not None:
                raise ConfigError(
                    f"{config.model.name} is fitted in one go, it has no legs; choose a network"
                )
            state, reason, n_parameters = _fit_baseline(
                config.model,
                config.objective,
                data,
                record,
                directory=directory,
                seed=seed,
                measures=measures,
            )
        else:
            state, reason, n_parameters = _train(
                config,
                data,
                record,
                directory=directory,
                seed=seed,
                loggers=loggers,
                measures=measures,
                accelerator=accelerator,
                leg=leg,
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


def _train(
    config: TrialConfig,
    data: TuningData,
    report: Report,
    *,
    directory: Path,
    seed: int,
    loggers: Sequence[Logger],
    accelerator: str,
    measures: Sequence[str],
    leg: Leg | None,
) -> tuple[TrialState, str, int]:
    """Return the state, the reason of the end and the number of parameters."""
    from reeltune.data.datamodule import SequenceDataModule
    from reeltune.data.features.assemble import make_features, query_features
    from reeltune.training.fit import fit
    from reeltune.training.module import NextItemModule

    model: Any = config.model
    features = make_features(model.inputs, data)
    torch.manual_seed(derive(seed, "weights"))
    module = NextItemModule(
        model.plain(), config.training.plain(), data.n_items, seed, features.shapes.plain()
    )
    module.network.side.fill(features.tables)
    if leg is not None and leg.is_refit:  # the features stay those of the training part
        known = replace(data.validation, sequences=data.validation.answered())
        extended = query_features(model.inputs, data, known).sequences
        features = replace(features, data=replace(features.data, train=extended))
    if config.training.loss != "softmax":
        module.sample_from(count_items(features.data.train, data.n_items))
    if module.network.prior is not None:
        module.network.prior.fill(features.data.train)
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    batches = SequenceDataModule(
        features.data,
        history_length=config.training.history_length,
        batch_size=config.training.batch_size,
        seed=derive(seed, "batches"),
    )
    objective = parse_metric(config.objective)
    try:
        result = fit(
            module,
            batches,
            directory=directory,
            objective=objective,
            report=report,
            loggers=loggers,
            accelerator=accelerator,
            measures=measures,
            leg=leg,
        )
    except DivergedError as error:
        return TrialState.DIVERGED, str(error), n_parameters
    return TrialState.COMPLETE, result.reason, n_parameters


def _fit_baseline(
    model: Any,
    metric: str,
    data: TuningData,
    report: Report,
    *,
    directory: Path,
    seed: int,
    measures: Sequence[str],
) -> tuple[TrialState, str, int]:
    """Report a fitted baseline as one epoch; return the state, the reason and the number of its figures."""
    from reeltune.metrics.evaluate import rank_queries, top_lists
    from reeltune.training.checkpoint import write_checkpoint

    start = time.perf_counter()
    baseline = fit_to_data(model, data, seed=derive(seed, "weights"))
    labels = (metric, *measures)
    n_listed = list_length(labels)
    try:
        ranks = rank_queries(baseline, data.validation)
    except DivergedError as error:
        return TrialState.DIVERGED, str(error), 0
    lists = top_lists(baseline, data.validation, n_listed) if n_listed else ranks[:, None]
    metrics = measure(labels, Evidence(ranks, lists, baseline, data))
    tables = {name: torch.from_numpy(np.array(table)) for name, table in baseline.tables().items()}
    plain = {"model": model.plain(), "training": {}, "n_items": data.n_items}
    write_checkpoint(directory / BEST_CHECKPOINT, {"state_dict": tables, "hyper_parameters": plain})
    with atomic_path(directory / VALIDATION_RANKS) as part, part.open("wb") as file:
        np.save(file, ranks)
    seconds = time.perf_counter() - start
    # There is no loss to tell: what is fitted in closed form or by another package reports none.
    size = sum(table.numel() for table in tables.values())
    report(EpochReport(1, metrics, metrics[metric], 0.0, seconds, size))
    return TrialState.COMPLETE, "fitted in one go", size
