"""What a benchmark file says: which models, with what budget, and what is asked of the winner."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from reeltune.benchmark.names import check_claim, check_folders, slug_of
from reeltune.benchmark.rating_spec import RatingPart
from reeltune.config import Config, Document, load_yaml, parse, with_change
from reeltune.data.config import DataConfig
from reeltune.data.prepare.splits import LeaveOneOut
from reeltune.errors import ConfigError
from reeltune.metrics.registry import RankingLabel
from reeltune.models.registry import MODELS, is_network
from reeltune.tuning.study.experiment_file import Experiment, resolve
from reeltune.tuning.study.spec import StudySettings
from reeltune.tuning.trial.jobs import Executor, LocalPool

FORMER_CLAIM = "optimized RNN"
"""The claim of files of the release before, which named none."""

RENAMED = {"contestants": "models", "role": "group", "also": "splits", "also_seeds": "split_seeds"}
"""Keys of the release before and their present names."""


class EntrySpec(Config):
    """One model and how it is brought to the benchmark."""

    group: str = ""
    """What the model stands for in the answer, such as collaborative filtering; empty for itself."""
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
    """Shares of the users that the winner is trained on, each above 0 up to 1."""
    last_events: list[int] = Field(default=[])
    """Most events of each user that the winner is trained on, each at least 2."""
    tie_rules: list[Literal["movie", "float32"]] = Field(default=[])
    """Other orders of the events of one second, which ask for other movies; see ``data.ties``."""
    k_cores: list[int] = Field(default=[])
    """Least interactions of a movie, each at least 1: other data, so figures that are not paired."""
    is_private: bool = True
    """Probe the winner's state for attributes of users, and attack its membership."""
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


class BenchmarkSpec(Config):
    """A benchmark file as it is written."""

    question: str
    """The claim as a question."""
    data: DataConfig
    """The data set and its preparation."""
    study: dict[str, Any] = Field(default={})
    """Settings of every study: searcher, scheduler, trials, objective, seed, concurrency and so on."""
    claim: str | None = None
    """The group whose best model is said to be superior; None asks which model is the best of all."""
    models: dict[str, EntrySpec]
    """What is compared, by the name that tables give."""
    seeds: int = Field(default=3, ge=1, le=100)
    """Fresh seeds from which each selected configuration is trained again, 1 to 100."""
    cuts: list[int] = Field(default=[5, 10, 20])
    """Lengths of the lists that are judged; 10 is always among them."""
    splits: dict[str, dict[str, Any]] = Field(default={})
    """Other splits or data on which the chosen configurations are trained and tested too: fields put over
    ``data``, by the name that tables give."""
    split_seeds: int = Field(default=1, ge=1, le=100)
    """Fresh seeds of each of those trainings, 1 to 100."""
    ratings: RatingPart | None = None
    """Who predicts stars, and likes and dislikes; None leaves that out."""
    analyses: Analyses = Analyses()
    """What else is asked of the winner."""
    quick: dict[str, Any] = Field(default={})
    """What ``--quick`` puts over the file, by dotted name."""

    @field_validator("study")
    @classmethod
    def _suits_a_benchmark(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value.get("storage") is not None:
            raise ValueError(
                "storage mirrors single studies; drop it and copy the benchmark's folder after the run"
            )
        scheduler = value.get("scheduler")
        name = scheduler.get("name") if isinstance(scheduler, dict) else scheduler
        if name == "pbt":
            raise ValueError(
                f"scheduler {name}: a benchmark trains each winner again in many ways, from one set of "
                "parameters, a population changes them while it trains; use asha, hyperband, median or none"
            )
        return value

    @model_validator(mode="after")
    def _has_both_sides(self) -> BenchmarkSpec:
        check_folders(self.models)
        if len(self.models) < 2:
            raise ValueError(f"{len(self.models)} model is no comparison; name at least two")
        check_claim(self.claim, [one.group for one in self.models.values()])
        return self

    @model_validator(mode="after")
    def _ties_fit(self) -> BenchmarkSpec:
        if self.analyses.tie_rules and not isinstance(self.data.split, LeaveOneOut):
            raise ValueError(
                f"tie_rules compare a target of each user; the split {self.data.split.name} gives no such "
                "pairs: choose leave-one-out"
            )
        return self

    @field_validator("splits")
    @classmethod
    def _splits_have_folders(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        check_folders(value)
        return value

    @field_validator("cuts")
    @classmethod
    def _cuts_in_range(cls, value: list[int]) -> list[int]:
        if any(k < 1 for k in value):
            raise ValueError("a list has at least 1 movie")
        return sorted({*value, 10})


@dataclass(frozen=True)
class Entry:
    """A model of the benchmark with its experiment resolved."""

    name: str
    slug: str  # names its folder
    spec: EntrySpec
    experiment: Experiment

    @property
    def is_tuned(self) -> bool:
        """Whether it has a search space."""
        return self.spec.space is not None

    @property
    def group(self) -> str:
        """What it stands for in the answer."""
        return self.spec.group or self.name

    @property
    def is_network(self) -> bool:
        """Whether it is a recurrent network."""
        return is_network(self.experiment.trial.model.name)

    @property
    def is_random(self) -> bool:
        """Whether another seed gives another model."""
        return MODELS[self.experiment.trial.model.name].is_seeded


@dataclass(frozen=True)
class Benchmark:
    """A benchmark file, checked and resolved."""

    name: str
    spec: BenchmarkSpec
    entries: tuple[Entry, ...]
    splits: dict[str, DataConfig]
    """The other splits and data by their names."""

    @property
    def data(self) -> DataConfig:
        """The data of the benchmark."""
        return self.entries[0].experiment.spec.data

    @property
    def objective(self) -> RankingLabel:
        """The metric that every study maximises on validation."""
        return self.entries[0].experiment.trial.objective

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


def load_benchmark(path: Path, changes: Sequence[str] = (), *, is_quick: bool = False) -> Benchmark:
    """Return the benchmark in the YAML file ``path``.

    Args:
        path: The file.
        changes: Values put over those of the file, each ``dotted.name=value``.
        is_quick: Put the file's ``quick`` over it first.

    Raises:
        ConfigError: A key, value or bound is wrong; the message gives the file.
    """
    document = _present(load_yaml(path))
    if not isinstance(document.value, dict) or "models" not in document.value:
        raise ConfigError(f"{path}: the key 'models' is missing; `reeltune tune` runs a single study")
    quick = document.value.get("quick") or {}
    if not isinstance(quick, dict):
        raise ConfigError(f"{document.at('quick')}: quick is {quick!r}; it maps dotted names to values")
    if is_quick:
        for name, value in quick.items():
            document = _put(document, name, value)
    for change in changes:
        document = with_change(document, _present_name(change))
    spec = parse(BenchmarkSpec, document)
    entries = [_entry(name, spec, document, path) for name in spec.models]
    slugs = [entry.slug for entry in entries]
    if len(set(slugs)) < len(slugs):
        raise ConfigError(
            f"{document.at('models')}: two models have the folder {max(slugs, key=slugs.count)!r}; rename one"
        )
    name = path.stem + ("-quick" if is_quick else "")
    return Benchmark(name, spec, tuple(entries), _splits(spec, document, path))


def _present(document: Document) -> Document:
    """Return ``document`` under the present names of its keys; former ones are warned of."""
    found: set[str] = set()

    def renamed(value: Any, names: Sequence[str]) -> Any:
        if not isinstance(value, dict):
            return value
        found.update(name for name in names if name in value)
        return {RENAMED[key] if key in names else key: item for key, item in value.items()}

    def with_groups(part: Any) -> Any:
        part = renamed(part, ("contestants", "also", "also_seeds"))
        if isinstance(part, dict) and isinstance(part.get("models"), dict):
            models = {name: renamed(one, ("role",)) for name, one in part["models"].items()}
            part = part | {"models": models}
        return part

    value = with_groups(document.value)
    if isinstance(value, dict) and "ratings" in value:
        value = value | {"ratings": with_groups(value["ratings"])}
    if isinstance(value, dict) and isinstance(value.get("quick"), dict):
        value = value | {"quick": {_present_name(name): item for name, item in value["quick"].items()}}
    if not found:
        return document
    if "contestants" in found:
        value.setdefault("claim", FORMER_CLAIM)
    changes = ", ".join(f"{name} is now {RENAMED[name]}" for name in RENAMED if name in found)
    warnings.warn(f"{document.source}: {changes}; rename the keys", FutureWarning, stacklevel=3)
    lines = {tuple(RENAMED.get(str(k), k) for k in key): line for key, line in document.lines.items()}
    return Document(value, lines, document.source)


def _present_name(name: str) -> str:
    """Return a dotted name, or a change of one, under the present names.

    >>> _present_name("ratings.contestants.SVD.role=counting"), _present_name("also")
    ('ratings.models.SVD.group=counting', 'splits')
    """
    path, sign, value = name.partition("=")
    parts = path.split(".")
    places = {0, 1 if parts[0] == "ratings" else 0, len(parts) - 1}
    words = [RENAMED.get(part, part) if place in places else part for place, part in enumerate(parts)]
    return ".".join(words) + sign + value


def _splits(spec: BenchmarkSpec, document: Document, path: Path) -> dict[str, DataConfig]:
    found = {}
    for name, changes in spec.splits.items():
        value = dict(document.value["data"]) | changes
        where = f"{document.at('splits', name)} ({name})"
        found[name] = parse(DataConfig, Document(value, {}, where)).located(path.parent)
    return found


def _put(document: Document, name: str, value: Any) -> Document:
    """Return the document with ``value`` at the dotted ``name``; ``*`` stands for every model."""
    if name.startswith("models.*."):
        rest = name.removeprefix("models.*.")
        for model, fields in document.value["models"].items():
            if rest != "trials" or fields.get("space") is not None:
                document = _put(document, f"models.{model}.{rest}", value)
        return document
    root = dict(document.value)
    level = root
    *parents, last = name.split(".", 2 if name.startswith("models.") else -1)
    if name.startswith("models."):
        parents, last = [*parents, *last.split(".")[:-1]], last.split(".")[-1]
    for key in parents:
        level[key] = dict(level.get(key) or {})
        level = level[key]
    level[last] = value
    return Document(root, document.lines, document.source)


def _entry(name: str, spec: BenchmarkSpec, document: Document, path: Path) -> Entry:
    model = spec.models[name]
    value: dict[str, Any] = {"question": spec.question, "data": document.value["data"]}
    if model.model:
        value["model"] = model.model
    if model.training:
        value["training"] = model.training
    if model.space is not None:
        study = dict(spec.study) | {"space": model.space}
        if model.trials is not None:
            study["trials"] = model.trials
        if model.first:
            study["first"] = model.first
        value["study"] = study
    own = document.child("models").child(name)
    lines = {key: line for key, line in own.lines.items() if key[:1] in (("model",), ("training",))}
    experiment = resolve(Document(value, lines, f"{document.source} ({name})"), path)
    if model.space is not None:
        experiment.study_spec()  # refuses a field that is both fixed and searched before anything runs
    if model.space is None and "objective" in spec.study:
        trial = experiment.trial.model_copy(update={"objective": spec.study["objective"]})
        experiment = Experiment(experiment.document, experiment.spec, trial, None)
    return Entry(name, slug_of(name), model, experiment)
