"""Which side information a network reads, and how it is made.

Shapes: F dense features of a movie, K credits of a movie.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reeltune.config import Config
from reeltune.data.scale import RatingScale


class FeatureConfig(Config):
    """Switches of the side information; all off by default, each searchable.

    Whatever is missing for an event, a movie or a user adds nothing to the input.
    """

    rating: bool = False
    """Whether a step reads the rating that was given."""
    time_gap: bool = False
    """Whether a step reads the time since the user's previous movie."""
    request_time: bool = False
    """Whether a step reads the time from it to the user's next movie, at the last step to the request."""
    sentiment: Literal["none", "lexicon", "trained"] = "none"
    """What scores the reviews: nothing, VADER's lexicon, or a classifier trained on labelled reviews. A
    step reads the score of its review, a movie the mean score of its training reviews."""
    sentiment_model: str = ""
    """Folder of a saved classifier for ``trained``; empty trains one on the training part's reviews."""
    genres: bool = False
    """Whether a movie has its genres."""
    year: bool = False
    """Whether a movie has its year of release."""
    people: bool = False
    """Whether a movie has its directors and actors."""
    people_min_movies: int = Field(default=3, ge=1, le=1000)
    """Least movies of the training part that someone must have made to be known, 1 to 1000."""
    text: Literal["none", "tfidf", "sentence-transformers"] = "none"
    """How title, description and training reviews of a movie become a vector: not at all, by TF-IDF, or
    by sentence embeddings."""
    text_model: str = "all-MiniLM-L6-v2"
    """Name or folder of the model for ``sentence-transformers``."""
    text_dim: int = Field(default=32, ge=1, le=1024)
    """Width of the text vector after reduction, 1 to 1024; fewer where the movies give fewer."""
    profile: bool = False
    """Whether each step reads the user's age group, gender and occupation."""
    taste: bool = False
    """Whether each step reads the user's taste so far: ratings, activity, genres, popularity."""
    in_output: bool = False
    """Whether a movie's genres, year, credits, text and sentiment also enter its output vector."""


class SideShapes(Config):
    """What a network must know of the data beside its tables: their sizes, and the scale of the ratings."""

    n_item_features: int = Field(default=0, ge=0)
    """Dense features F of a movie."""
    n_people: int = Field(default=0, ge=0)
    """Directors and actors that are known."""
    max_people: int = Field(default=0, ge=0)
    """Most credits K of a movie."""
    n_taste: int = Field(default=0, ge=0)
    """Columns of the table behind a user's taste."""
    n_profile_codes: int = Field(default=0, ge=0)
    """Values of age group, gender and occupation, all together."""
    rating_scale: RatingScale = RatingScale()
    """Scale of the ratings that a step reads; half stars up to five where none is read."""


NO_SIDE = SideShapes()
"""The sizes where nothing is switched on."""
