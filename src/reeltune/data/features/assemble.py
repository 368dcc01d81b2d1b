"""All side information that a network reads, made once and kept beside the prepared data.

Everything here is fitted on the training events. Validation and test events get their own review's
sentiment, by the scorer that was fitted on the training part.

Shapes: V catalogue, F dense features of a movie, K credits of a movie, N events, U users.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.features.config import NO_SIDE, FeatureConfig, SideShapes
from reeltune.data.features.movies import credit_codes, genre_table, year_table
from reeltune.data.features.sentiment import (
    LexiconScorer,
    SentimentScorer,
    TrainedScorer,
    fit_review_scorer,
    load_scorer,
    movie_sentiment,
    review_texts,
    save_scorer,
)
from reeltune.data.features.text import movie_texts, sentence_vectors, tfidf_vectors
from reeltune.data.features.users import profile_codes, taste_table
from reeltune.data.prepare.side import SideInformation
from reeltune.data.prepared import Queries, TuningData
from reeltune.data.sources.cache import cache_lock
from reeltune.data.store import open_side
from reeltune.errors import DataError
from reeltune.files import atomic_path

FEATURES = "1"
"""Version of the code behind kept arrays; a change of any number raises it."""


@dataclass(frozen=True)
class Features:
    """The side information of one configuration on one data set."""

    data: TuningData  # with sentiment and profiles beside the events
    shapes: SideShapes = NO_SIDE
    tables: dict[str, NDArray[Any]] = field(default_factory=dict)
    """``item_features`` [V+1, F], ``people`` [V+1, K], ``taste`` [V+1, 1+G]; those that are on."""


def make_features(config: FeatureConfig, data: TuningData) -> Features:
    """Return the side information that ``config`` asks for.

    Slow parts are kept in the folder of the data and opened the next time.
    """
    if config == FeatureConfig():
        return Features(data)
    side = open_side(data.directory)
    tables: dict[str, NDArray[Any]] = {}
    sentiment = _train_sentiment(config, data)
    dense = _dense_groups(config, data, side, sentiment)
    if dense:
        # Each group has rows of length about 1, so that none is heard more than another at the start.
        tables["item_features"] = np.concatenate([_unit_rows(group) for group in dense], axis=1)
    shapes: dict[str, Any] = {"n_item_features": sum(group.shape[1] for group in dense)}
    if config.people:
        people = credit_codes(
            data.train,
            side.details.directors,
            side.details.actors,
            min_movies=config.people_min_movies,
        )
        _need(people.names, "people", "directors or actors that enough movies share")
        tables["people"] = people.codes
        shapes |= {"n_people": len(people.names), "max_people": people.codes.shape[1]}
    if config.rating or config.taste:
        shapes["rating_scale"] = data.ledger.scale
    if config.taste:
        tables["taste"] = taste_table(data.train, data.catalogue)
        shapes["n_taste"] = tables["taste"].shape[1]
    profiles = None
    if config.profile:
        known = profile_codes(side.users)
        _need(known.names, "profile", "age, gender or occupation")
        profiles = known.codes
        shapes["n_profile_codes"] = len(known.names)
    train = replace(data.train, sentiment=sentiment, profiles=profiles)
    if data.validation.sequences is data.train:
        validation = replace(data.validation, sequences=train)
    else:
        validation = query_features(config, data, data.validation)
    return Features(replace(data, train=train, validation=validation), SideShapes(**shapes), tables)


def query_features(config: FeatureConfig, data: TuningData, queries: Queries) -> Queries:
    """Return ``queries`` of the same users with the sentiment and profiles that ``config`` asks for."""
    sequences = queries.sequences
    if config.sentiment != "none":
        scorer = _scorer(config, data)
        sequences = replace(sequences, sentiment=scorer.scores(review_texts(sequences)))
    if config.profile:
        sequences = replace(sequences, profiles=profile_codes(open_side(data.directory).users).codes)
    return replace(queries, sequences=sequences)


def _dense_groups(
    config: FeatureConfig, data: TuningData, side: SideInformation, sentiment: NDArray[np.float32] | None
) -> list[NDArray[np.float32]]:
    """Return the dense groups that are on, each [V+1, its width]."""
    groups = []
    if config.genres:
        groups.append(genre_table(data.catalogue))
        _need(groups[-1].any(), "genres", "genres")
    if config.year:
        groups.append(year_table(data.catalogue))
        _need(groups[-1].any(), "year", "years of release")
    if config.text != "none":
        groups.append(_text_table(config, data, side))
        _need(groups[-1].any(), "text", "words that two movies share")
    if sentiment is not None:
        groups.append(movie_sentiment(data.train.items, sentiment, data.n_items))
    return groups


def _text_table(config: FeatureConfig, data: TuningData, side: SideInformation) -> NDArray[np.float32]:
    def make() -> NDArray[np.float32]:
        texts = movie_texts(data.catalogue, data.train, side.details, side.tags)
        if config.text == "tfidf":
            vectors = tfidf_vectors(texts, config.text_dim)
        else:
            vectors = sentence_vectors(texts, config.text_dim, config.text_model)
        return np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), vectors])

    key = [config.text, config.text_dim, config.text_model if config.text != "tfidf" else ""]
    return _kept(data.directory, "text", key, make)


def _train_sentiment(config: FeatureConfig, data: TuningData) -> NDArray[np.float32] | None:
    """Return the sentiment of the training events, [N]."""
    if config.sentiment == "none":
        return None
    if config.sentiment == "trained" and not config.sentiment_model:
        scorer_folder = _scorer_folder(data.directory)

        def make() -> NDArray[np.float32]:
            scorer, scores = fit_review_scorer(data.train, data.ledger.scale)
            save_scorer(scorer, scorer_folder)
            return scores
    else:

        def make() -> NDArray[np.float32]:
            return _scorer(config, data).scores(review_texts(data.train))

    return _kept(data.directory, "sentiment", [config.sentiment, _model_identity(config)], make)


def _scorer(config: FeatureConfig, data: TuningData) -> SentimentScorer:
    if config.sentiment == "lexicon":
        return LexiconScorer()
    if config.sentiment_model:
        return load_scorer(Path(config.sentiment_model))
    _train_sentiment(config, data)  # leaves the scorer in its folder
    return load_scorer(_scorer_folder(data.directory))


def _model_identity(config: FeatureConfig) -> str:
    """Return a hash of the saved classifier's contents; empty where none is named."""
    if config.sentiment != "trained" or not config.sentiment_model:
        return ""
    scorer: TrainedScorer = load_scorer(Path(config.sentiment_model))
    digest = hashlib.sha256(scorer.weights.tobytes() + scorer.idf.tobytes())
    digest.update(json.dumps([scorer.words, scorer.bias]).encode())
    return digest.hexdigest()


def _scorer_folder(directory: Path) -> Path:
    return directory / "features" / f"scorer-{FEATURES}"


def _kept(directory: Path, name: str, key: list[Any], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """Return the array that ``make`` makes, from the data's folder when it was made before."""
    digest = hashlib.sha256(json.dumps([FEATURES, name, key]).encode()).hexdigest()[:12]
    path = directory / "features" / f"{name}-{digest}.npy"
    if not path.exists():
        with cache_lock(f"{directory.name}-{name}-{digest}", lambda _: None):
            if not path.exists():
                made = make()
                with atomic_path(path) as part, part.open("wb") as file:
                    np.save(file, made)
    kept: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return kept


def _unit_rows(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the table times the factor that makes the rows that are not zero of mean length 1."""
    lengths = np.linalg.norm(table, axis=1)
    typical = lengths[lengths > 0].mean() if lengths.any() else 1.0
    scaled: NDArray[np.float32] = (table / typical).astype(np.float32)
    return scaled


def _need(found: Any, switch: str, what: str) -> None:
    if not found:
        raise DataError(f"model.inputs.{switch} is on, but the data set has no {what}; switch it off")
