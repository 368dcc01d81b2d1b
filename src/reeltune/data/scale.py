"""The scale of a data set's ratings, carried from its configuration to everything that reads a rating."""

from __future__ import annotations

import math
from typing import Any, TypeVar, cast

from pydantic import Field, model_validator

from reeltune.config import Config

_LOWEST_STARS, _HIGHEST_STARS = 0.5, 5.0
_LIKED_STARS = 4.0  # what most papers on MovieLens call liked
_MOST_WHOLE_CLASSES = 11
Values = TypeVar("Values")


class RatingScale(Config):
    """Lowest and highest rating, and the step between two neighbours; MovieLens' half stars by default."""

    lowest: float = Field(default=_LOWEST_STARS, ge=0)
    """Lowest rating; a smaller one is an error."""
    highest: float = Field(default=_HIGHEST_STARS, gt=0)
    """Highest rating; a larger one is an error."""
    step: float = Field(default=0.5, gt=0)
    """Distance of neighbouring ratings."""

    @model_validator(mode="after")
    def _rises(self) -> RatingScale:
        if not self.lowest < self.highest:
            raise ValueError(f"lowest rating {self.lowest:g} must be below highest rating {self.highest:g}")
        if self.step > self.highest - self.lowest:
            raise ValueError(f"a step of {self.step:g} is wider than the scale {self.in_words()}")
        return self

    @property
    def is_stars(self) -> bool:
        """Whether the ratings are stars up to five, with or without halves."""
        return self.highest == _HIGHEST_STARS and self.lowest >= _LOWEST_STARS

    @property
    def like_threshold(self) -> float:
        """The rating from which a movie counts as liked: 4 of 5 stars, on another scale what lies as high.

        >>> RatingScale().like_threshold, RatingScale(lowest=1, highest=10, step=1).like_threshold
        (4.0, 8.0)
        """
        if self.is_stars:
            return _LIKED_STARS
        share = (_LIKED_STARS - _LOWEST_STARS) / (_HIGHEST_STARS - _LOWEST_STARS)
        height = share * (self.highest - self.lowest)
        return self.lowest + math.ceil(height / self.step - 1e-9) * self.step

    @property
    def classes(self) -> tuple[float, ...]:
        """The values to which ratings are rounded where they are taken as classes, at most 11.

        >>> RatingScale().classes, RatingScale(lowest=1, highest=10, step=1).classes[-1]
        ((1, 2, 3, 4, 5), 10)
        """
        whole = tuple(range(math.ceil(self.lowest), math.floor(self.highest) + 1))
        if 2 <= len(whole) <= _MOST_WHOLE_CLASSES:
            return whole
        n = _MOST_WHOLE_CLASSES - 1
        return tuple(self.lowest + (self.highest - self.lowest) * place / n for place in range(n + 1))

    def holds(self, rating: float) -> bool:
        """Return whether ``rating`` lies on the scale; its step is not asked for."""
        return self.lowest <= rating <= self.highest

    def in_words(self) -> str:
        """Return the ends of the scale.

        >>> RatingScale().in_words()
        '0.5 to 5'
        """
        return f"{self.lowest:g} to {self.highest:g}"

    def to_stars(self, ratings: Values) -> Values:
        """Return ratings (a number, array or tensor) on the scale from half a star to five.

        Networks read stars, so that the same layers serve each scale. NaN stays NaN.

        >>> RatingScale(lowest=1, highest=10, step=1).to_stars(10.0)
        5.0
        """
        if self.is_stars:
            return ratings
        factor = (_HIGHEST_STARS - _LOWEST_STARS) / (self.highest - self.lowest)
        return cast(Values, (cast(Any, ratings) - self.lowest) * factor + _LOWEST_STARS)

    def from_stars(self, stars: float) -> float:
        """Return a rating in stars on this scale.

        >>> RatingScale(lowest=1, highest=10, step=1).from_stars(4.5)
        9.0
        """
        if self.is_stars:
            return stars
        share = (stars - _LOWEST_STARS) / (_HIGHEST_STARS - _LOWEST_STARS)
        return self.lowest + share * (self.highest - self.lowest)
