"""A trial as plain values that any process can run, with or without an engine."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reeltune.data.prepare.reduce import reduced
from reeltune.data.prepared import TuningData
from reeltune.seeding import derive
from reeltune.training.epochs import LAST_CHECKPOINT, Report
from reeltune.tuning.records.rows import TrialResult, TrialState

if TYPE_CHECKING:
    from reeltune.training.base import Segment

DEFAULT_ENTRY = "reeltune.tuning.trial.job:run_job"
"""Import path of the function that runs a job."""


@dataclass(frozen=True)
class TrialJob:
    """One trial: plain values only, so that it travels as JSON."""

    number: int
    seed: int
    params: dict[str, Any]  # the searched parameters, by dotted name
    config: dict[str, Any]  # the whole trial configuration
    directory: str  # of this trial alone
    data_directory: str  # of the prepared data
    study: str  # name
    study_directory: str
    study_id: str = ""  # distinguishes the study from others of its name
    n_threads: int = 1
    accelerator: str = "auto"  # as Lightning names it: cpu, gpu, or auto for whatever is there
    logging: dict[str, Any] = field(default_factory=dict)
    part: dict[str, Any] = field(default_factory=dict)  # of the training data; see data.reduce.reduced
    measures: list[str] = field(default_factory=list)  # metrics to take besides the objective
    start_epoch: int = 0  # epochs that were done before, by the trial whose checkpoint is the origin
    end_epoch: int | None = None  # epochs that are done when it is over; None for all, or its own patience
    is_refit: bool = False  # trained on the validation targets too, up to ``end_epoch``
    origin: str = ""  # last.ckpt of the trial that it resumes from; empty for fresh weights
    storage: str = ""  # address that the trial's files pass through; empty where the study's folder is seen
    past: list[dict[str, Any]] = field(
        default_factory=list
    )  # segments to train first: params, config, end_epoch
    name: str = ""  # in words, for messages; empty for the number

    def plain(self) -> dict[str, Any]:
        """Return the job as plain values."""
        return asdict(self)

    @property
    def label(self) -> str:
        """What messages call the job."""
        return self.name or f"trial {self.number}"

    @property
    def max_epochs(self) -> int:
        """Epochs that the trial runs if nothing stops it."""
        return int(self.config["training"]["max_epochs"])

    @property
    def last_epoch(self) -> int:
        """Number of the epoch that is its last if nothing stops it."""
        return self.max_epochs if self.end_epoch is None else self.end_epoch

    @property
    def segment(self) -> Segment | None:
        """The part of a training that it runs, None for a whole one."""
        from reeltune.training.base import Segment

        if self.end_epoch is None:
            return None
        origin = Path(self.origin) if self.origin else None
        return Segment(self.start_epoch, self.end_epoch, origin, self.is_refit)


Entry = Callable[[TrialJob, Report], TrialResult]


def load_entry(path: str) -> Entry:
    """Return the function that the import path ``module:function`` names."""
    module, _, name = path.partition(":")
    entry: Entry = getattr(importlib.import_module(module), name)
    return entry


def run_job(job: TrialJob, report: Report) -> TrialResult:
    """Return how the trial ended; see :func:`reeltune.tuning.trial.run.run_trial`.

    Where the job has a past, its segments are trained first, each in a folder ``segment-K`` of its own.
    """
    origin, start = job.origin, job.start_epoch
    for index, past in enumerate(job.past):
        segment = replace(
            job,
            **past,
            seed=derive(job.seed, "leg", index),
            directory=str(Path(job.directory) / f"segment-{index}"),
            start_epoch=start,
            origin=origin,
            past=[],
        )
        result = _run_one(segment, report)
        if result.state is not TrialState.COMPLETE:
            return result
        origin, start = str(Path(segment.directory) / LAST_CHECKPOINT), segment.last_epoch
    return _run_one(replace(job, origin=origin, start_epoch=start, past=[]), report)


def _run_one(job: TrialJob, report: Report) -> TrialResult:
    from reeltune.training.loggers import LoggingConfig, trial_loggers
    from reeltune.tuning.trial.config import trial_config
    from reeltune.tuning.trial.run import run_trial

    directory = Path(job.directory)
    directory.mkdir(parents=True, exist_ok=True)
    logging = LoggingConfig.model_validate(job.logging)
    with trial_loggers(
        logging,
        study=job.study,
        study_id=job.study_id,
        study_directory=Path(job.study_directory),
        number=job.number,
        params=job.params,
    ) as loggers:
        return run_trial(
            trial_config(job.config),
            reduced(_open_data(job.data_directory), **job.part),
            report,
            directory=directory,
            seed=job.seed,
            n_threads=job.n_threads,
            accelerator=job.accelerator,
            loggers=loggers,
            measures=job.measures,
            segment=job.segment,
        )


@functools.lru_cache(maxsize=4)
def _open_data(directory: str) -> TuningData:
    # A reused worker opens the arrays once; their pages are shared between processes.
    from reeltune.data.store import open_tuning

    return open_tuning(Path(directory))


def count_parameters(config: dict[str, Any], n_items: int) -> int:
    """Return the number of weights of the network that ``config`` describes, without making them.

    Weights whose number depends on the data (text, people and profiles as inputs, biases and factors of
    users, all of a baseline) are left out; the first epoch of a trial reports the whole number.
    """
    import torch
    from torch import nn
    from torch.overrides import TorchFunctionMode

    from reeltune.models.rating.network import RatingNetwork
    from reeltune.models.registry import build_network, is_network
    from reeltune.tuning.trial.config import RatingTrialConfig, trial_config

    trial = trial_config(config)
    model: Any = trial.model
    if not is_network(model.name):
        return 0

    class Unfilled(TorchFunctionMode):
        """Leaves weights unfilled: drawing them without storage would import torch's compiler, seconds."""

        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            kwargs = kwargs or {}
            if func.__name__ in ("normal_", "uniform_", "trunc_normal_"):
                return args[0] if args else kwargs["tensor"]
            return func(*args, **kwargs)

    with torch.device("meta"), Unfilled():
        scoring = build_network(model, n_items)
        network: nn.Module = scoring
        if isinstance(trial, RatingTrialConfig):
            network = RatingNetwork(scoring, trial.head, n_users=0)
    return sum(parameter.numel() for parameter in network.parameters())
