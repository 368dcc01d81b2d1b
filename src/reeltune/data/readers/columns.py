"""The mapping of the user's own columns, as an experiment file gives it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from reeltune.config import Config
from reeltune.data.scale import RatingScale


class Columns(Config):
    """Which columns of the user's own table hold what, and how they are written."""

    user: str
    """Column of the user ids."""
    item: str
    """Column of the movie ids."""
    rating: str | None = None
    """Column of the ratings; None where there are none. An empty field is unknown."""
    timestamp: str | None = None
    """Column of the times; None where the rows of each user stand in order of time."""
    review: str | None = None
    """Column of the review texts."""
    label: str | None = None
    """Column of verdicts: 1 praise, 0 blame, empty unknown."""
    title: str | None = None
    """Column of the movies' titles; the first not empty counts. The year in brackets at its end is read."""
    year: str | None = None
    """Column of the years of release; an empty field is unknown."""
    genres: str | None = None
    """Column of the movies' genres, parted by a vertical bar."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """What parts the fields of a CSV file."""
    encoding: str = "utf-8"
    """Encoding of a CSV file."""
    time_unit: Literal["seconds", "milliseconds", "microseconds", "days", "day", "order"] = "seconds"
    """Unit of numbers since 1970; ``order`` for numbers that only order the rows of a user. ISO 8601 text is
    recognised; ``day`` (2019-06-30) allows nothing else, and empty fields."""
    lowest_rating: float = Field(default=0.5, ge=0)
    """Lowest rating of the scale; a smaller one is an error."""
    highest_rating: float = Field(default=5.0, gt=0)
    """Highest rating of the scale; a larger one is an error."""

    rating_step: float | None = Field(default=None, gt=0)
    """Distance of neighbouring ratings; None for 0.5 on a scale up to five and 1 on a longer one."""

    @model_validator(mode="after")
    def _fields_fit(self) -> Columns:
        if self.user == self.item:
            raise ValueError(f"user and item are both the column {self.user!r}; they must be two")
        if not self.lowest_rating < self.highest_rating:
            raise ValueError(
                f"lowest_rating {self.lowest_rating} must be below highest_rating {self.highest_rating}"
            )
        if self.rating_step is not None and self.rating_step > self.highest_rating - self.lowest_rating:
            raise ValueError(
                f"rating_step {self.rating_step} is wider than the scale {self.lowest_rating} to "
                f"{self.highest_rating}"
            )
        return self

    @property
    def scale(self) -> RatingScale:
        """Scale of the ratings."""
        width = self.highest_rating - self.lowest_rating
        step = self.rating_step or min(width, 1.0 if self.highest_rating > 5 else 0.5)
        return RatingScale(lowest=self.lowest_rating, highest=self.highest_rating, step=step)

    def used(self) -> dict[str, str]:
        """Return the mapped columns: what they hold, and their name in the file."""
        names = ("user", "item", "rating", "timestamp", "review", "label", "title", "year", "genres")
        return {name: value for name in names if (value := getattr(self, name)) is not None}
