"""Sentiment: one interface, no pickles, no score that knows its own stars."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.features.sentiment import (
    LexiconScorer,
    fit_review_scorer,
    fit_scorer,
    load_scorer,
    movie_sentiment,
    save_scorer,
)
from reeltune.data.prepared import Sequences
from reeltune.data.scale import RatingScale
from reeltune.data.texts import Texts
from reeltune.errors import DataError

GOOD = ["a wonderful film", "wonderful and moving", "moving, not dull", "truly wonderful acting"]
BAD = ["a dull mess", "dull and wooden", "wooden acting, a mess", "not moving, dull"]


def reviewed(texts, ratings, labels=None, n_users=6):
    n_events = len(texts)
    return Sequences(
        items=np.arange(1, n_events + 1, dtype=np.int32),
        ratings=np.array(ratings, dtype=np.float32),
        timestamps=np.full(n_events, -1, dtype=np.int64),
        offsets=np.linspace(0, n_events, n_users + 1).astype(np.int64),
        reviews=Texts.of(texts),
        labels=labels,
    )


@pytest.fixture(scope="module")
def trained():
    return fit_scorer(GOOD + BAD, [True] * 4 + [False] * 4)


@pytest.fixture(scope="module")
def lexicon():
    return LexiconScorer()


def test_both_scorers_tell_praise_from_blame(trained, lexicon):
    for scorer in (trained, lexicon):
        scores = scorer.scores(["a wonderful film", "a dull mess", "", "  "])
        assert scores.dtype == np.float32
        assert scores[0] > 0 > scores[1]
        assert np.isnan(scores[2:]).all()


@pytest.mark.slow
@given(text=st.text(max_size=60))
def test_scores_lie_between_blame_and_praise(trained, lexicon, text):
    for scorer in (trained, lexicon):
        (score,) = scorer.scores([text])
        assert np.isnan(score) == (not text.strip())
        assert np.isnan(score) or -1 <= score <= 1


def test_no_texts_give_no_scores(trained, lexicon):
    assert trained.scores([]).shape == lexicon.scores([]).shape == (0,)


def test_a_saved_classifier_scores_alike(trained, tmp_path):
    save_scorer(trained, tmp_path / "scorer")
    assert sorted(path.name for path in (tmp_path / "scorer").iterdir()) == [
        "scorer.json",
        "scorer.safetensors",
    ]
    again = load_scorer(tmp_path / "scorer")
    texts = GOOD + BAD + ["never seen"]
    np.testing.assert_array_equal(again.scores(texts), trained.scores(texts))


def test_a_damaged_classifier_is_refused(trained, tmp_path):
    with pytest.raises(DataError, match="holds no sentiment classifier"):
        load_scorer(tmp_path)
    save_scorer(trained, tmp_path)
    plain = json.loads((tmp_path / "scorer.json").read_text())
    (tmp_path / "scorer.json").write_text(json.dumps(plain | {"words": plain["words"][1:]}))
    with pytest.raises(DataError, match="differ in length"):
        load_scorer(tmp_path)


def test_too_little_to_learn_from_is_refused():
    with pytest.raises(DataError, match="both praise and blame"):
        fit_scorer(GOOD, [True] * 4)
    with pytest.raises(DataError, match="bring more"):
        fit_scorer(["one", "two"], [True, False])


def test_a_review_is_scored_without_its_own_stars():
    """Turning the label of one user's reviews changes scores of other users only."""
    texts = (GOOD + BAD) * 3
    ratings = ([4.5] * 4 + [1.0] * 4) * 3
    turned = [5.5 - stars for stars in ratings[:4]] + ratings[4:]  # user 0 holds events 0 to 3
    scorer, before = fit_review_scorer(reviewed(texts, ratings), RatingScale())
    other, after = fit_review_scorer(reviewed(texts, turned), RatingScale())
    np.testing.assert_array_equal(before[:4], after[:4])
    assert not np.array_equal(before[4:], after[4:])
    assert not np.array_equal(scorer.weights, other.weights)


def test_verdicts_of_the_source_go_before_stars():
    texts = (GOOD + BAD) * 3
    labels = np.array(([1] * 4 + [0] * 4) * 3, dtype=np.int8)
    scorer, _ = fit_review_scorer(reviewed(texts, [np.nan] * 24, labels), RatingScale())
    assert scorer.scores(["wonderful"])[0] > 0 > scorer.scores(["dull"])[0]


def test_ten_points_are_praise_and_blame_at_the_same_heights():
    texts = (GOOD + BAD) * 3
    ten = RatingScale(lowest=1, highest=10, step=1)
    scorer, _ = fit_review_scorer(reviewed(texts, ([8.0] * 4 + [5.0] * 4) * 3), ten)
    assert scorer.scores(["wonderful"])[0] > 0 > scorer.scores(["dull"])[0]
    with pytest.raises(DataError, match="both praise and blame"):  # 7 is neither: 3.5 stars are 7
        fit_review_scorer(reviewed(texts, ([8.0] * 4 + [6.0] * 4) * 3), ten)


def test_reviews_are_needed():
    train = reviewed([""] * 6, [3.0] * 6)
    with pytest.raises(DataError, match="no reviews"):
        fit_review_scorer(train, RatingScale())


def test_movie_sentiment_is_a_shrunk_mean():
    items = np.array([1, 1, 2, 3], dtype=np.int32)
    scores = np.array([1.0, 0.5, 0.0, np.nan], dtype=np.float32)
    table = movie_sentiment(items, scores, 4)
    mean = 0.5
    expected = [[0, 0], [(0.5 + 0.0) / (2 + 5), 1], [(0.0 - mean) / (1 + 5), 1], [0, 0], [0, 0]]
    np.testing.assert_allclose(table, expected, rtol=1e-6)
    assert not movie_sentiment(items, np.full(4, np.nan, np.float32), 4).any()
