"""Sentiment of reviews: one interface, a lexicon scorer and a trained classifier.

Shapes: N texts, W words and word pairs, V catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Sequences
from reeltune.data.scale import RatingScale
from reeltune.errors import DataError
from reeltune.files import atomic_path, read_json, write_json

Scores = NDArray[np.float32]

_N_FOLDS = 5
_SHRINKAGE = 5.0
"""Reviews of average sentiment that each movie is given beforehand."""


class SentimentScorer(Protocol):
    """Says how favourable a text is."""

    def scores(self, texts: Iterable[str]) -> Scores:
        """Return -1 (blame) to 1 (praise) for each text, NaN for an empty one, shape [N]."""


class LexiconScorer:
    """VADER's compound score (Hutto and Gilbert, 2014, https://doi.org/10.1609/icwsm.v8i1.14550)."""

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()

    def scores(self, texts: Iterable[str]) -> Scores:
        """Return -1 to 1 for each text, NaN for an empty one, shape [N]."""
        polarity = self._analyzer.polarity_scores
        return np.array(
            [polarity(text)["compound"] if text.strip() else np.nan for text in texts], dtype=np.float32
        )


@dataclass(frozen=True)
class TrainedScorer:
    """Logistic regression over TF-IDF of words and word pairs."""

    words: tuple[str, ...]  # [W]
    idf: NDArray[np.float32]  # [W]
    weights: NDArray[np.float32]  # [W]
    bias: float

    def scores(self, texts: Iterable[str]) -> Scores:
        """Return ``2 p - 1`` with p the probability of praise, NaN for an empty text, shape [N]."""
        listed = list(texts)
        if not listed:
            return np.zeros(0, dtype=np.float32)
        vectorizer = _vectorizer(vocabulary={word: i for i, word in enumerate(self.words)})
        vectorizer.idf_ = self.idf.astype(np.float64)
        margin = vectorizer.transform(listed) @ self.weights.astype(np.float64) + self.bias  # [N]
        scores = np.tanh(margin / 2)  # 2 sigmoid(m) - 1
        scores[[not text.strip() for text in listed]] = np.nan
        result: Scores = scores.astype(np.float32)
        return result


def fit_scorer(texts: Sequence[str], is_praise: Sequence[bool] | NDArray[np.bool_]) -> TrainedScorer:
    """Return the classifier trained on labelled texts."""
    from sklearn.linear_model import LogisticRegression

    labels = np.asarray(is_praise, dtype=bool)
    vectorizer = _vectorizer(min_df=2)
    if not 0 < labels.sum() < len(labels):
        raise DataError(
            f"{len(labels)} labelled texts of one kind: a sentiment classifier needs both praise and blame"
        )
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise DataError(f"no word stands in two of {len(texts)} texts; bring more labelled texts") from error
    # C has the best 5-fold accuracy on the sentences of Cornell polarity v1.0, among powers of 2.
    model = LogisticRegression(C=8.0, solver="liblinear", random_state=0).fit(features, labels)
    return TrainedScorer(
        words=tuple(map(str, vectorizer.get_feature_names_out())),
        idf=vectorizer.idf_.astype(np.float32),
        weights=model.coef_[0].astype(np.float32),
        bias=float(model.intercept_[0]),
    )


def fit_review_scorer(train: Sequences, scale: RatingScale) -> tuple[TrainedScorer, Scores]:
    """Return a classifier trained on the training reviews, and the sentiment of these reviews.

    Labels are the source's verdicts where it has any, else 3.5 of five stars and more count as praise and
    2.5 and less as blame. Each fifth of the users is scored by a classifier that was trained on
    the other four, so that no score knows the rating beside it. Other reviews: ``scorer.scores``.
    """
    texts = review_texts(train)
    labels = _review_labels(train, scale)
    labelled = np.flatnonzero(labels >= 0)

    def fit(rows: NDArray[np.int64]) -> TrainedScorer:
        return fit_scorer([texts[row] for row in rows], labels[rows] == 1)

    fold = np.repeat(np.arange(train.n_users), train.lengths) % _N_FOLDS  # [N]
    scores = np.empty(train.n_events, dtype=np.float32)
    for k in range(_N_FOLDS):
        rows = np.flatnonzero(fold == k)
        other = fit(labelled[fold[labelled] != k])
        scores[rows] = other.scores(texts[row] for row in rows)
    return fit(labelled), scores


def review_texts(sequences: Sequences) -> list[str]:
    """Return the review of each event, empty where absent, [N]."""
    if sequences.reviews is None or not sequences.reviews.is_present.any():
        raise DataError(
            "model.inputs.sentiment is on, but the data set has no reviews; set it to none, or choose data "
            "with reviews"
        )
    return list(sequences.reviews)


def _review_labels(train: Sequences, scale: RatingScale) -> NDArray[np.int8]:
    """Return 1 for praise, 0 for blame, -1 where there is no review or no verdict, [N]."""
    assert train.reviews is not None
    if train.labels is not None:
        labels = train.labels.copy()
    else:
        stars = scale.to_stars(train.ratings)
        labels = np.where(stars >= 3.5, 1, np.where(stars <= 2.5, 0, -1)).astype(np.int8)
    labels[~train.reviews.is_present] = -1
    return labels


def save_scorer(scorer: TrainedScorer, folder: Path) -> None:
    """Write the classifier as ``scorer.json`` and ``scorer.safetensors``; nothing is pickled."""
    from safetensors.numpy import save

    arrays = {"idf": scorer.idf, "weights": scorer.weights}
    with atomic_path(folder / "scorer.safetensors") as part:
        part.write_bytes(save(arrays))
    write_json(folder / "scorer.json", {"words": scorer.words, "bias": scorer.bias})


def load_scorer(folder: Path) -> TrainedScorer:
    """Return the classifier in ``folder``."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        plain = read_json(folder / "scorer.json")
        arrays = load((folder / "scorer.safetensors").read_bytes())
        scorer = TrainedScorer(tuple(plain["words"]), arrays["idf"], arrays["weights"], float(plain["bias"]))
        if not len(scorer.words) == len(scorer.idf) == len(scorer.weights):
            raise ValueError("its parts differ in length")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DataError(
            f"{folder} holds no sentiment classifier ({error}); train one, or leave the folder's name out"
        ) from error
    return scorer


def movie_sentiment(items: NDArray[np.int32], scores: Scores, n_items: int) -> NDArray[np.float32]:
    """Return how far each movie's reviews stand above the mean, and whether it has any, [V+1, 2].

    The mean of n reviews is drawn to that of all by a weight of n / (n + 5).
    """
    has_review = ~np.isnan(scores)
    table = np.zeros((n_items + 1, 2), dtype=np.float32)
    if not has_review.any():
        return table
    codes, known = items[has_review], scores[has_review].astype(np.float64)
    counts = np.bincount(codes, minlength=n_items + 1)
    above = np.bincount(codes, weights=known - known.mean(), minlength=n_items + 1)
    table[:, 0] = above / (counts + _SHRINKAGE)
    table[:, 1] = counts > 0
    return table


def _vectorizer(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Stop words and endings stay: "not", "too" and "-less" carry the verdict.
    return TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w[\w']*\b", **options
    )
