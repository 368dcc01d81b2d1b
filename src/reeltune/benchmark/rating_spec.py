"""What a benchmark file says of ratings: who predicts them, what is searched, on which rows."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from reeltune.benchmark.names import check_folders
from reeltune.config import Config, Document
from reeltune.data.prepare.folds import KFold, OfficialFold
from reeltune.errors import ConfigError
from reeltune.models.registry import AnyRatingBaselineConfig
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.trial.config import RatingTrialConfig, one_go


class RatingEntry(Config):
    """One predictor of ratings: a network or a baseline, and what of it is searched."""

    group: str = ""
    """What the model stands for in the answer; empty for itself."""
    network: RatingTrialConfig | None = None
    """A network, its head and its training."""
    predictor: AnyRatingBaselineConfig | None = None
    """A predictor without a network."""
    space: dict[str, Any] = Field(default={})
    """Searched fields by dotted name: ``training.learning_rate`` of a network, ``regularization`` of a
    predictor; as in ``search_spaces/``, with ``when:``."""

    @model_validator(mode="after")
    def _fits(self) -> RatingEntry:
        if (self.network is None) == (self.predictor is None):
            raise ValueError("a model is a network or a predictor; give exactly one of the two")
        try:
            self.search_space()
        except (ConfigError, ValidationError) as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def trial(self) -> RatingTrialConfig:
        """The configuration as the file gives it; its values are the first point of the search."""
        if self.predictor is not None:
            return RatingTrialConfig(model=self.predictor, training=one_go("rating"))
        assert self.network is not None
        return self.network

    def search_space(self) -> Space | None:
        """Return what is searched, None where nothing is.

        Raises:
            ConfigError: A parameter is none of the model's, or a bound is wrong.
        """
        if not self.space:
            return None
        trial = self.trial
        prefix = "" if self.network is not None else "model."
        entries = {
            prefix + name: {**entry, "when": {prefix + other: of for other, of in entry["when"].items()}}
            if isinstance(entry, dict) and "when" in entry
            else entry
            for name, entry in self.space.items()
        }
        sections: dict[str, Config] = {"model": trial.model}
        if self.network is not None:
            sections |= {"head": trial.head, "training": trial.training}
        document = Document({"model": trial.model.name, "space": entries}, {}, "space")
        return parse_space(document, sections, trial.model.name)


class RatingPart(Config):
    """The benchmark for ratings."""

    split: Annotated[KFold | OfficialFold, Field(discriminator="name")] = KFold()
    """Which rows are test; a tenth of the others chooses."""
    threshold: float | None = Field(default=None, gt=0.0)
    """Rating from which a movie counts as liked; None for what lies as high as four of five stars."""
    trials: int = Field(default=16, ge=1, le=100000)
    """Trials of each model with a space, 1 to 100000, the file's own values first."""
    seeds: int = Field(default=3, ge=1, le=100)
    """Fresh seeds from which each chosen configuration is trained again, 1 to 100."""
    models: dict[str, RatingEntry]
    """Who competes, by the name that tables give."""

    @model_validator(mode="after")
    def _has_both_sides(self) -> RatingPart:
        check_folders(self.models)
        return self
