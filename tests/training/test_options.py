"""Every field of the training config changes what is trained."""

import numpy as np
import pytest
import torch

from reeltune.data.sequences import window_batches
from reeltune.data.store import open_tuning
from reeltune.metrics.evaluate import rank_queries
from reeltune.models.baselines.popularity import count_items
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.registry import MODELS, models_of
from reeltune.training.checkpoint import load_network
from reeltune.training.config import TrainingConfig
from reeltune.training.next_item import NextItemModule
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.run import run_trial
from synthetic_parts import synthetic_tuning_data

pytestmark = pytest.mark.slow


BASE = {"max_epochs": 1, "batch_size": 8, "history_length": 8, "n_negatives": 8}
MOVED: dict[str, tuple[dict, object]] = {
    "learning_rate": ({}, 0.02),
    "weight_decay": ({}, 0.0),
    "batch_size": ({}, 16),
    "max_epochs": ({}, 2),
    "history_length": ({}, 4),
    "schedule": ({}, "linear"),
    "warmup_fraction": ({}, 0.5),
    "gradient_clip": ({}, 0.01),
    "ema_decay": ({}, 0.2),
    "label_smoothing": ({}, 0.2),
    "item_masking": ({}, 0.3),
    "loss": ({}, "bpr-max"),
    "n_negatives": ({"loss": "sampled-softmax"}, 9),
    "negative_exponent": ({"loss": "top1-max"}, 0.0),
    "bpr_penalty": ({"loss": "bpr-max"}, 0.0),
    "gbce_calibration": ({"loss": "gbce"}, 0.0),
    "precision": ({}, "mixed"),
}
"""What a field is moved to, and what must be set for it to matter."""


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Return the data of some twenty people."""
    folder = tmp_path_factory.mktemp("few")
    return open_tuning(synthetic_tuning_data(folder, n_users=20, n_items=30, mean_length=9))


@pytest.fixture(scope="module")
def outcome(few, tmp_path_factory):
    """Return a function from training fields to the weights after training; equal fields train once."""
    known: dict[str, torch.Tensor] = {}

    def train(**fields):
        training = TrainingConfig(**(BASE | fields))
        key = training.model_dump_json()
        if key not in known:
            config = TrialConfig(model=GRUConfig(embedding_dim=6, hidden_dim=8), training=training)
            folder = tmp_path_factory.mktemp("run")
            result = run_trial(config, few, lambda _: None, directory=folder, seed=3)
            assert result.state is TrialState.COMPLETE, result.reason
            network = load_network(folder / "best.ckpt")
            assert all(torch.isfinite(p).all() for p in network.parameters())
            known[key] = network.item_vectors()
        return known[key]

    return train


def test_each_field_is_tested_here():
    assert TrainingConfig.model_fields.keys() == MOVED.keys() | {"patience"}  # test_fit.py has patience


@pytest.mark.parametrize("name", MOVED)
def test_each_field_has_an_effect(name, outcome):
    setting, value = MOVED[name]
    assert not torch.equal(outcome(**setting), outcome(**setting, **{name: value}))


def test_draws_and_masks_are_functions_of_the_seed(few, tmp_path):
    fields = BASE | {"loss": "gbce", "item_masking": 0.2, "max_epochs": 1}
    config = TrialConfig(model=GRUConfig(embedding_dim=6, hidden_dim=8), training=TrainingConfig(**fields))
    vectors = []
    for number in range(2):
        run_trial(config, few, lambda _: None, directory=tmp_path / str(number), seed=3)
        vectors.append(load_network(tmp_path / str(number) / "best.ckpt").item_vectors())
    assert torch.equal(*vectors)


def test_what_is_validated_and_kept_are_the_averaged_weights(few, tmp_path):
    """The ranks of the trial are those of the checkpoint, with an average that differs from the weights."""
    config = TrialConfig(
        model=GRUConfig(embedding_dim=6, hidden_dim=8), training=TrainingConfig(**BASE, ema_decay=0.9)
    )
    run_trial(config, few, lambda _: None, directory=tmp_path, seed=3)
    ranks = rank_queries(load_network(tmp_path / "best.ckpt"), few.validation)
    assert np.array_equal(ranks, np.load(tmp_path / "validation_ranks.npy"))


@pytest.mark.parametrize("name", models_of("network"))
@pytest.mark.parametrize("loss", ["softmax", "sampled-softmax"])
def test_every_network_trains_in_mixed_precision(name, loss, few):
    torch.manual_seed(0)
    model = MODELS[name].config_class(embedding_dim=16, hidden_dim=16, n_layers=2)
    training = TrainingConfig(loss=loss, n_negatives=8)
    module = NextItemModule(model.plain(), training.plain(), few.n_items)
    module.sample_from(count_items(few.train, few.n_items))
    module.eval()  # no dropout: only the rounding differs
    (batch,) = window_batches(few.train, history_length=64, batch_size=64, seed=1, epoch=0)
    torch.manual_seed(1)
    exact = module.training_step(batch, 0)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = module.training_step(batch, 0)
    assert rounded != exact
    assert rounded.item() == pytest.approx(exact.item(), rel=0.02)
    rounded.backward()
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.dtype == torch.float32
        assert torch.isfinite(parameter.grad).all(), parameter_name
