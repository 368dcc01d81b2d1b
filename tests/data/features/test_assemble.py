"""Side information of prepared data: fitted on training rows, kept, asked for by switches."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reeltune.data.config import DataConfig
from reeltune.data.features import assemble
from reeltune.data.features.assemble import make_features, query_features
from reeltune.data.features.config import NO_SIDE, FeatureConfig
from reeltune.data.features.sentiment import fit_scorer, save_scorer
from reeltune.data.interactions import Interactions, Movies, RawDataset, Users
from reeltune.data.sequences import query_batches, window_batches
from reeltune.data.store import open_held_out, open_tuning, write_dataset
from reeltune.data.texts import Texts
from reeltune.errors import DataError

N_USERS, N_MOVIES, N_EVENTS = 20, 12, 9
ALL_ON = FeatureConfig(
    rating=True,
    time_gap=True,
    sentiment="lexicon",
    genres=True,
    year=True,
    people=True,
    people_min_movies=2,
    text="tfidf",
    text_dim=4,
    profile=True,
    taste=True,
)
PRAISE, BLAME = "a wonderful and moving film", "a dull and terrible mess"


def raw_data(*, future_seed: int = 0) -> RawDataset:
    """Return reviews of which ``future_seed`` changes the last two of each user only.

    The future's movies change hands, so that the vocabulary stays the same.
    """
    rng = np.random.default_rng(1)
    item = np.stack([rng.permutation(N_MOVIES)[:N_EVENTS] + 1 for _ in range(N_USERS)])
    rating = rng.integers(1, 6, size=item.shape).astype(np.float32)
    future = np.random.default_rng(future_seed)
    for column in (-2, -1):
        item[:, column] = future.permutation(item[:, column])
        rating[:, column] = future.integers(1, 6, size=N_USERS)
    verdicts = np.where(rating >= 3, PRAISE, BLAME)
    words = [f"{verdict} of sort {code % 3}" for verdict, code in zip(verdicts.flat, item.flat, strict=True)]
    movies = range(1, N_MOVIES + 1)
    users = range(1, N_USERS + 1)
    return RawDataset(
        Interactions(
            user=np.repeat(np.array(users, dtype=np.int32), N_EVENTS),
            item=item.ravel().astype(np.int32),
            rating=rating.ravel(),
            timestamp=np.tile(np.arange(N_EVENTS, dtype=np.int64) * 1000, N_USERS),
            review=Texts.of(words),
        ),
        Movies(
            ids=tuple(map(str, movies)),
            titles=tuple(f"Film number {code} (19{50 + code})" for code in movies),
            years=tuple(1950 + code for code in movies),
            genres=tuple(("Drama",) if code % 2 else ("War", "Drama") for code in movies),
            directors=tuple((f"D{code % 3}",) for code in movies),
            actors=tuple((f"A{code % 4}", f"A{code % 5}") for code in movies),
            plots=tuple(f"a plot of kind {'one' if code % 2 else 'two'}" for code in movies),
        ),
        Users(
            ids=tuple(map(str, users)),
            ages=tuple(20 + user for user in users),
            genders=tuple("FM"[user % 2] for user in users),
            occupations=("artist",) * N_USERS,
        ),
    )


def prepared(folder, raw: RawDataset):
    write_dataset(folder, raw, DataConfig(dataset="synthetic", k_core=1))
    return folder


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("data") / "entry", raw_data())


@pytest.mark.parametrize("sentiment", ["lexicon", "trained"])
def test_the_future_changes_no_feature(entry, tmp_path, sentiment):
    config = ALL_ON.model_copy(update={"sentiment": sentiment})
    first = make_features(config, open_tuning(entry))
    other_entry = prepared(tmp_path / "other", raw_data(future_seed=5))
    second = make_features(config, open_tuning(other_entry))
    targets = [open_tuning(folder).validation.target for folder in (entry, other_entry)]
    assert not np.array_equal(*targets), "the test moves nothing"
    assert first.shapes == second.shapes
    assert first.tables.keys() == {"item_features", "people", "taste"}
    for name, table in first.tables.items():
        np.testing.assert_array_equal(table, second.tables[name], err_msg=name)
    for name in ("sentiment", "profiles"):
        np.testing.assert_array_equal(
            getattr(first.data.train, name), getattr(second.data.train, name), err_msg=name
        )


def test_each_table_has_a_row_of_padding(entry):
    features = make_features(ALL_ON, open_tuning(entry))
    for name, table in features.tables.items():
        assert len(table) == N_MOVIES + 1, name
        assert not table[0].any(), name
        assert np.isfinite(table).all(), name
    assert features.shapes.n_item_features == features.tables["item_features"].shape[1]
    assert features.shapes.max_people == features.tables["people"].shape[1]
    assert features.shapes.n_people == features.tables["people"].max()
    assert features.shapes.n_profile_codes == features.data.train.profiles.max()


def test_batches_carry_sentiment_and_profiles(entry):
    features = make_features(ALL_ON, open_tuning(entry))
    train = features.data.train
    for batch in window_batches(train, history_length=4, batch_size=8, seed=1, epoch=0):
        histories = batch.histories
        inside = torch.arange(histories.items.shape[1]) < histories.lengths[:, None]
        assert torch.equal(histories.sentiment.isnan(), ~inside)
        assert histories.profiles.shape == (len(histories.items), 3)
    (batch,) = query_batches(features.data.validation, batch_size=64)
    for row, query in enumerate(batch.index.tolist()):
        user = features.data.validation.user[query]
        start, stop = train.offsets[user : user + 2]
        n_events = stop - start
        assert batch.histories.sentiment[row, :n_events].numpy() == pytest.approx(train.sentiment[start:stop])
        assert batch.histories.profiles[row].tolist() == train.profiles[user].tolist()


def test_cut_batches_keep_their_columns(entry):
    features = make_features(ALL_ON, open_tuning(entry))
    (batch,) = query_batches(features.data.validation, batch_size=64)
    last = batch.histories.last(2)
    assert torch.equal(last.sentiment, batch.histories.sentiment[:, -2:])
    assert torch.equal(last.profiles, batch.histories.profiles)


@pytest.mark.parametrize("sentiment", ["lexicon", "trained"])
def test_test_queries_get_the_scorer_of_the_training_part(entry, sentiment):
    config = ALL_ON.model_copy(update={"sentiment": sentiment})
    data = open_tuning(entry)
    test = query_features(config, data, open_held_out(entry).test)
    n_events = data.train.lengths[0]
    assert len(test.sequences.sentiment) == test.sequences.n_events == N_USERS * (n_events + 1)
    assert np.isfinite(test.sequences.sentiment).all()
    if sentiment == "lexicon":  # a trained scorer judges training reviews by four fifths of them
        before = make_features(config, data).data.train.sentiment
        np.testing.assert_array_equal(test.sequences.sentiment[:n_events], before[:n_events])


def test_a_saved_classifier_takes_the_place_of_one_trained_here(entry, tmp_path):
    save_scorer(fit_scorer([PRAISE, PRAISE, BLAME, BLAME], [True, True, False, False]), tmp_path)
    own = make_features(ALL_ON.model_copy(update={"sentiment": "trained"}), open_tuning(entry))
    named = ALL_ON.model_copy(update={"sentiment": "trained", "sentiment_model": str(tmp_path)})
    saved = make_features(named, open_tuning(entry))
    assert not np.array_equal(own.data.train.sentiment, saved.data.train.sentiment)


def test_slow_parts_are_made_once(entry, monkeypatch):
    first = make_features(ALL_ON, open_tuning(entry))
    monkeypatch.setattr(assemble, "tfidf_vectors", lambda *_: pytest.fail("made again"))
    monkeypatch.setattr(assemble, "LexiconScorer", lambda: pytest.fail("scored again"))
    second = make_features(ALL_ON, open_tuning(entry))
    np.testing.assert_array_equal(first.tables["item_features"], second.tables["item_features"])


def test_nothing_is_read_where_nothing_is_on(entry):
    data = open_tuning(entry)
    features = make_features(FeatureConfig(), replace(data, directory=entry / "absent"))
    assert features.data.train is data.train
    assert features.shapes == NO_SIDE
    assert not features.tables


@pytest.mark.parametrize(
    ("switch", "missing"),
    [
        ({"genres": True}, "no genres"),
        ({"year": True}, "no years"),
        ({"people": True}, "no directors or actors"),
        ({"profile": True}, "no age, gender or occupation"),
        ({"sentiment": "lexicon"}, "no reviews"),
    ],
)
def test_data_without_what_is_switched_on_are_refused(tmp_path, switch, missing):
    raw = raw_data()
    bare = RawDataset(replace(raw.interactions, review=None))
    data = open_tuning(prepared(tmp_path / "bare", bare))
    with pytest.raises(DataError, match=missing):
        make_features(FeatureConfig(**switch), data)
