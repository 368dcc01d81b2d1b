"""The resolved description of a study: what is searched, how, on which data."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from reeltune.config import Config
from reeltune.data.config import DataConfig
from reeltune.errors import unknown_name
from reeltune.metrics.ranking import MetricLabel
from reeltune.training.loggers import LoggingConfig
from reeltune.tuning.schedulers import SCHEDULERS, AshaConfig, SchedulerConfig
from reeltune.tuning.searchers import SEARCHERS, SearcherConfig, TpeConfig
from reeltune.tuning.space import Scalar, Space, flatten
from reeltune.tuning.trial import TrialConfig

__all__ = ["FinalConfig", "StudySettings", "StudySpec", "first_difference"]


def _named(kind: str, known: Collection[str]) -> Callable[[Any], Any]:
    """Return a validator that takes a bare name for ``{name: ...}`` and knows the near misses."""

    def validate(value: Any) -> Any:
        plain = {"name": value} if isinstance(value, str) else value
        if isinstance(plain, dict):
            if "name" not in plain:
                raise ValueError(f"the {kind} has no name; write name: and one of {', '.join(sorted(known))}")
            if not isinstance(plain["name"], str) or plain["name"] not in known:
                raise ValueError(unknown_name(kind, plain["name"], known))
        return plain

    return validate


class StudySettings(Config):
    """How a study searches."""

    searcher: Annotated[SearcherConfig, BeforeValidator(_named("searcher", SEARCHERS))] = TpeConfig()
    """What suggests the next trial: a name, or a mapping with ``name`` and its fields."""
    scheduler: Annotated[SchedulerConfig, BeforeValidator(_named("scheduler", SCHEDULERS))] = AshaConfig()
    """What stops trials early: a name, or a mapping with ``name`` and its fields."""
    trials: int = Field(default=32, ge=1, le=100000)
    """Trials in all, 1 to 100000; may be raised later to extend a study."""
    objective: MetricLabel = "ndcg@10"
    """Validation metric that is searched for, ``NAME@K``."""
    seed: int = Field(default=17, ge=0, lt=2**63)
    """Origin of every suggestion and of every trial's seed."""
    first: list[dict[str, Scalar]] = Field(default=[])
    """Known good points of the space, run after the default configuration."""
    concurrency: int = Field(default=2, ge=1, le=1024)
    """Trials at once, 1 to 1024."""
    n_threads: int = Field(default=1, ge=1, le=256)
    """Threads, and processor cores asked for, of each trial, 1 to 256."""
    gpus_per_trial: float = Field(default=0.0, ge=0.0, le=16.0)
    """Share of an accelerator that a trial takes, 0 to 16; 0.25 lets four trials share one."""
    n_restarts: int = Field(default=3, ge=0, le=1000)
    """How often a trial whose worker died starts again from its last checkpoint, 0 to 1000."""
    trial_seconds: float | None = Field(default=None, gt=0)
    """Time limit of a trial in seconds, above 0; None for none."""
    study_seconds: float | None = Field(default=None, gt=0)
    """Time limit of the study in seconds over all its runs, above 0; None for none."""
    keep_checkpoints: int = Field(default=3, ge=1, le=100000)
    """Best trials whose weights are kept, 1 to 100000."""


class FinalConfig(Config):
    """What is done with the selected configuration."""

    seeds: int = Field(default=3, ge=1, le=100)
    """Seeds over which the winner is trained again before its test figures are given, 1 to 100."""


class StudySpec(Config):
    """Everything a study needs besides the data themselves; ``study.json`` keeps it."""

    question: str = ""
    """What the study is to find out."""
    data: DataConfig
    """The data set and its preparation."""
    trial: TrialConfig
    """The default configuration; the space changes some of its fields."""
    space: Space
    """What is searched."""
    study: StudySettings
    """How it is searched."""
    final: FinalConfig = FinalConfig()
    """What is done with the winner."""
    logging: LoggingConfig = LoggingConfig()
    """Where figures go besides the study folder."""


EXTENDABLE = (
    "question",
    "study.trials",
    "study.concurrency",
    "study.n_threads",
    "study.gpus_per_trial",
    "study.n_restarts",
    "study.trial_seconds",
    "study.study_seconds",
    "study.keep_checkpoints",
    "final",
    "logging",
)
"""Fields that may change between two runs of a study: they change no finished number."""


def first_difference(old: StudySpec, new: StudySpec) -> tuple[str, Any, Any] | None:
    """Return name, old and new value of the first field that may not change but did, or None."""
    before, after = flatten(old.plain()), flatten(new.plain())
    for name in [*before, *(key for key in after if key not in before)]:
        if any(name == part or name.startswith(f"{part}.") for part in EXTENDABLE):
            continue
        if before.get(name) != after.get(name):
            return name, before.get(name), after.get(name)
    return None
