"""The resolved description of a study: what is searched, how, on which data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from reeltune.config import Config
from reeltune.data.config import DataConfig
from reeltune.errors import ConfigError, unknown_name
from reeltune.metrics.registry import MetricLabel, ObjectiveLabel, parse_metric
from reeltune.models.registry import models_of
from reeltune.object_storage import check_address
from reeltune.training.loggers import LoggingConfig
from reeltune.tuning.search.goal import Goal, Limit
from reeltune.tuning.search.population import Population
from reeltune.tuning.search.schedulers import SCHEDULERS, AshaConfig, PopulationConfig, SchedulerConfig
from reeltune.tuning.search.searchers import SEARCHERS, SearcherConfig, TpeConfig
from reeltune.tuning.space.parameters import Scalar
from reeltune.tuning.space.search_space import Space, flatten
from reeltune.tuning.trial.config import AnyTrialConfig, RatingTrialConfig, TrialConfig

RENAMED = {"pb2": "pbt"}
"""Names of before, which files and recorded studies may still use."""


def _named(kind: str, known: Collection[str]) -> Callable[[Any], Any]:
    """Return a validator that takes a bare name for ``{name: ...}`` and knows the near misses."""

    def validate(value: Any) -> Any:
        plain = {"name": value} if isinstance(value, str) else value
        old = plain.get("name") if isinstance(plain, dict) else None
        if isinstance(old, str) and old in RENAMED:
            plain = plain | {"name": RENAMED[old]}
            logging.getLogger("reeltune").warning("%s %s is gone, %s stands in", kind, old, plain["name"])
        if isinstance(plain, dict):
            if "name" not in plain:
                raise ValueError(f"the {kind} has no name; write name: and one of {', '.join(sorted(known))}")
            if not isinstance(plain["name"], str) or plain["name"] not in known:
                raise ValueError(unknown_name(kind, plain["name"], known))
        return plain

    return validate


MULTIPLE = ("asha", "none")
"""Schedulers that know several objectives."""


def _checked_address(address: str) -> str:
    try:
        return check_address(address)
    except ConfigError as error:
        raise ValueError(str(error)) from error  # what pydantic turns into a line of its own


Address = Annotated[str, AfterValidator(_checked_address)]
"""A config field that names object storage."""


class RepeatsConfig(Config):
    """The best configurations are trained again before a winner is named: one lucky seed names none."""

    top: int = Field(default=3, ge=1, le=1000)
    """Best configurations that are trained again, 1 to 1000."""
    seeds: int = Field(default=0, ge=0, le=100)
    """Further seeds of each, 0 to 100; 0 names the winner by its one trial."""
    winner: Literal["best", "simplest"] = "best"
    """``best``: the highest mean over the seeds. ``simplest``: the smallest network within one standard error
    of it, over users."""


class StudySettings(Config):
    """How a study searches."""

    searcher: Annotated[SearcherConfig, BeforeValidator(_named("searcher", SEARCHERS))] = TpeConfig()
    """What suggests the next trial: a name, or a mapping with ``name`` and its fields."""
    scheduler: Annotated[SchedulerConfig, BeforeValidator(_named("scheduler", SCHEDULERS))] = AshaConfig()
    """What stops trials early: a name, or a mapping with ``name`` and its fields."""
    trials: int = Field(default=32, ge=1, le=100000)
    """Trials in all, 1 to 100000; may be raised later to extend a study."""
    objective: ObjectiveLabel = "ndcg@10"
    """Validation metric that is searched for: ``NAME@K``, or ``rmse`` or ``mae`` of the task ``rating``."""
    objectives: list[MetricLabel] = Field(default=[])
    """Several aims at once, the first being ``objective``: ranking metrics, ``coverage@K``, ``novelty@K``,
    ``model_megabytes``, ``latency_ms``; empty for the one objective."""
    constraints: dict[MetricLabel, Limit] = Field(default={})
    """Limits that the winner keeps, e.g. ``{model_megabytes: {max: 2}, latency_ms: {max: 5}}``."""
    repeats: RepeatsConfig = RepeatsConfig()
    """Retraining of the best configurations before a winner is named; a number is short for ``seeds``."""
    seed: int = Field(default=17, ge=0, lt=2**63)
    """Origin of every suggestion and of every trial's seed."""
    first: list[dict[str, Scalar]] = Field(default=[])
    """Known good points of the space, run after the default configuration."""
    warm_start: list[str] = Field(default=[])
    """Earlier studies, by name or path, from whose finished trials the searcher learns."""
    concurrency: int = Field(default=2, ge=1, le=1024)
    """Trials at once, 1 to 1024; without a number, what the machine holds, at most ``lag`` + 1."""
    lag: int | None = Field(default=3, ge=0, le=1023)
    """Trials just before a trial whose results are not looked at, neither when it is suggested nor when it
    may be stopped, 0 to 1023: the study is the same whatever the concurrency, up to this many and one
    trials at once. None looks at whatever has ended: no trial waits, but timing then decides."""
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
    storage: Address | None = None
    """Object storage that the study is mirrored to, under its name: ``s3://BUCKET/PREFIX``, ``gs://...``,
    ``file:///FOLDER``; None for none."""
    keep_checkpoints: int = Field(default=3, ge=1, le=100000)
    """Best trials whose weights are kept, 1 to 100000."""
    checkpoint_megabytes: float | None = Field(default=None, gt=0)
    """Most that all checkpoints of the trials may take, in 10^6 bytes, above 0; fewer of the best are kept
    where they would take more. None for no cap."""

    @model_validator(mode="before")
    @classmethod
    def _take_short_forms(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        plain = dict(value)
        objectives = plain.get("objectives")
        if "objective" not in plain and isinstance(objectives, list) and objectives:
            if isinstance(objectives[0], str) and _is_no_ranking(objectives[0]):
                raise ValueError(
                    f"objectives: the first one chooses a trial's best epoch, so it follows from ranks as "
                    f"ndcg@10 does, or from ratings as rmse does, not {objectives[0]}; reorder them"
                )
            plain["objective"] = objectives[0]
        if isinstance(plain.get("repeats"), int) and not isinstance(plain["repeats"], bool):
            plain["repeats"] = {"seeds": plain["repeats"]}
        return plain

    @model_validator(mode="after")
    def _check_objectives(self) -> StudySettings:
        if self.objectives and self.objectives[0] != self.objective:
            raise ValueError(
                f"objective is {self.objective}, objectives begin with {self.objectives[0]}; drop objective"
            )
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("objectives: one stands twice; keep one")
        if self.goal.is_multiple and self.repeats.winner == "simplest":
            raise ValueError("repeats.winner: simplest knows one objective; name the size as a constraint")
        if self.goal.is_multiple and self.scheduler.name not in MULTIPLE:
            raise ValueError(
                f"scheduler {self.scheduler.name} compares one objective; "
                f"with several use {' or '.join(MULTIPLE)}"
            )
        return self

    @property
    def goal(self) -> Goal:
        """What the study wants."""
        return Goal(tuple(self.objectives) or (self.objective,), self.constraints)

    def population(self, space: Space, trial: TrialConfig | RatingTrialConfig) -> Population | None:
        """Return the population that is trained, None where each trial is a whole training."""
        settings = self.scheduler
        if not isinstance(settings, PopulationConfig):
            return None
        return Population(settings, space, trial.plain(), self.goal, self.seed, trial.training.max_epochs)

    @property
    def accelerator(self) -> str:
        """What trials and retrainings run on, as Lightning names it."""
        return "gpu" if self.gpus_per_trial > 0 else "cpu"


def _is_no_ranking(label: str) -> bool:
    try:
        return parse_metric(label).entry.needs not in ("ranks", "ratings")
    except ConfigError:
        return False  # reported where the field is checked


UNTUNED_RNN = "untuned-rnn"
"""A plain Elman network with default settings: what tuning improves on. It is trained, so it is asked for."""


def _known_baselines(value: list[str]) -> list[str]:
    if not value:
        raise ValueError("no baseline is named; name at least one, or leave the key out for all")
    known = (*models_of("baseline"), UNTUNED_RNN)
    for name in value:
        if name not in known:
            raise ValueError(unknown_name("baseline", name, known))
        if value.count(name) > 1:
            raise ValueError(f"the baseline {name!r} stands twice; keep one")
    return value


Baselines = Annotated[list[str], AfterValidator(_known_baselines)] | None
"""A config field that names baselines; the first one named gives the verdict."""


class FinalConfig(Config):
    """What is done with the selected configuration."""

    seeds: int = Field(default=3, ge=1, le=100)
    """Seeds over which the winner is trained again before its test figures are given, 1 to 100."""
    refit: bool = True
    """Whether the winner is trained again on all that precedes the test targets, as the baselines are, for as
    many epochs as validation chose; its test figures are then those of the first seed's refit."""
    fit_count_prior: bool = False
    """Whether the winner gets the log of windowed Markov's scores beside its own, with the weight that does
    best on validation. No trial is needed for it: training does not see the weight. Needs ``refit``."""

    @model_validator(mode="after")
    def _has_room_for_a_prior(self) -> FinalConfig:
        if self.fit_count_prior and not self.refit:
            raise ValueError("fit_count_prior needs refit: true, which trains what is released")
        return self


class StudySpec(Config):
    """Everything a study needs besides the data themselves; ``study.json`` keeps it."""

    question: str = ""
    """What the study is to find out."""
    data: DataConfig
    """The data set and its preparation."""
    trial: AnyTrialConfig
    """The default configuration; the space changes some of its fields."""
    space: Space
    """What is searched."""
    study: StudySettings
    """How it is searched."""
    final: FinalConfig = FinalConfig()
    """What is done with the winner."""
    baselines: Baselines = None
    """What the study is compared with, by name; None for all that the data and installed packages allow."""
    logging: LoggingConfig = LoggingConfig()
    """Where figures go besides the study folder."""

    @property
    def default_point(self) -> dict[str, Scalar]:
        """The searched values of the default configuration."""
        return self.space.default(self.trial.plain())

    @property
    def population(self) -> Population | None:
        """The population that the trials train, None where each is a whole training."""
        return self.study.population(self.space, self.trial)


EXTENDABLE = (
    "question",
    "baselines",
    "study.trials",
    "study.concurrency",
    "study.n_threads",
    "study.gpus_per_trial",
    "study.n_restarts",
    "study.trial_seconds",
    "study.study_seconds",
    "study.storage",
    "study.keep_checkpoints",
    "study.checkpoint_megabytes",
    "study.repeats",
    "final",
    "logging",
)
"""Fields that may change between two runs of a study: they change no finished number."""


def first_difference(old: StudySpec, new: StudySpec) -> tuple[str, Any, Any] | None:
    """Return name, old and new value of the first field that may not change but did, or None."""
    before, after = flatten(old.plain()), flatten(new.plain())
    names = [*before, *(key for key in after if key not in before)]
    for name in sorted(names, key=lambda name: not name.endswith(".name")):  # a kind before its fields
        if any(name == part or name.startswith(f"{part}.") for part in EXTENDABLE):
            continue
        if before.get(name) != after.get(name):
            return name, before.get(name), after.get(name)
    return None
