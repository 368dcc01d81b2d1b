"""The vector of a history by iALS and BPR against plain references."""

import numpy as np
import pytest
import torch
from test_neighbours import as_sequences

from reeltune.data.sequences import to_histories
from reeltune.errors import ConfigError
from reeltune.models.baselines.factors import BPR, IALS, BPRConfig, IALSConfig
from reeltune.models.baselines.fit import fit_baseline
from reeltune.models.registry import Package

N_ITEMS = 6
TRAIN = as_sequences([[1, 2, 3]] * 8 + [[4, 5, 6]] * 8 + [[1, 3, 2], [4, 6, 5]])


def test_ials_solves_the_weighted_least_squares_of_a_history():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(N_ITEMS + 1, 3)).astype(np.float32)
    vectors[0] = 0
    config = IALSConfig(embedding_dim=3, confidence=4.0, regularization=2.0)
    model = IALS(config, vectors, np.zeros(N_ITEMS + 1, np.float32))
    scores = model.scores(to_histories([[2, 5]]))[0, 1:]
    weight, wanted = np.ones(N_ITEMS + 1), np.zeros(N_ITEMS + 1)
    weight[[2, 5]], wanted[[2, 5]] = 4.0, 1.0
    root = np.sqrt(weight)[:, None]
    left = np.vstack([root * vectors, np.sqrt(2.0) * np.eye(3)])
    right = np.concatenate([root[:, 0] * wanted, np.zeros(3)])
    person = np.linalg.lstsq(left, right, rcond=None)[0]
    torch.testing.assert_close(
        scores, torch.tensor(vectors[1:] @ person, dtype=torch.float32), rtol=1e-3, atol=1e-4
    )


def test_bpr_descends_its_loss():
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(N_ITEMS + 1, 3)).astype(np.float32)
    bias = rng.normal(size=N_ITEMS + 1).astype(np.float32)

    def loss(n_steps):
        config = BPRConfig(embedding_dim=3, n_fold_in_steps=n_steps, regularization=0.0)
        found = BPR(config, vectors, bias).scores(to_histories([[2, 5]]))[0].numpy()
        margin = found[[2, 5]] - found[1:].mean()
        return np.log1p(np.exp(-margin)).mean()

    assert loss(1) > loss(5) > loss(50)


@pytest.mark.parametrize("name", ["ials", "bpr"])
def test_learns_which_movies_go_together(name):
    pytest.importorskip("implicit")
    config = {"ials": IALSConfig, "bpr": BPRConfig}[name](embedding_dim=4, max_epochs=20)
    scores = fit_baseline(config, TRAIN, N_ITEMS, seed=3).scores(to_histories([[1], [5]]))
    assert scores[0, [2, 3]].min() > scores[0, [4, 5, 6]].max()
    assert scores[1, [4, 6]].min() > scores[1, [1, 2, 3]].max()


@pytest.mark.parametrize("name", ["ials", "bpr"])
def test_a_missing_package_is_named_with_its_remedy(name, monkeypatch):
    monkeypatch.setattr(Package, "is_installed", False)
    with pytest.raises(ConfigError, match=r'pip install "reeltune\[baselines\]"'):
        fit_baseline(name, TRAIN, N_ITEMS)
