import pytest
import torch

from reeltune.data.batch import TrainingBatch
from reeltune.data.sequences import to_histories
from reeltune.errors import DivergedError
from reeltune.models.registry import MODELS, models_of
from reeltune.training.base import parameter_groups
from reeltune.training.config import TrainingConfig
from reeltune.training.next_item import NextItemModule


def make(name: str = "gru", **training) -> NextItemModule:
    model = MODELS[name].config_class(embedding_dim=6, hidden_dim=8, dropout=0.0, embedding_dropout=0.0)
    return NextItemModule(
        model.plain(), TrainingConfig(**({"label_smoothing": 0.0} | training)).plain(), n_items=9
    )


def batch_of(*rows: list[int]) -> TrainingBatch:
    return TrainingBatch(
        to_histories([row[:-1] for row in rows]), to_histories([row[1:] for row in rows]).items
    )


def test_the_loss_is_the_mean_over_positions_without_padding():
    module = make()
    module.on_train_batch_start(batch_of([1, 2]), 0)
    whole = module.training_step(batch_of([1, 2, 3, 4], [5, 6]), 0)
    parts = module.training_step(batch_of([1, 2, 3, 4]), 1), module.training_step(batch_of([5, 6]), 2)
    torch.testing.assert_close(whole, (3 * parts[0] + parts[1]) / 4)
    log_chances = torch.log_softmax(module.network.scores(to_histories([[5]])), dim=1)
    torch.testing.assert_close(parts[1], -log_chances[0, 6])
    assert module.train_loss == pytest.approx(whole.item())


def test_a_loss_that_is_not_finite_names_epoch_and_step():
    module = make()
    torch.nn.init.constant_(module.network.head.bias, float("nan"))
    module.on_train_batch_start(batch_of([1, 2]), 0)
    with pytest.raises(DivergedError, match=r"the loss is nan at epoch 1, step 1; lower the learning rate"):
        module.training_step(batch_of([1, 2]), 0)


@pytest.mark.parametrize("name", models_of("network"))
def test_every_parameter_is_in_one_group(name):
    network = make(name).network
    groups = parameter_groups(network, 0.1)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert decays[id(network.head.bias)] == decays[id(network.head.norm.weight)] == 0.0
    assert decays[id(network.head.projection.weight)] == 0.1


def test_hyperparameters_are_plain():
    module = make()
    assert set(module.hparams) == {"model", "training", "n_items", "seed", "side"}
    assert all(type(v) in {int, float, str} for v in module.hparams["training"].values())
