"""Side information of real data; skipped where they are absent."""

import numpy as np
import pytest

from reeltune.data.config import DataConfig
from reeltune.data.features.assemble import make_features
from reeltune.data.features.config import FeatureConfig
from reeltune.data.features.labelled import read_labelled
from reeltune.data.features.sentiment import LexiconScorer, fit_scorer
from reeltune.data.store import open_tuning, prepare

pytestmark = pytest.mark.soak


def test_both_scorers_are_as_good_as_the_committed_figures_say(shared_data):
    train, test = read_labelled(shared_data / "sentiment" / "rt-polaritydata.zip").held_out(0.1, 17)
    scorers = {"trained": fit_scorer(train.texts, train.is_praise), "lexicon": LexiconScorer()}
    accuracy = {
        name: ((scorer.scores(test.texts) > 0) == test.is_praise).mean() for name, scorer in scorers.items()
    }
    assert accuracy["trained"] > 0.75
    assert accuracy["lexicon"] > 0.6


def test_latest_small_has_people_text_and_genres(shared_data):
    config = DataConfig(dataset="movielens-latest-small", credits="movie-metadata/item_people.csv")
    data = open_tuning(prepare(config, data_dir=shared_data))
    inputs = FeatureConfig(genres=True, year=True, people=True, text="tfidf", taste=True)
    features = make_features(inputs, data)
    assert (features.tables["people"] > 0).any(axis=1).mean() > 0.9
    assert features.shapes.n_people > 2_000
    assert (features.tables["item_features"] != 0).any(axis=1).sum() == data.n_items


def test_sentiment_of_critics_goes_with_their_verdicts(shared_data):
    data = open_tuning(prepare(DataConfig(dataset="rotten-tomatoes"), data_dir=shared_data))
    train = data.train
    scores = make_features(FeatureConfig(sentiment="lexicon"), data).data.train.sentiment
    known = ~np.isnan(scores) & (train.labels >= 0)
    assert ((scores[known] > 0) == (train.labels[known] == 1)).mean() > 0.63
    assert known.mean() > 0.8
