"""The count prior: the log of the windowed Markov scores, beside any network.

Shapes: V catalogue.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltune.data.sequences import to_histories
from reeltune.errors import BundleError
from reeltune.metrics.evaluate import rank_queries
from reeltune.models import prior as prior_module
from reeltune.models.baselines.fit import fit_baseline
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.prior import CountPrior
from reeltune.models.registry import build_network
from reeltune.serving.bundle.bundle import export_bundle
from reeltune.serving.bundle.onnx_model import check_parity, write_onnx
from reeltune.serving.bundle.weights import as_stored
from reeltune.serving.recommend.recommender import Recommender
from reeltune.training.checkpoint import load_network
from reeltune.training.config import TrainingConfig
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.run import run_trial
from serving_parts import make_catalogue, make_ledger, make_parts

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
# One is longer than the 30 movies that the table is asked for.
HISTORIES = to_histories([[3, 9, 1], [5], [1 + (7 * t) % 40 for t in range(37)], [2, 2, 7, 8]])


@pytest.fixture
def filled(tiny_data):
    prior = CountPrior(1.5, tiny_data.n_items)
    prior.fill(tiny_data.train)
    return prior


def test_adds_the_weighted_log_of_the_windowed_markov_scores(filled, tiny_data):
    markov = fit_baseline("windowed-markov", tiny_data.train, tiny_data.n_items)
    expected = 1.5 * torch.log(markov.scores(HISTORIES)[:, 1:] + 0.001)
    found = filled(HISTORIES)
    assert found.shape == (4, tiny_data.n_items + 1)
    assert found.dtype == torch.float32
    assert not found[:, 0].any()
    torch.testing.assert_close(found[:, 1:], expected, rtol=1e-5, atol=1e-5)


def test_large_catalogues_take_a_sparse_product_with_the_same_result(filled, monkeypatch):
    dense = filled(HISTORIES)
    monkeypatch.setattr(prior_module, "_DENSE_CELLS", 0)
    torch.testing.assert_close(filled(HISTORIES), dense, rtol=1e-5, atol=1e-5)


def test_takes_the_size_of_the_state_that_is_loaded(filled, tiny_data):
    other = CountPrior(1.5, tiny_data.n_items)
    other(HISTORIES)
    other.load_state_dict(filled.state_dict())
    assert torch.equal(other(HISTORIES), filled(HISTORIES))
    with pytest.raises(RuntimeError, match="size mismatch for row_starts"):
        CountPrior(1.0, 3).load_state_dict(filled.state_dict())


def test_is_no_parameter(filled):
    assert not list(filled.parameters())


def _config(weight: float) -> TrialConfig:
    return TrialConfig(
        model=GRUConfig(embedding_dim=16, hidden_dim=16, count_prior=weight),
        training=TrainingConfig(max_epochs=2, batch_size=32, history_length=32),
    )


def test_a_trial_trains_the_same_network_and_scores_with_the_training_table(tiny_data, tmp_path, monkeypatch):
    queries = tiny_data.validation
    results = {
        weight: run_trial(
            _config(weight), tiny_data, lambda _: None, directory=tmp_path / str(weight), seed=3
        )
        for weight in (0.0, 1.0)
    }
    without, with_prior = (load_network(tmp_path / str(w) / "best.ckpt") for w in results)
    same = zip(without.parameters(), with_prior.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same), "the prior enters the training"
    assert results[0.0].n_parameters == results[1.0].n_parameters
    counted = CountPrior(1.0, tiny_data.n_items)
    counted.fill(tiny_data.train)
    assert torch.equal(with_prior.prior.transitions, counted.transitions)
    expected = without.scores(HISTORIES) + counted(HISTORIES)
    torch.testing.assert_close(with_prior.scores(HISTORIES), expected)
    assert results[1.0].metrics["ndcg@10"] > results[0.0].metrics["ndcg@10"]
    # The script tells of every weight from the checkpoint without the prior.
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    ranks = importlib.import_module("prior_weights").ranks_by_weight(without, tiny_data, (0.0, 1.0))
    for weight, found in ranks.items():
        assert np.array_equal(
            found, rank_queries(load_network(tmp_path / str(weight) / "best.ckpt"), queries)
        )


def test_the_table_counts_the_training_events_and_nothing_else(filled, tiny_data):
    assert filled.transitions.sum() == pytest.approx(_expected_mass(tiny_data.train), rel=1e-5)
    assert tiny_data.validation.known().n_events == tiny_data.train.n_events


def _expected_mass(train) -> float:
    """Return the sum of all row shares: each row's own sum over itself plus the shrinkage."""
    rows = torch.zeros(int(train.items.max()) + 1, dtype=torch.float64)
    for start, stop in zip(train.offsets[:-1], train.offsets[1:], strict=True):
        items = train.items[start:stop].tolist()
        for place, item in enumerate(items):
            rows[item] += sum(0.7**lag for lag in range(min(20, len(items) - place - 1)))
    return float((rows / (rows + 100.0)).sum())


@pytest.mark.parametrize("weight_format", ["float32", "int8"])
def test_bundle_and_state_and_onnx_score_alike(filled, weight_format, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    torch.manual_seed(0)
    config = GRUConfig(embedding_dim=8, hidden_dim=12, count_prior=1.5)
    network = build_network(config, filled.n_items).eval()
    network.prior.load_state_dict(filled.state_dict())
    stored = as_stored(network, weight_format)
    parts = make_parts(
        network=network,
        catalogue=make_catalogue(filled.n_items),
        ledger=make_ledger(filled.n_items),
        weight_format=weight_format,
    )
    recommender = Recommender.load(export_bundle(parts, tmp_path / "bundle"))
    assert torch.equal(recommender.bundle.network.prior.transitions, filled.transitions)
    codes = [1 + (7 * t) % 40 for t in range(36)]
    state = recommender.start()
    for n, code in enumerate(codes, start=1):
        state.add(f"id:{recommender.catalogue.item_ids[code - 1]}")
        expected = stored.scores(to_histories([codes[:n]]))[0, 1:].detach().double().numpy()
        np.testing.assert_allclose(state.scores()[1:], expected, rtol=0, atol=1e-5)
    write_onnx(stored, tmp_path / "model.onnx")
    assert check_parity(stored, tmp_path / "model.onnx")["largest_difference"] < 1e-4


def test_a_table_too_large_for_an_onnx_file_is_refused(tmp_path):
    network = build_network(GRUConfig(embedding_dim=2, hidden_dim=2, count_prior=1.0), 30_000)
    with pytest.raises(BundleError, match="leave ONNX out with --no-onnx"):
        write_onnx(network, tmp_path / "model.onnx")
