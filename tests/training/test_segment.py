"""A training cut into legs: each begins with the weights, averages and moments of the one before."""

import pytest
import torch

import reeltune.training.base as module_file
from reeltune.data.datamodule import SequenceDataModule
from reeltune.errors import StudyError
from reeltune.metrics.registry import parse_metric
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.base import Segment, take_moments
from reeltune.training.checkpoint import read_checkpoint
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import BEST_CHECKPOINT, LAST_CHECKPOINT
from reeltune.training.fit import fit
from reeltune.training.next_item import NextItemModule

STILL = {"learning_rate": 1e-30, "weight_decay": 0.0}
"""Settings under which no weight moves."""


def train(data, directory, leg, *, report=lambda _: None, seed=1, dropout=0.0, **training):
    torch.manual_seed(seed)
    quick = {"batch_size": 64, "history_length": 16, "max_epochs": 4, "learning_rate": 0.02}
    config = TrainingConfig(**(quick | training))
    model = GRUConfig(embedding_dim=8, hidden_dim=12, dropout=dropout)
    module = NextItemModule(model.plain(), config.plain(), data.n_items, seed)
    batches = SequenceDataModule(
        data, history_length=config.history_length, batch_size=config.batch_size, seed=seed
    )
    return fit(
        module, batches, directory=directory, objective=parse_metric("ndcg@10"), report=report, segment=leg
    )


@pytest.mark.parametrize("ema_decay", [0.0, 0.8])
def test_a_leg_begins_where_its_origin_ended(tiny_data, tmp_path, ema_decay):
    first = train(tiny_data, tmp_path / "a", Segment(0, 2), ema_decay=ema_decay)
    assert [epoch.epoch for epoch in first.epochs] == [1, 2]
    assert first.reason == "ran epochs 1 to 2 of 4"
    origin = tmp_path / "a" / LAST_CHECKPOINT
    # Other sizes of batches and another dropout are no part of the weights.
    second = train(
        tiny_data, tmp_path / "b", Segment(2, 3, origin), seed=2, ema_decay=ema_decay, batch_size=32,
        dropout=0.2, **STILL,
    )  # fmt: skip
    assert [epoch.epoch for epoch in second.epochs] == [3]
    before, after = read_checkpoint(origin), read_checkpoint(tmp_path / "b" / LAST_CHECKPOINT)
    for name, weight in before["state_dict"].items():
        assert torch.equal(weight, after["state_dict"][name]), name
    if not ema_decay:  # a moving average goes on moving towards the weights
        assert second.epochs[0].metrics == first.epochs[-1].metrics
    else:
        assert after["average"]["n_updates"] > before["average"]["n_updates"] > 0


def test_the_learning_rate_takes_the_course_of_the_whole_training(tiny_data, tmp_path, monkeypatch):
    asked = []
    factor = module_file.learning_rate_factor
    monkeypatch.setattr(
        module_file, "learning_rate_factor", lambda c, step, n: asked.append((step, n)) or factor(c, step, n)
    )
    train(tiny_data, tmp_path / "whole", None)
    whole, asked[:] = sorted(set(asked)), []
    train(tiny_data, tmp_path / "a", Segment(0, 1))
    train(tiny_data, tmp_path / "b", Segment(1, 4, tmp_path / "a" / LAST_CHECKPOINT))
    assert sorted(set(asked)) == whole
    assert len({n for _, n in whole}) == 1


def test_moments_are_taken_over_and_settings_are_not():
    def optimizer(rate):
        weight = torch.nn.Parameter(torch.ones(3, 2))
        return weight, torch.optim.AdamW([weight], lr=rate, fused=True)

    weight, old = optimizer(0.1)
    weight.sum().backward()
    old.step()
    other, new = optimizer(0.5)
    take_moments(new, old.state_dict())
    assert new.param_groups[0]["lr"] == 0.5
    assert torch.equal(new.state[other]["exp_avg"], old.state[weight]["exp_avg"])
    assert new.state[other]["step"] == 1


def test_a_killed_leg_goes_on_as_if_it_had_not_been(tiny_data, tmp_path):
    train(tiny_data, tmp_path / "origin", Segment(0, 1))
    leg = Segment(1, 4, tmp_path / "origin" / LAST_CHECKPOINT)
    whole = train(tiny_data, tmp_path / "whole", leg, dropout=0.3)

    class Killed(Exception):
        pass

    def kill(epoch):
        if epoch.epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        train(tiny_data, tmp_path / "killed", leg, dropout=0.3, report=kill)
    told = []
    resumed = train(tiny_data, tmp_path / "killed", leg, dropout=0.3, report=told.append)
    assert [epoch.epoch for epoch in told] == [2, 3, 4]
    assert [e.metrics for e in resumed.epochs] == [e.metrics for e in whole.epochs]
    for name in (LAST_CHECKPOINT, BEST_CHECKPOINT):
        weights = [read_checkpoint(tmp_path / run / name)["state_dict"] for run in ("whole", "killed")]
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_patience_ends_no_leg(tiny_data, tmp_path):
    found = train(tiny_data, tmp_path, Segment(0, 3), patience=1, max_epochs=9, **STILL)
    assert len(found.epochs) == 3


def test_an_origin_that_is_gone_is_told(tiny_data, tmp_path):
    with pytest.raises(StudyError, match=r"cannot read the checkpoint .*gone"):
        train(tiny_data, tmp_path, Segment(1, 2, tmp_path / "gone"))
