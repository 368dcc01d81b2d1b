"""Networks that predict ratings, through the runner of every trial."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reeltune.data.config import DataConfig
from reeltune.data.features.config import FeatureConfig
from reeltune.data.prepare.folds import KFold
from reeltune.data.prepare.reduce import with_validation
from reeltune.data.prepared import Queries, Sequences
from reeltune.data.ratings import Ratings, known_ratings
from reeltune.data.store import open_held_out, open_tuning, prepare
from reeltune.errors import ConfigError, DataError, StudyError
from reeltune.models.baselines.fit import fit_rating_baseline
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.rating.network import RatingHeadConfig
from reeltune.training.base import Segment
from reeltune.training.checkpoint import read_checkpoint
from reeltune.training.config import RatingTrainingConfig
from reeltune.training.epochs import EpochReport
from reeltune.training.rating import load_rater
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.trial.config import RatingTrialConfig, trial_config
from reeltune.tuning.trial.run import run_trial

pytestmark = pytest.mark.slow


N_ITEMS = 10


def events(n_users=60, seed=1):
    """Return users who rate a movie as they rated the last one, but for the odd movies: those by 2 less."""
    rng = np.random.default_rng(seed)
    items = rng.integers(1, N_ITEMS + 1, (n_users, 15))
    mood = np.repeat(rng.integers(3, 6, (n_users, 3)), 5, axis=1)  # changes twice in a history
    ratings = mood - 2.0 * (items % 2)
    return Sequences(
        items.ravel().astype(np.int32),
        ratings.ravel().astype(np.float32),
        np.arange(items.size),
        np.arange(0, items.size + 1, 15),
    )


@pytest.fixture(scope="module")
def world(tiny_data):
    """Return the events of some users to learn from, those of others to be asked for."""
    others = events(seed=2)
    user = np.repeat(np.arange(others.n_users), others.lengths).astype(np.int32)
    asked = Queries(others, user, np.arange(others.n_events), others.items, others.ratings, others.timestamps)
    return replace(tiny_data, train=events(), validation=asked)


def config(training=None, **changes):
    defaults = {
        "batch_size": 8,
        "ema_decay": 0.0,
        "max_epochs": 12,
        "learning_rate": 0.02,
        "weight_decay": 0.0,
    }
    plain = RatingTrialConfig(
        head=RatingHeadConfig(factors=4, dropout=0.0, people=False),
        training=RatingTrainingConfig(**({**defaults, "patience": 12} if training is None else training)),
    ).plain()
    plain["model"] |= {"embedding_dim": 8, "hidden_dim": 16, "dropout": 0.0, "embedding_dropout": 0.0}
    plain["model"]["inputs"] |= {"time_gap": False}
    return trial_config(plain | changes)


def fit(data, folder, training=None, *, seed=1, segment=None, report=lambda _: None):
    epochs: list[EpochReport] = []

    def record(epoch):
        epochs.append(epoch)
        report(epoch)

    result = run_trial(config(training), data, record, directory=folder, seed=seed, segment=segment)
    return result, [epoch.metrics.get("rmse") for epoch in epochs]


def rmse(predicted, ratings):
    return float(np.sqrt(np.mean((predicted - ratings.stars) ** 2)))


@pytest.fixture(scope="module")
def fitted(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    return *fit(world, folder, seed=5), folder


def test_the_state_tells_the_mood_that_no_bias_knows(fitted):
    _, course, folder = fitted
    test = known_ratings(events(seed=3))
    best_bias = np.where(test.item % 2 == 1, test.stars[test.item % 2 == 1].mean(), 0)
    best_bias = np.where(test.item % 2 == 0, test.stars[test.item % 2 == 0].mean(), best_bias)
    assert rmse(load_rater(folder / "best.ckpt")(test), test) < 0.8 * rmse(best_bias, test)
    assert course[-1] < course[0]


def test_the_network_and_predictions_are_those_of_the_best_epoch(fitted, world):
    result, course, folder = fitted
    asked = Ratings.of(world.validation)
    found = load_rater(folder / "best.ckpt")(asked)
    np.testing.assert_array_equal(found, np.load(folder / "validation_predictions.npy"))
    assert result.metrics["rmse"] == min(course) == pytest.approx(rmse(found, asked), abs=1e-6)
    assert result.best_epoch == 1 + int(np.argmin(course))
    assert result.metrics["mae"] < result.metrics["rmse"]
    assert result.n_parameters > 0


def test_predictions_stay_on_the_scale(fitted):
    found = load_rater(fitted[2] / "best.ckpt")(known_ratings(events(seed=3)))
    assert found.min() >= 1.0
    assert found.max() <= 5.0


def test_the_same_seed_trains_the_same_network(world, tmp_path):
    short = {"batch_size": 8, "max_epochs": 1}
    runs = [fit(world, tmp_path / f"{k}", short, seed=seed)[1] for k, seed in enumerate((1, 1, 2))]
    assert runs[0] == runs[1] != runs[2]


class Killed(Exception):
    pass


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_a_killed_training_resumes_as_if_it_had_not_been(world, tmp_path, decay):
    training = {"batch_size": 8, "max_epochs": 4, "ema_decay": decay}
    whole = fit(world, tmp_path / "whole", training)

    def kill(epoch):
        if epoch.epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        fit(world, tmp_path / "cut", training, report=kill)
    again = fit(world, tmp_path / "cut", training)
    assert again[1] == whole[1]
    asked = known_ratings(events(seed=3))
    ratings = [load_rater(tmp_path / name / "best.ckpt")(asked) for name in ("whole", "cut")]
    np.testing.assert_array_equal(*ratings)


def test_the_next_movie_can_be_learned_beside_the_ratings(world, tmp_path):
    short = {"batch_size": 8, "max_epochs": 1}
    alone = fit(world, tmp_path / "alone", short)[1]
    joint = fit(world, tmp_path / "joint", short | {"next_movie_weight": 1.0})[1]
    assert alone != joint
    assert np.isfinite(joint).all()
    plain = config(short).plain()
    del plain["training"]["next_movie_weight"]  # where it stood before
    assert trial_config(plain | {"next_movie_weight": 2.0}).training.next_movie_weight == 2.0


@pytest.fixture(scope="module")
def fold():
    """Return the data of a fold, and the rows that are known when its test rows are asked for."""
    prepared = prepare(DataConfig(dataset="synthetic", split=KFold(n_folds=4), k_core=1))
    return open_tuning(prepared), open_held_out(prepared).test.sequences


def test_a_refit_trains_on_all_rows_that_are_not_test(fold):
    data, known = fold
    found = with_validation(data)
    for column in ("items", "ratings", "timestamps", "offsets"):
        np.testing.assert_array_equal(getattr(found.train, column), getattr(known, column))
    assert found.validation.n_queries == 0


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_a_refit_runs_the_epochs_of_the_whole_schedule_and_keeps_the_last(fold, tmp_path, decay):
    data, known = fold
    training = {"batch_size": 64, "max_epochs": 3, "ema_decay": decay}
    result, course = fit(data, tmp_path / "refit", training, segment=Segment(0, 2, is_refit=True))
    assert (result.state, result.best_epoch, course) == (TrialState.COMPLETE, 2, [None, None])
    # The same epochs of a training whose validation is of others: its weights do not depend on it.
    other = replace(data, train=known)
    seen: list[np.ndarray] = []

    def look(epoch):
        if epoch.epoch == 2:
            seen.append(read_checkpoint(tmp_path / "whole" / "last.ckpt"))
            raise Killed

    with pytest.raises(Killed):
        fit(other, tmp_path / "whole", training, report=look)
    weights = read_checkpoint(tmp_path / "refit" / "last.ckpt")["state_dict"]
    assert all(torch.equal(weights[name], of) for name, of in seen[0]["state_dict"].items())


def test_a_rating_baseline_is_refitted_and_has_no_other_segments(fold, tmp_path):
    data, known = fold
    biases = trial_config({"task": "rating", "model": {"name": "biases"}})
    refit = Segment(0, 1, is_refit=True)
    result = run_trial(biases, data, print, directory=tmp_path / "a", seed=1, segment=refit)
    assert result.metrics == {}
    asked = known_ratings(known)
    expected = fit_rating_baseline("biases", asked, data.n_items).predict(asked)
    np.testing.assert_array_equal(load_rater(tmp_path / "a" / "best.ckpt")(asked), expected)
    with pytest.raises(ConfigError, match="fitted in one go"):
        run_trial(biases, data, print, directory=tmp_path / "b", seed=1, segment=Segment(0, 1))


def test_penalties_hold_factors_and_biases_back(world, tmp_path):
    spread = {}
    for penalty in (0.0, 1.0):
        training = {"batch_size": 8, "max_epochs": 3, "factor_penalty": penalty, "bias_penalty": penalty}
        fit(world, tmp_path / f"{penalty}", training)
        spread[penalty] = load_rater(tmp_path / f"{penalty}" / "best.ckpt")(
            known_ratings(events(seed=3))
        ).std()
    assert spread[1.0] < spread[0.0]


def test_a_loss_that_is_not_finite_ends_the_trial(world, tmp_path):
    wild = {"batch_size": 8, "max_epochs": 3, "learning_rate": 1.0, "gradient_clip": 0.0}
    train = replace(world.train, ratings=world.train.ratings * np.float32(1e30))
    result, _ = fit(replace(world, train=train), tmp_path, wild)
    assert result.state is TrialState.DIVERGED
    assert "lower the learning rate" in result.reason


def test_data_without_ratings_are_refused(world, tmp_path):
    unrated = replace(world.train, ratings=np.full(world.train.n_events, np.nan, np.float32))
    with pytest.raises(DataError, match="no ratings to learn from"):
        fit(replace(world, train=unrated), tmp_path)


def test_inputs_that_need_a_table_are_refused():
    with pytest.raises(ValueError, match=r"model\.inputs\.genres: a rating network reads rating and"):
        RatingTrialConfig(model=GRUConfig(inputs=FeatureConfig(genres=True)))


def test_a_checkpoint_of_another_task_is_refused(tiny_data, tmp_path):
    run_trial(trial_config({"model": {"name": "popularity"}}), tiny_data, print, directory=tmp_path, seed=1)
    with pytest.raises(StudyError, match="holds no model of ratings"):
        load_rater(tmp_path / "best.ckpt")
