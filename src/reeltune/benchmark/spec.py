"""What a contest file says: who competes, with what budget, and what is asked of the winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from reeltune.benchmark.names import check_folders, slug_of
from reeltune.benchmark.rating_spec import RatingPart
from reeltune.config import Config, Document, load_yaml, parse, with_change
from reeltune.data.config import DataConfig
from reeltune.data.prepare.splits import LeaveOneOut
from reeltune.errors import ConfigError
from reeltune.experiment import Experiment, resolve
from reeltune.metrics.registry import RankingLabel
from reeltune.models.registry import MODELS, is_network
from reeltune.tuning.study.spec import StudySettings
from reeltune.tuning.trial.jobs import Executor, LocalPool

__all__ = [
    "CHAMPION_ROLE",
    "Analyses",
    "Contest",
    "ContestSpec",
    "Contestant",
    "Entrant",
    "load_contest",
]

CHAMPION_ROLE = "optimized RNN"
"""The role of those whose superiority is claimed."""


class Contestant(Config):
    """One model and how it is brought to the contest."""

    role: Literal[
        "optimized RNN", "standard RNN", "collaborative filtering", "content-based filtering", "counting"
    ]
    """What the contestant stands for in the claim."""
    space: str | dict[str, Any] | None = None
    """The search space, a file or in place; None takes the one configuration as it is."""
    model: dict[str, Any] = Field(default={})
    """Fixed fields of the model's config; ``name`` chooses the model where no space does."""
    training: dict[str, Any] = Field(default={})
    """Fixed fields of the training config."""
    first: list[dict[str, Any]] = Field(default=[])
    """Known good points of the space, tried after the default."""
    trials: int | None = Field(default=None, ge=1, le=100000)
    """Trials of this one, 1 to 100000; None for the number that all have."""


class Analyses(Config):
    """What is asked of the winner beyond its figures."""

    sweeps: dict[str, list[Any]] = Field(default={})
    """Values by dotted name that are tried one factor at a time around the winner."""
    user_shares: list[float] = Field(default=[])
    """Shares of the people that the winner is trained on, each above 0 up to 1."""
    last_events: list[int] = Field(default=[])
    """Most events of each person that the winner is trained on, each at least 2."""
    tie_rules: list[Literal["movie", "float32"]] = Field(default=[])
    """Other orders of the events of one second, which ask for other movies; see ``data.ties``."""
    k_cores: list[int] = Field(default=[])
    """Least interactions of a movie, each at least 1: other data, so figures that are not paired."""
    is_private: bool = True
    """Probe the winner's state for attributes of people, and attack its membership."""
    n_explained: int = Field(default=200, ge=0, le=100000)
    """People whose explanations are tested for faithfulness, 0 to 100000."""

    @field_validator("user_shares")
    @classmethod
    def _shares_in_range(cls, value: list[float]) -> list[float]:
        for share in value:
            if not 0.0 < share <= 1.0:
                raise ValueError(f"the share {share:g} does not lie above 0 up to 1")
        return value

    @field_validator("last_events")
    @classmethod
    def _events_in_range(cls, value: list[int]) -> list[int]:
        for n in value:
            if n < 2:
                raise ValueError(f"{n} events are too few; at least 2")
        return value


class ContestSpec(Config):
    """A contest file as it is written."""

    question: str
    """The claim as a question."""
    data: DataConfig
    """The data set and its preparation."""
    study: dict[str, Any] = Field(default={})
    """Settings of every study: searcher, scheduler, trials, objective, seed, concurrency and so on."""
    contestants: dict[str, Contestant]
    """Who competes, by the name that tables give."""
    seeds: int = Field(default=3, ge=1, le=100)
    """Fresh seeds from which each selected configuration is trained again, 1 to 100."""
    cuts: list[int] = Field(default=[5, 10, 20])
    """Lengths of the lists that are judged; 10 is always among them."""
    also: dict[str, dict[str, Any]] = Field(default={})
    """Other splits or data on which the chosen configurations are trained and tested too: fields put over
    ``data``, by the name that tables give."""
    also_seeds: int = Field(default=1, ge=1, le=100)
    """Fresh seeds of each of those trainings, 1 to 100."""
    ratings: RatingPart | None = None
    """Who predicts stars, and likes and dislikes; None leaves that out."""
    analyses: Analyses = Analyses()
    """What else is asked of the winner."""
    quick: dict[str, Any] = Field(default={})
    """What ``--quick`` puts over the file, by dotted name."""

    @field_validator("study")
    @classmethod
    def _suits_a_contest(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value.get("storage") is not None:
            raise ValueError(
                "storage mirrors single studies; drop it and copy the contest's folder after the run"
            )
        scheduler = value.get("scheduler")
        name = scheduler.get("name") if isinstance(scheduler, dict) else scheduler
        if name == "pbt":
            raise ValueError(
                f"scheduler {name}: a contest trains each winner again in many ways, from one set of "
                "parameters, a population changes them while it trains; use asha, hyperband, median or none"
            )
        return value

    @field_validator("contestants")
    @classmethod
    def _has_both_sides(cls, value: dict[str, Contestant]) -> dict[str, Contestant]:
        check_folders(value)
        n_champions = sum(contestant.role == CHAMPION_ROLE for contestant in value.values())
        if not n_champions or n_champions == len(value):
            raise ValueError(
                f"{n_champions} of {len(value)} contestants have the role {CHAMPION_ROLE!r}; "
                "a contest needs at least one with it and one without"
            )
        return value

    @model_validator(mode="after")
    def _ties_fit(self) -> ContestSpec:
        if self.analyses.tie_rules and not isinstance(self.data.split, LeaveOneOut):
            raise ValueError(
                f"tie_rules compare a target of each person; the split {self.data.split.name} gives no such "
                "pairs: choose leave-one-out"
            )
        return self

    @field_validator("also")
    @classmethod
    def _also_has_folders(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        check_folders(value)
        return value

    @field_validator("cuts")
    @classmethod
    def _cuts_in_range(cls, value: list[int]) -> list[int]:
        if any(k < 1 for k in value):
            raise ValueError("a list has at least 1 movie")
        return sorted({*value, 10})


@dataclass(frozen=True)
class Entrant:
    """A contestant with its experiment resolved."""

    name: str
    slug: str  # names its folder
    contestant: Contestant
    experiment: Experiment

    @property
    def is_tuned(self) -> bool:
        """Whether it has a search space."""
        return self.contestant.space is not None

    @property
    def is_network(self) -> bool:
        """Whether it is a recurrent network."""
        return is_network(self.experiment.trial.model.name)

    @property
    def is_random(self) -> bool:
        """Whether another seed gives another model."""
        return MODELS[self.experiment.trial.model.name].is_seeded


@dataclass(frozen=True)
class Contest:
    """A contest file, checked and resolved."""

    name: str
    spec: ContestSpec
    entrants: tuple[Entrant, ...]
    also: dict[str, DataConfig]
    """The other data by their names."""

    @property
    def data(self) -> DataConfig:
        """The data of the contest."""
        return self.entrants[0].experiment.spec.data

    @property
    def objective(self) -> RankingLabel:
        """The metric that every study maximises on validation."""
        return self.entrants[0].experiment.trial.objective

    @property
    def seed(self) -> int:
        """Origin of all randomness."""
        return self.settings.seed

    @property
    def settings(self) -> StudySettings:
        """What all studies and trainings have in common: seed, threads, device, trainings at once."""
        return StudySettings.model_validate(self.spec.study)

    @property
    def executor(self) -> Executor:
        """What trains outside the studies."""
        return LocalPool(self.settings.concurrency, self.settings.gpus_per_trial)


def load_contest(path: Path, changes: Sequence[str] = (), *, is_quick: bool = False) -> Contest:
    """Return the contest in the YAML file ``path``.

    Args:
        path: The file.
        changes: Values put over those of the file, each ``dotted.name=value``.
        is_quick: Put the file's ``quick`` over it first.

    Raises:
        ConfigError: A key, value or bound is wrong; the message gives the file.
    """
    document = load_yaml(path)
    if not isinstance(document.value, dict) or "contestants" not in document.value:
        raise ConfigError(f"{path}: the key 'contestants' is missing; `reeltune tune` runs a single study")
    quick = document.value.get("quick") or {}
    if not isinstance(quick, dict):
        raise ConfigError(f"{document.at('quick')}: quick is {quick!r}; it maps dotted names to values")
    if is_quick:
        for name, value in quick.items():
            document = _put(document, name, value)
    for change in changes:
        document = with_change(document, change)
    spec = parse(ContestSpec, document)
    entrants = [_entrant(name, spec, document, path) for name in spec.contestants]
    slugs = [entrant.slug for entrant in entrants]
    if len(set(slugs)) < len(slugs):
        raise ConfigError(
            f"{document.at('contestants')}: two contestants have the folder {max(slugs, key=slugs.count)!r}; "
            "rename one"
        )
    name = path.stem + ("-quick" if is_quick else "")
    return Contest(name, spec, tuple(entrants), _also(spec, document, path))


def _also(spec: ContestSpec, document: Document, path: Path) -> dict[str, DataConfig]:
    found = {}
    for name, changes in spec.also.items():
        value = dict(document.value["data"]) | changes
        where = f"{document.at('also', name)} ({name})"
        found[name] = parse(DataConfig, Document(value, {}, where)).located(path.parent)
    return found


def _put(document: Document, name: str, value: Any) -> Document:
    """Return the document with ``value`` at the dotted ``name``; ``*`` stands for every contestant."""
    if name.startswith("contestants.*."):
        rest = name.removeprefix("contestants.*.")
        for contestant, fields in document.value["contestants"].items():
            if rest != "trials" or fields.get("space") is not None:
                document = _put(document, f"contestants.{contestant}.{rest}", value)
        return document
    root = dict(document.value)
    level = root
    *parents, last = name.split(".", 2 if name.startswith("contestants.") else -1)
    if name.startswith("contestants."):
        parents, last = [*parents, *last.split(".")[:-1]], last.split(".")[-1]
    for key in parents:
        level[key] = dict(level.get(key) or {})
        level = level[key]
    level[last] = value
    return Document(root, document.lines, document.source)


def _entrant(name: str, spec: ContestSpec, document: Document, path: Path) -> Entrant:
    contestant = spec.contestants[name]
    value: dict[str, Any] = {"question": spec.question, "data": document.value["data"]}
    if contestant.model:
        value["model"] = contestant.model
    if contestant.training:
        value["training"] = contestant.training
    if contestant.space is not None:
        study = dict(spec.study) | {"space": contestant.space}
        if contestant.trials is not None:
            study["trials"] = contestant.trials
        if contestant.first:
            study["first"] = contestant.first
        value["study"] = study
    own = document.child("contestants").child(name)
    lines = {key: line for key, line in own.lines.items() if key[:1] in (("model",), ("training",))}
    experiment = resolve(Document(value, lines, f"{document.source} ({name})"), path)
    if contestant.space is not None:
        experiment.study_spec()  # tells a field that is both fixed and searched before anything runs
    if contestant.space is None and "objective" in spec.study:
        trial = experiment.trial.model_copy(update={"objective": spec.study["objective"]})
        experiment = Experiment(experiment.document, experiment.spec, trial, None)
    return Entrant(name, slug_of(name), contestant, experiment)
