"""What the service accepts and answers, field by field; the limits are checked before any work is done."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Genre = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class SeenMovie(_Message):
    """A movie that the user saw."""

    movie: Name
    """Title, the year may be left out where one movie alone bears it, or ``id:...`` of the data set."""
    rating: float | None = Field(default=None, ge=0.0, validation_alias=AliasChoices("rating", "stars"))
    """Rating on the scale that ``/health`` gives; ``stars`` is the older name."""


class RecommendRequest(_Message):
    """A user's history and what is wanted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"history": [{"movie": "Toy Story (1995)", "rating": 4.5}], "k": 5, "explain": True}]
        }
    )

    history: list[SeenMovie] = Field(min_length=1, max_length=500)
    """Seen movies, the oldest first, 1 to 500."""
    k: int = Field(default=10, ge=1, le=100)
    """Number of movies, 1 to 100."""
    exclude: list[Name] = Field(default=[], max_length=500)
    """Movies that must not be listed, up to 500."""
    genres: list[Genre] = Field(default=[], max_length=40)
    """List only movies of one of these genres."""
    without_genres: list[Genre] = Field(default=[], max_length=40)
    """List no movie of these genres."""
    people: list[Name] = Field(default=[], max_length=40)
    """List only movies of one of these directors or actors, where the bundle knows them."""
    first_year: int | None = Field(default=None, ge=1850, le=2200)
    """List only movies from then on."""
    last_year: int | None = Field(default=None, ge=1850, le=2200)
    """List only movies up to then."""
    tuned: bool = False
    """Start from the weights that the bundle was tuned to on validation, instead of 0."""
    popularity: float | None = Field(default=None, ge=-1.0, le=1.0)
    """Preference for well known (1) or little known movies (-1); 0 leaves the scores alone."""
    novelty: float | None = Field(default=None, ge=0.0, le=1.0)
    """Preference for movies unlike the history, 0 to 1."""
    calibration: float | None = Field(default=None, ge=0.0, le=1.0)
    """Weight of genres in the proportions of the history, 0 to 1."""
    explain: bool = False
    """Name for each line the seen movie that speaks for it most; costs a pass of the network for each
    movie of the recent history."""


class Movie(BaseModel):
    """A movie of the catalogue."""

    item_id: str
    title: str
    year: int = Field(description="0 where unknown")
    genres: list[str]


class Line(Movie):
    """A movie of a ranked list."""

    rank: int = Field(description="from 1")
    code: int = Field(description="of the bundle, from 1")
    score: float = Field(description="comparable within one list")
    because: str = Field(default="", description="the seen movie without which the score falls most")


class Lines(BaseModel):
    """A ranked list, the best first."""

    movies: list[Line]


class HistoryMovie(Movie):
    """A movie of an uploaded history."""

    rating: float | None = Field(description="on the scale of the bundle, null where not rated")


class History(BaseModel):
    """What an uploaded file says, the oldest movie first."""

    movies: list[HistoryMovie]
    unknown: list[str] = Field(description="titles that the catalogue lacks")
    notes: list[str] = Field(description="how the file was read, and what was left out")


class Movies(BaseModel):
    """Movies found by their titles."""

    movies: list[Movie]
    is_exact: bool = Field(description="whether each title holds every word; if not, these come near")


class Health(BaseModel):
    """The state of the service."""

    status: str
    version: str
    dataset: str
    n_movies: int
    model: str
    engine: str = Field(description="what computes the scores: torch or onnx")
    has_popularity: bool = Field(description="whether the bundle knows how often movies were seen")
    has_tuned: bool = Field(description="whether the bundle holds weights of re-ranking tuned on validation")
    has_embeddings: bool = Field(description="whether movies have embeddings, from which novelty is measured")
    reads_ratings: bool = Field(description="whether ratings enter the scores")
    lowest_rating: float = Field(description="end of the scale of ratings")
    highest_rating: float = Field(description="end of the scale of ratings")
    examples: list[Movie] = Field(description="some movies to begin with, well known where that is known")
    bundle: str = Field(description="SHA-256 of the bundle's weights")


class Reloaded(BaseModel):
    """The bundle that is served now."""

    bundle: str
    is_changed: bool


class Problem(BaseModel):
    """Why a request was refused."""

    loc: list[str | int]
    msg: str
    type: str


class Problems(BaseModel):
    """Why a request was refused, a line a field."""

    detail: list[Problem]
