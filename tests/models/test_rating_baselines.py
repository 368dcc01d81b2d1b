import numpy as np
import pytest

from reeltune.data.prepared import Sequences
from reeltune.data.ratings import known_ratings
from reeltune.errors import ConfigError
from reeltune.models.baselines.fit import fit_rating_baseline
from reeltune.models.rating import baselines as rating_baselines
from reeltune.models.rating.baselines import BiasesConfig, RatingBaseline
from reeltune.models.registry import MODELS, Package, models_of

N_USERS, N_ITEMS = 30, 12


def world(seed=1):
    """Return ratings that follow from a bias of each user and movie and one factor of each."""
    rng = np.random.default_rng(seed)
    people, movies = rng.normal(size=(2, N_USERS)), rng.normal(size=(2, N_ITEMS + 1))
    items = np.concatenate([rng.permutation(np.arange(1, N_ITEMS + 1)) for _ in range(N_USERS)])
    user = np.repeat(np.arange(N_USERS), N_ITEMS)
    stars = 3 + 0.5 * people[0][user] + 0.5 * movies[0][items] + people[1][user] * movies[1][items]
    offsets = np.arange(0, len(items) + 1, N_ITEMS)
    return known_ratings(
        Sequences(items.astype(np.int32), stars.astype(np.float32), np.arange(len(items)), offsets)
    )


@pytest.mark.parametrize("name", models_of("rating baseline"))
def test_predicts_each_question_the_same_whatever_its_order(name):
    if name in ("svd", "svd++"):
        pytest.importorskip("surprise")
    train = world()
    first, second = (fit_rating_baseline(name, train, N_ITEMS, seed=4).predict(train) for _ in range(2))
    assert first.dtype == np.float32
    assert first.shape == (train.n_ratings,)
    assert np.isfinite(first).all()
    assert np.array_equal(first, second)


def error(name):
    train = world()
    return float(
        np.sqrt(np.mean((fit_rating_baseline(name, train, N_ITEMS).predict(train) - train.stars) ** 2))
    )


def test_biases_beat_the_mean():
    assert error("biases") < 0.95 * error("global-mean")


def test_factors_beat_biases():
    pytest.importorskip("surprise")
    assert error("svd") < error("biases")


def test_biases_solve_their_normal_equations():
    train = world()
    config = BiasesConfig(user_regularization=5.0, item_regularization=3.0, max_epochs=500)
    model = fit_rating_baseline(config, train, N_ITEMS)
    rest = train.stars - model.predict(train)
    for u in range(N_USERS):
        assert rest[train.user == u].sum() == pytest.approx(5.0 * model.user_bias[u], abs=1e-3)
    for i in range(1, N_ITEMS + 1):
        assert rest[train.item == i].sum() == pytest.approx(3.0 * model.item_bias[i], abs=1e-3)


@pytest.mark.parametrize("name", ["svd", "svd++"])
def test_the_arrays_predict_what_surprise_does(name):
    surprise = pytest.importorskip("surprise")
    train = world()
    config = MODELS[name].config_class(embedding_dim=3, max_epochs=4)
    model = fit_rating_baseline(config, train, N_ITEMS, seed=9)
    algorithm = {"svd": surprise.SVD, "svd++": surprise.SVDpp}[name](
        n_factors=3, n_epochs=4, lr_all=config.learning_rate, reg_all=0.02, random_state=9
    )
    algorithm.fit(rating_baselines._trainset(train, N_ITEMS))
    asked = zip(train.user.tolist(), train.item.tolist(), strict=True)
    expected = [algorithm.estimate(user, item) for user, item in asked]
    np.testing.assert_allclose(model.predict(train), expected, rtol=1e-5)


@pytest.mark.parametrize("name", models_of("rating baseline"))
def test_comes_back_from_its_tables(name):
    if name in ("svd", "svd++"):
        pytest.importorskip("surprise")
    model = fit_rating_baseline(name, world(), N_ITEMS, seed=4)
    again = RatingBaseline.from_tables(model.tables())
    assert again.bounds == model.bounds
    np.testing.assert_array_equal(again.predict(world()), model.predict(world()))
    with pytest.raises(KeyError):
        RatingBaseline.from_tables({})


def test_a_missing_package_or_name_is_told(monkeypatch):
    monkeypatch.setattr(Package, "is_installed", False)
    with pytest.raises(ConfigError, match=r'pip install "reeltune\[ratings\]"'):
        fit_rating_baseline("svd", world(), N_ITEMS)
    with pytest.raises(ConfigError, match="did you mean 'biases'"):
        fit_rating_baseline("biase", world(), N_ITEMS)
