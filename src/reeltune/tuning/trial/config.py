"""The configuration of a trial, one class a task: what changes its numbers besides the data and the seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, TypeAdapter, model_validator

from reeltune.config import Config
from reeltune.data.features.config import FeatureConfig
from reeltune.errors import ConfigError
from reeltune.metrics.registry import RATING_METRICS, RankingLabel, RatingLabel, parse_metric
from reeltune.models.rating.network import RatingHeadConfig
from reeltune.models.registry import DEFAULT_NETWORK, MODELS, AnyModelConfig, AnyRatingModelConfig, is_network
from reeltune.training.config import RatingTrainingConfig, TrainingConfig

_RATING_INPUTS = {"rating", "time_gap"}
"""Switches of ``model.inputs`` that need no table beside the events."""


class TrialConfig(Config):
    """A trial of the task ``next-item``: which movie a user sees next."""

    task: ClassVar[str] = "next-item"
    model: AnyModelConfig = Field(default_factory=MODELS[DEFAULT_NETWORK].default)
    """The network and its sizes, or a baseline and its settings."""
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    """How it is trained; a baseline is fitted in one go and reads none of it."""
    objective: RankingLabel = "ndcg@10"
    """Validation metric that chooses the best epoch, ``NAME@K``."""


def _default_network() -> Any:
    entry = MODELS[DEFAULT_NETWORK]
    return entry.config_class.model_validate({"inputs": FeatureConfig(rating=True, time_gap=True)})


class RatingTrialConfig(Config):
    """A trial of the task ``rating``: how a user rates a given movie next."""

    task: Literal["rating"] = "rating"
    """Chooses this task."""
    model: AnyRatingModelConfig = Field(default_factory=_default_network)
    """The network whose states the head reads, or a rating baseline and its settings."""
    head: RatingHeadConfig = RatingHeadConfig()
    """The head that rates a candidate; a baseline has none and reads none of it."""
    training: RatingTrainingConfig = Field(default_factory=RatingTrainingConfig)
    """How it is trained; a baseline is fitted in one go and reads none of it."""
    objective: RatingLabel = "rmse"
    """Validation metric that chooses the best epoch: ``rmse`` or ``mae``."""

    @model_validator(mode="before")
    @classmethod
    def _take_the_weight_from_its_old_place(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "next_movie_weight" not in value:
            return value
        rest = {name: of for name, of in value.items() if name != "next_movie_weight"}
        training = {**rest.get("training", {}), "next_movie_weight": value["next_movie_weight"]}
        return {**rest, "training": training}

    @model_validator(mode="after")
    def _inputs_can_be_read(self) -> RatingTrialConfig:
        model: Any = self.model
        if is_network(model.name):
            default = FeatureConfig()
            for name, value in model.inputs:
                if name not in _RATING_INPUTS and value != getattr(default, name):
                    raise ValueError(
                        f"model.inputs.{name}: a rating network reads {' and '.join(sorted(_RATING_INPUTS))} "
                        "only; leave it out"
                    )
        return self


TASKS: dict[str, type[TrialConfig] | type[RatingTrialConfig]] = {
    "next-item": TrialConfig,
    "rating": RatingTrialConfig,
}
"""The configuration class of each task."""


def _task_of(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("task", "next-item"))
    return str(getattr(value, "task", "next-item"))


AnyTrialConfig = Annotated[
    Annotated[TrialConfig, Tag("next-item")] | Annotated[RatingTrialConfig, Tag("rating")],
    Discriminator(_task_of),
]
"""A trial of any task; ``task`` chooses, and where it is absent it is ``next-item``."""


def trial_config(plain: Mapping[str, Any]) -> TrialConfig | RatingTrialConfig:
    """Return the configuration that ``plain`` holds, of the task that it names."""
    found: TrialConfig | RatingTrialConfig = TypeAdapter(AnyTrialConfig).validate_python(dict(plain))
    return found


def check_metrics(task: str, labels: Iterable[str]) -> None:
    """Check that the models of ``task`` can be measured by ``labels``.

    Raises:
        ConfigError: One of them needs what the task does not give.
    """
    foreign = {"ratings"} if task == "next-item" else {"ranks", "lists"}
    for label in labels:
        metric = parse_metric(label)
        if metric.entry.needs in foreign or (task == "rating" and metric.name == "latency_ms"):
            own = ", ".join(RATING_METRICS) if task == "rating" else "metrics of ranks such as ndcg@10"
            raise ConfigError(f"{label} is not measured in the task {task}; use {own}")


def one_go(task: str) -> Any:
    """Return what stands for the training of a baseline, which is fitted in one go."""
    return (
        TASKS[task]
        .model_fields["training"]
        .get_default(call_default_factory=True)
        .model_copy(update={"max_epochs": 1, "patience": 1})
    )
