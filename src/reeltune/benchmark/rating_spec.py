"""What a contest file says of stars: who predicts them, what is searched, on which rows they are judged."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from reeltune.benchmark.names import check_folders
from reeltune.config import Config
from reeltune.data.prepare.folds import KFold, OfficialFold
from reeltune.metrics.decisions import DEFAULT_THRESHOLD
from reeltune.models.registry import MODELS, AnyRatingBaselineConfig
from reeltune.seeding import derive
from reeltune.training.rating_config import RatingTrainingConfig
from reeltune.tuning.space.parameters import Parameter, Scalar
from reeltune.tuning.space.search_space import Space, flatten, unflatten

__all__ = ["RatingContestant", "RatingPart"]


class RatingContestant(Config):
    """One predictor of stars: a network or one without, and what of it is searched."""

    role: Literal["optimized RNN", "standard RNN", "collaborative filtering", "counting"]
    """What the contestant stands for in the claim."""
    network: RatingTrainingConfig | None = None
    """A recurrent network, its head and its training."""
    predictor: AnyRatingBaselineConfig | None = None
    """A predictor without a network."""
    space: dict[str, Annotated[Parameter, Field(discriminator="kind")]] = Field(default={})
    """Searched fields of the network or predictor by dotted name, such as ``training.learning_rate``."""

    @model_validator(mode="after")
    def _fits(self) -> RatingContestant:
        if (self.network is None) == (self.predictor is None):
            raise ValueError("a contestant is a network or a predictor; give exactly one of the two")
        known = flatten(self.config.plain())
        for name, parameter in self.space.items():
            if name not in known:
                raise ValueError(f"the searched {name!r} is no field with a value; known: {', '.join(known)}")
            above = list(self.space)[: list(self.space).index(name)]
            for other in parameter.when:
                if other not in known or (other in self.space and other not in above):
                    raise ValueError(f"{name}: when: {other!r} is no field, or stands below; name one above")
            for end in parameter.ends():
                try:
                    self.configured({name: end})
                except ValidationError as error:
                    raise ValueError(f"{name} may be {end}: {error.errors()[0]['msg']}") from error
        return self

    @property
    def config(self) -> RatingTrainingConfig | AnyRatingBaselineConfig:
        """The configuration as the file gives it."""
        config = self.network or self.predictor
        assert config is not None
        return config

    @property
    def is_random(self) -> bool:
        """Whether another seed gives another predictor."""
        return self.predictor is None or MODELS[self.predictor.name].is_seeded

    def configured(self, params: dict[str, Scalar]) -> RatingTrainingConfig | AnyRatingBaselineConfig:
        """Return the configuration with ``params`` put in."""
        return type(self.config).model_validate(unflatten(flatten(self.config.plain()) | params))

    def point(self, number: int, seed: int) -> dict[str, Scalar]:
        """Return the point of trial ``number``: the file's own first, then drawn at random."""
        space, base = Space(model="", space=self.space), self.config.plain()
        if number == 0:
            return space.default(base)
        rng = np.random.default_rng(derive(seed, "point", number))
        return space.point(base, lambda name, _: self.space[name].at(float(rng.random())))


class RatingPart(Config):
    """The contest for stars."""

    split: Annotated[KFold | OfficialFold, Field(discriminator="name")] = KFold()
    """Which rows are test; a tenth of the others chooses."""
    threshold: float = Field(default=DEFAULT_THRESHOLD, gt=0.0, le=10.0)
    """Stars from which a movie counts as liked, above 0 to 10."""
    trials: int = Field(default=16, ge=1, le=100000)
    """Points that each contestant with a space may try, 1 to 100000: the file's own, then drawn at random."""
    seeds: int = Field(default=3, ge=1, le=100)
    """Fresh seeds from which each chosen configuration is trained again, 1 to 100."""
    contestants: dict[str, RatingContestant]
    """Who competes, by the name that tables give."""

    @model_validator(mode="after")
    def _has_both_sides(self) -> RatingPart:
        check_folders(self.contestants)
        n_champions = sum(one.role == "optimized RNN" for one in self.contestants.values())
        if not n_champions or n_champions == len(self.contestants):
            raise ValueError(
                f"{n_champions} of {len(self.contestants)} contestants have the role 'optimized RNN'; "
                "at least one has it and one has not"
            )
        return self
