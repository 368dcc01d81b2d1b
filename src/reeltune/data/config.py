"""The config of data and protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from reeltune.config import Config
from reeltune.data.prepare.folds import KFold, OfficialFold
from reeltune.data.prepare.splits import GlobalTime, LeaveLast, LeaveOneOut, SplitConfig
from reeltune.data.readers.columns import Columns
from reeltune.data.scale import RatingScale
from reeltune.data.sources.datasets import DATASETS
from reeltune.data.sources.source import Layout
from reeltune.errors import unknown_name

SPLITS: dict[str, type[SplitConfig]] = {
    "leave-one-out": LeaveOneOut,
    "leave-last": LeaveLast,
    "global-time": GlobalTime,
    "official-fold": OfficialFold,
    "k-fold": KFold,
}
"""Splits by name."""


def split_in_words(text: str) -> str:
    """Return what is validation and what test, from the ``text`` of a split in a ledger.

    >>> split_in_words("leave-one-out")
    'the last movie of each user is test, the one before it validation'
    """
    return SPLITS[text.partition("(")[0]].in_words


_PLACES = ("path", "movies", "credits")
"""Fields that say where files lie; the files' contents are distinguished by their checksums."""
_Split = Annotated[LeaveOneOut | LeaveLast | GlobalTime | OfficialFold | KFold, Field(discriminator="name")]


class DataConfig(Config):
    """Which data, and everything in their preparation that changes a number."""

    renamed: ClassVar[Mapping[str, str]] = {"people": "credits"}

    dataset: str
    """Name in the registry of data sets; see ``reeltune data list``."""
    path: str | None = None
    """The file of ratings, for data of your own; relative to the experiment file or ``--data-dir``."""
    movies: str | None = None
    """The file of titles and genres of the user's own movies; optional, likewise relative."""
    columns: Columns | None = None
    """Which columns of the user's own table hold what."""
    credits: str | None = None
    """The file of directors and actors, likewise relative; ``package`` fetches it for MovieLens."""
    on_bad_rows: Literal["refuse", "drop"] = "refuse"
    """Whether rows of Amazon's reviews with an impossible value make the file unreadable or are left out."""
    split: _Split = LeaveOneOut()
    """How events are parted into training, validation and test: a name, or a name with settings."""
    k_core: int = Field(default=5, ge=1)
    """Movies with fewer interactions are dropped; at least 1, which keeps all."""
    min_user_events: int = Field(default=3, ge=3)
    """Users with fewer events on the movies kept are dropped; at least 3, or they could not be split."""
    ties: Literal["file", "movie", "float32"] = "file"
    """Order of events of one second: that of the file, by movie id, or by what float32 keeps of the time."""

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, value: str) -> str:
        if value not in DATASETS:
            raise ValueError(unknown_name("dataset", value, DATASETS))
        return value

    @field_validator("split", mode="before")
    @classmethod
    def _named_split(cls, value: Any) -> Any:
        plain = {"name": value} if isinstance(value, str) else value
        if isinstance(plain, dict) and plain.get("name") not in SPLITS:
            raise ValueError(unknown_name("split", plain.get("name"), SPLITS))
        return plain

    @model_validator(mode="after")
    def _fields_fit(self) -> DataConfig:
        own = DATASETS[self.dataset].own
        given = [name for name in ("path", "movies", "columns") if getattr(self, name) is not None]
        if own is None and given:
            raise ValueError(f"{given[0]} goes with a data set of your own, not with {self.dataset}")
        if own is not None:
            if self.path is None and (own.needs_path or given):
                raise ValueError(f"the data set {self.dataset} needs the key path: the file of ratings")
            if own.has_columns and self.columns is None:
                raise ValueError(
                    f"the data set {self.dataset} needs the key columns, such as {{user: u, item: i}}"
                )
            if self.columns is not None and not own.has_columns:
                raise ValueError(f"the columns of {self.dataset} are known; leave the key columns out")
        if self.on_bad_rows == "drop" and not DATASETS[self.dataset].can_drop_rows:
            raise ValueError(f"on_bad_rows: drop goes with amazon-reviews, not with {self.dataset}")
        if isinstance(self.split, KFold | OfficialFold) and self.k_core != 1:
            raise ValueError(f"the split {self.split.name} rates every row: write k_core: 1")
        if self.ties == "float32" and isinstance(self.split, GlobalTime):
            raise ValueError(
                "the split global-time needs whole seconds; ties: float32 goes with leave-one-out"
            )
        return self

    def located(self, folder: Path) -> DataConfig:
        """Return the config with the files that it names made absolute where ``folder`` holds them."""
        found = {
            name: str((folder / value).absolute())
            for name, value in (("path", self.path), ("movies", self.movies), ("credits", self.credits))
            if value is not None and (folder / value).is_file()
        }
        return self.model_copy(update=found)

    def own_layout(self) -> Layout | None:
        """Return how the user's own files are read; None where the config names none."""
        own, path, movies = DATASETS[self.dataset].own, self.path, self.movies
        if own is None or path is None:
            return None
        names = (path,) if movies is None else (path, movies)
        return Layout("your own file", names, lambda files: own.read(files, path, movies, self.columns))

    @property
    def scale(self) -> RatingScale:
        """Scale of the ratings: that of the user's own table, else half stars up to five."""
        return RatingScale() if self.columns is None else self.columns.scale

    def protocol(self) -> dict[str, Any]:
        """Return the fields that change a number, as plain values: where the files lie is not among them."""
        fields = {name: value for name, value in self.plain().items() if name not in _PLACES}
        # Prepared data keep the names that they had before these keys.
        if self.on_bad_rows == "refuse":
            del fields["on_bad_rows"]
        if self.columns is not None:
            newer = ("rating_step", "year")
            fields["columns"] = {
                k: v for k, v in fields["columns"].items() if v is not None or k not in newer
            }
            if not self.scale.is_stars:  # once written without its scale
                fields["scale"] = self.scale.plain()
        return fields
