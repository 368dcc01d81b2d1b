"""An experiment file, resolved: every field has its value, the space is read and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, ValidationError, model_validator

from reeltune.config import Config, Document, load_yaml, parse, with_change
from reeltune.data.config import DataConfig
from reeltune.errors import ConfigError, unknown_name
from reeltune.models.registry import is_network, models_of
from reeltune.shipped import find_yaml
from reeltune.training.loggers import LoggingConfig
from reeltune.tuning.space.file import model_configs, parse_space
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study.machine import this_machine
from reeltune.tuning.study.preflight import check_fixed, check_settings
from reeltune.tuning.study.spec import Baselines, FinalConfig, StudySettings, StudySpec
from reeltune.tuning.trial.config import TASKS, RatingTrialConfig, TrialConfig, check_metrics, one_go

Notify = Callable[[str], None]


class StudySection(StudySettings):
    """The key ``study`` of an experiment: the settings and the space."""

    space: str | dict[str, Any]
    """The name of a shipped space such as ``gru``, a file, or its contents in place."""


class ExperimentSpec(Config):
    """An experiment file as it is written."""

    question: str = ""
    """What the experiment is to find out."""
    data: DataConfig
    """The data set and its preparation."""
    task: Literal["next-item", "rating"] = "next-item"
    """What is predicted: the movie that a user sees next, or the rating of a given movie."""
    model: dict[str, Any] = Field(default={})
    """Fixed fields of the network's config class; ``name`` chooses the network."""
    head: dict[str, Any] = Field(default={})
    """Fixed fields of the head that rates a movie, of the task ``rating``."""
    training: dict[str, Any] = Field(default={})
    """Fixed fields of the training config."""
    study: StudySection | None = None
    """What is searched and how; not needed to train one configuration."""
    final: FinalConfig = FinalConfig()
    """What is done with the winner."""
    baselines: Baselines = None
    """What the study is compared with, by name; None for all that the data and installed packages allow."""
    logging: LoggingConfig = LoggingConfig()
    """Where figures go besides the study folder."""

    @model_validator(mode="before")
    @classmethod
    def _take_the_objective_of_the_task(cls, value: Any) -> Any:
        study = value.get("study") if isinstance(value, dict) else None
        if not isinstance(study, dict) or value.get("task") != "rating":
            return value
        objective = TASKS["rating"].model_fields["objective"].default
        return value if "objectives" in study else {**value, "study": {"objective": objective, **study}}


@dataclass(frozen=True)
class Experiment:
    """An experiment file resolved: every field has its value, the space is read and checked."""

    document: Document
    spec: ExperimentSpec
    trial: TrialConfig | RatingTrialConfig  # the default configuration with the fixed fields put in
    space: Space | None

    def study_spec(self) -> StudySpec:
        """Return the resolved description of the study.

        Raises:
            ConfigError: The file has no study, or fixes a field that is searched.
        """
        if self.spec.study is None or self.space is None:
            source = self.document.source
            raise ConfigError(f"{source}: the key 'study' is missing; it says what is searched and how")
        fixed = {name: getattr(self.spec, name) for name in ("model", "head", "training")}
        check_fixed(self.space, fixed, self.document)
        settings = self.spec.study.model_dump(exclude={"space"})
        if "concurrency" not in self.spec.study.model_fields_set:
            settings["concurrency"] = this_machine().trials_at_once(self.spec.study)
        return StudySpec(
            question=self.spec.question,
            data=self.spec.data,
            trial=self.trial,
            space=self.space,
            study=StudySettings.model_validate(settings),
            final=self.spec.final,
            baselines=self.spec.baselines,
            logging=self.spec.logging,
        )


def load_experiment(path: Path, changes: Sequence[str] = ()) -> Experiment:
    """Return the experiment in the YAML file ``path``.

    Args:
        path: The file, or the name of a shipped one.
        changes: Fields put over those of the file, each ``dotted.name=value``.

    Raises:
        ConfigError: A key, value or bound is wrong; the message gives file and line.
    """
    path = find_yaml(path, "experiments")
    document = load_yaml(path)
    for change in changes:
        document = with_change(document, change)
    return resolve(document, path)


def resolve(document: Document, path: Path) -> Experiment:
    """Return the experiment that ``document`` describes; files that it names lie beside ``path``.

    Raises:
        ConfigError: A key, value or bound is wrong; the message gives file and line.
    """
    spec = parse(ExperimentSpec, document)
    spec = spec.model_copy(update={"data": spec.data.located(path.parent)})
    space_document = _space_document(spec, document, path)
    models = _models(spec, document, space_document)
    parts = {"model": models[0], **_sections(spec, models[0], document)}
    if spec.study is not None:
        try:
            check_metrics(spec.task, [*spec.study.goal.objectives, *spec.study.constraints])
        except ConfigError as error:
            raise ConfigError(f"{document.at('study', 'objective')}: {error}") from error
        parts["objective"] = spec.study.objective
    try:
        trial = TASKS[spec.task](**parts)
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{document.at('model')}: {problem}") from error
    space = None
    if space_document is not None and spec.study is not None:
        searched = ("model", "head", "training") if is_network(trial.model.name) else ("model",)
        sections: dict[str, Config] = {name: parts[name] for name in searched if name in parts}
        space = parse_space(space_document, sections, trial.model.name, models[1:])
        check_settings(space, spec.study, trial, document)
    return Experiment(document, spec, trial, space)


def _space_document(spec: ExperimentSpec, document: Document, path: Path) -> Document | None:
    if spec.study is None:
        return None
    if isinstance(spec.study.space, dict):
        return document.child("study").child("space")
    # Files of a checkout name each other from its root, of which experiments/ is a child.
    folders = (path.parent, path.parent.parent, Path())
    where = f"{document.at('study', 'space')}: study.space: "
    return load_yaml(find_yaml(spec.study.space, "search_spaces", folders, where))


def _models(spec: ExperimentSpec, document: Document, space: Document | None) -> list[Any]:
    """Return the configurations of the models with their fixed fields: one, or those that a space names."""
    searched = space.value.get("model") if space is not None else None
    names: list[Any] = searched if isinstance(searched, list) else [spec.model.get("name", searched)]
    if not names or names[0] is None:
        where = document.at("model") if space is None else space.at()
        raise ConfigError(
            f"{where}: no model is named; write model: {{name: gru}} or model: gru in the space"
        )
    fixed = spec.model.get("name")
    known = models_of("network", "baseline" if spec.task == "next-item" else "rating baseline")
    for index, name in enumerate(names):
        if not isinstance(name, str) or name not in known or name in names[:index]:
            owner = document if fixed is not None or space is None else space
            twice = f"the model {name!r} stands twice; keep one"
            problem = twice if name in names[:index] else unknown_name("model", name, known)
            raise ConfigError(f"{owner.at('model')}: {problem}")
    if space is not None and fixed is not None and searched not in (None, fixed, names):
        raise ConfigError(
            f"{document.at('model', 'name')}: model.name is {fixed!r}, "
            f"the space {space.source} is for {searched!r}"
        )
    return model_configs(names, document.part("model"))


def _sections(spec: ExperimentSpec, model: Any, document: Document) -> dict[str, Any]:
    """Return the parts of the trial's configuration besides the model."""
    fields = TASKS[spec.task].model_fields
    given = {name: getattr(spec, name) for name in ("head", "training")}
    for name in [name for name, value in given.items() if value]:
        if name not in fields:
            raise ConfigError(f"{document.at(name)}: {name} belongs to the task rating; add task: rating")
        if not is_network(model.name):
            raise ConfigError(
                f"{document.at(name)}: the baseline {model.name} is fitted in one go; leave the key "
                f"{name} out"
            )
    if not is_network(model.name):
        return {"training": one_go(spec.task)}
    parts = {name: fields[name].annotation for name in given if name in fields}
    return {name: parse(cast(type[Config], of), document.part(name)) for name, of in parts.items()}
