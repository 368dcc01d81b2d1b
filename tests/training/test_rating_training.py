import numpy as np
import pytest

from reeltune.data.features.config import FeatureConfig
from reeltune.data.prepared import Sequences
from reeltune.data.ratings import known_ratings
from reeltune.errors import DivergedError
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.rating.network import RatingHeadConfig
from reeltune.training.rating import fit_ratings, predict_ratings
from reeltune.training.rating_config import RatingOptimizer, RatingTrainingConfig

N_ITEMS = 10


def world(n_users=60, seed=1):
    """Return people who rate a movie as they rated the last one, but for the odd movies: those by 2 less."""
    rng = np.random.default_rng(seed)
    items = rng.integers(1, N_ITEMS + 1, (n_users, 15))
    mood = np.repeat(rng.integers(3, 6, (n_users, 3)), 5, axis=1)  # changes twice in a history
    stars = mood - 2.0 * (items % 2)
    return known_ratings(
        Sequences(
            items.ravel().astype(np.int32),
            stars.ravel().astype(np.float32),
            np.arange(items.size),
            np.arange(0, items.size + 1, 15),
        )
    )


def config(**changes):
    plain = RatingTrainingConfig(
        head=RatingHeadConfig(factors=4, dropout=0.0, people=False),
        training=RatingOptimizer(
            batch_size=8, ema_decay=0.0, max_epochs=12, learning_rate=0.02, weight_decay=0.0, patience=12
        ),
    ).plain()
    plain["model"] |= {"embedding_dim": 8, "hidden_dim": 16, "dropout": 0.0, "embedding_dropout": 0.0}
    plain["model"]["inputs"] |= {"time_gap": False}
    return RatingTrainingConfig.model_validate(plain | changes)


def rmse(predicted, ratings):
    return float(np.sqrt(np.mean((predicted - ratings.stars) ** 2)))


@pytest.fixture(scope="module")
def fitted():
    return fit_ratings(config(), world(), world(seed=2), N_ITEMS, seed=5)


def test_the_state_tells_the_mood_that_no_bias_knows(fitted):
    test = world(seed=3)
    best_bias = np.where(test.item % 2 == 1, test.stars[test.item % 2 == 1].mean(), 0)
    best_bias = np.where(test.item % 2 == 0, test.stars[test.item % 2 == 0].mean(), best_bias)
    assert rmse(predict_ratings(fitted.network, test), test) < 0.8 * rmse(best_bias, test)
    assert fitted.validation_rmse[-1] < fitted.validation_rmse[0]


def test_the_network_is_that_of_the_best_epoch(fitted):
    validation = world(seed=2)
    found = rmse(predict_ratings(fitted.network, validation), validation)
    assert found == pytest.approx(min(fitted.validation_rmse), abs=1e-6)
    assert not fitted.network.training


def test_the_same_seed_trains_the_same_network():
    short = config(training=RatingOptimizer(batch_size=8, max_epochs=1))
    runs = [fit_ratings(short, world(), world(seed=2), N_ITEMS, seed=s) for s in (1, 1, 2)]
    assert runs[0].validation_rmse == runs[1].validation_rmse != runs[2].validation_rmse


def test_the_next_movie_can_be_learned_beside_the_stars():
    short = RatingOptimizer(batch_size=8, max_epochs=1)
    alone, joint = (
        fit_ratings(config(training=short, next_movie_weight=weight), world(), world(seed=2), N_ITEMS, seed=1)
        for weight in (0.0, 1.0)
    )
    moved = [
        bool((fit.network.network.head.bias != 0).any()) for fit in (alone, joint)
    ]  # the softmax's own bias
    assert moved == [False, True]
    assert np.isfinite(joint.validation_rmse).all()


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_without_validation_the_last_epoch_is_kept_and_the_schedule_stays(decay):
    training = RatingOptimizer(batch_size=8, max_epochs=4, patience=4, ema_decay=decay)
    seen = fit_ratings(config(training=training), world(), world(seed=2), N_ITEMS, seed=1)
    best = 1 + int(np.argmin(seen.validation_rmse))
    blind = fit_ratings(config(training=training), world(), None, N_ITEMS, seed=1, n_epochs=best)
    assert blind.validation_rmse == []
    test = world(seed=3)
    np.testing.assert_array_equal(predict_ratings(blind.network, test), predict_ratings(seen.network, test))


def test_penalties_hold_factors_and_biases_back():
    lengths = {}
    for penalty in (0.0, 1.0):
        training = RatingOptimizer(batch_size=8, max_epochs=3, factor_penalty=penalty, bias_penalty=penalty)
        head = fit_ratings(config(training=training), world(), world(seed=2), N_ITEMS, seed=1).network.head
        lengths[penalty] = (head.item_factors.weight.norm().item(), head.item_bias.weight.norm().item())
    assert all(held < free for held, free in zip(lengths[1.0], lengths[0.0], strict=True))


def test_predictions_stay_on_the_scale(fitted):
    found = predict_ratings(fitted.network, world(seed=3), bounds=(2.0, 3.0))
    assert found.min() >= 2.0
    assert found.max() <= 3.0


def test_a_loss_that_is_not_finite_ends_the_training():
    wild = config(training=RatingOptimizer(batch_size=8, max_epochs=3, learning_rate=1.0, gradient_clip=0.0))
    ratings = world()
    ratings.stars[:] *= np.float32(1e30)
    with pytest.raises(DivergedError, match="lower the learning rate"):
        fit_ratings(wild, ratings, ratings, N_ITEMS, seed=1)


def test_averaged_weights_are_validated_and_kept():
    plain, averaged = (
        fit_ratings(
            config(training=RatingOptimizer(batch_size=8, max_epochs=2, ema_decay=decay)),
            world(),
            world(seed=2),
            N_ITEMS,
            seed=1,
        )
        for decay in (0.0, 0.9)
    )
    assert plain.validation_rmse != averaged.validation_rmse
    validation = world(seed=2)
    found = rmse(predict_ratings(averaged.network, validation), validation)
    assert found == pytest.approx(min(averaged.validation_rmse), abs=1e-6)


def test_inputs_that_need_a_table_are_refused():
    with pytest.raises(ValueError, match=r"model\.inputs\.genres: a rating network reads rating and"):
        RatingTrainingConfig(model=GRUConfig(inputs=FeatureConfig(genres=True)))
