"""A trial reads side information: it learns what only that tells, and ranks queries beyond training."""

import numpy as np
import pytest

from reeltune.data.config import DataConfig
from reeltune.data.features.assemble import query_features
from reeltune.data.interactions import Interactions, Movies, RawDataset, Users
from reeltune.data.store import open_held_out, open_tuning, write_dataset
from reeltune.data.texts import Texts
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import ranking_metrics
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.checkpoint import load_network
from reeltune.training.config import TrainingConfig
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.job import count_parameters
from reeltune.tuning.trial.run import run_trial

N_USERS, N_MOVIES, N_EVENTS = 120, 32, 12
pytestmark = pytest.mark.slow

TRAINING = TrainingConfig(batch_size=32, max_epochs=14, learning_rate=0.02, history_length=16)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return walks over pairs of movies: praise leads to the first of the next pair, blame to the second."""
    rng = np.random.default_rng(2)
    is_praise = rng.random((N_USERS, N_EVENTS)) < 0.5
    came_from = np.concatenate([rng.random((N_USERS, 1)) < 0.5, is_praise[:, :-1]], axis=1)
    pair = (rng.integers(N_MOVIES // 2, size=(N_USERS, 1)) + np.arange(N_EVENTS)) % (N_MOVIES // 2)
    item = 2 * pair + np.where(came_from, 1, 2)
    rating = np.where(is_praise, 5.0, 1.0).astype(np.float32)
    movies = range(1, N_MOVIES + 1)
    raw = RawDataset(
        Interactions(
            user=np.repeat(np.arange(1, N_USERS + 1, dtype=np.int32), N_EVENTS),
            item=item.ravel().astype(np.int32),
            rating=rating.ravel(),
            timestamp=np.where(came_from, 50, 5000).cumsum(axis=1).ravel(),  # praise makes impatient
            review=Texts.of(["wonderful fun" if good else "terrible bore" for good in is_praise.ravel()]),
        ),
        Movies(
            tuple(map(str, movies)),
            tuple(f"Film {i}" for i in movies),
            (1990,) * N_MOVIES,
            (("Drama",),) * N_MOVIES,
        ),
        Users(
            tuple(map(str, range(1, N_USERS + 1))), (30,) * N_USERS, ("F",) * N_USERS, ("artist",) * N_USERS
        ),
    )
    folder = tmp_path_factory.mktemp("pairs") / "entry"
    write_dataset(folder, raw, DataConfig(dataset="synthetic", k_core=1))
    return open_tuning(folder)


def trial(data, directory, **inputs):
    model = GRUConfig(embedding_dim=16, hidden_dim=24, dropout=0.0, embedding_dropout=0.0, inputs=inputs)
    config = TrialConfig(model=model, training=TRAINING, objective="hr@1")
    return run_trial(config, data, lambda _: None, directory=directory, seed=1)


@pytest.mark.parametrize(
    "inputs", [{"rating": True}, {"request_time": True}, {"sentiment": "lexicon"}, {"sentiment": "trained"}]
)
def test_learns_what_only_the_input_tells(data, tmp_path, inputs):
    test = open_held_out(data.directory).test
    for name, switches in (("without", {}), ("with", inputs)):
        (tmp_path / name).mkdir()
        trial(data, tmp_path / name, **switches)
    hits = {}
    for name in ("without", "with"):
        network = load_network(tmp_path / name / "best.ckpt")
        ranks = rank_queries(network, query_features(network.side.config, data, test))
        hits[name] = ranking_metrics(ranks, ks=(1,))["hr@1"]
    assert hits["with"] > hits["without"] + 0.25


def test_all_inputs_at_once_and_a_resumed_trial(data, tmp_path):
    inputs = {
        "rating": True,
        "time_gap": True,
        "request_time": True,
        "sentiment": "lexicon",
        "genres": True,
        "year": True,
        "text": "tfidf",
        "profile": True,
        "taste": True,
        "in_output": True,
    }
    first = trial(data, tmp_path, **inputs)
    again = trial(data, tmp_path, **inputs)
    assert again.metrics == first.metrics
    assert np.isfinite(list(first.metrics.values())).all()


def test_weights_are_counted_without_data():
    plain, rated = (
        count_parameters({"model": {"name": "gru", "inputs": {"rating": rating}}}, N_MOVIES)
        for rating in (False, True)
    )
    assert rated == plain + 11 * GRUConfig().embedding_dim
