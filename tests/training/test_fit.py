import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import Logger

from reeltune.data.datamodule import SequenceDataModule
from reeltune.errors import StudyError
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import parse_metric, ranking_metrics
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.checkpoint import load_network, read_checkpoint
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import BEST_CHECKPOINT, LAST_CHECKPOINT, VALIDATION_RANKS
from reeltune.training.fit import fit
from reeltune.training.next_item import NextItemModule

SMALL = GRUConfig(embedding_dim=8, hidden_dim=12)
QUICK = {"batch_size": 64, "history_length": 16, "max_epochs": 3, "learning_rate": 0.02}


def train(data, directory, *, report=lambda _: None, seed=1, objective="ndcg@10", loggers=(), **training):
    torch.manual_seed(seed)
    config = TrainingConfig(**(QUICK | training))
    module = NextItemModule(SMALL.plain(), config.plain(), data.n_items, seed)
    batches = SequenceDataModule(
        data, history_length=config.history_length, batch_size=config.batch_size, seed=seed
    )
    metric = parse_metric(objective)
    return fit(module, batches, directory=directory, objective=metric, report=report, loggers=loggers)


def weights_in(path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path)["state_dict"]


def are_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_learns_and_leaves_its_files(tiny_data, tmp_path):
    seen = []
    result = train(tiny_data, tmp_path, report=seen.append, max_epochs=8)
    assert result.reason == "ran all 8 epochs"
    assert result.epochs == seen
    assert [epoch.epoch for epoch in seen] == list(range(1, 9))
    assert seen[-1].train_loss < seen[0].train_loss
    assert all(epoch.seconds > 0 for epoch in seen)
    assert [epoch.best for epoch in seen] == np.maximum.accumulate(
        [e.metrics["ndcg@10"] for e in seen]
    ).tolist()
    assert {path.name for path in tmp_path.iterdir()} == {LAST_CHECKPOINT, BEST_CHECKPOINT, VALIDATION_RANKS}


def test_is_silent(tiny_data, tmp_path, capfd, caplog):
    train(tiny_data, tmp_path, max_epochs=1)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.parametrize("ema_decay", [0.0, 0.8])
def test_the_best_files_hold_the_best_epoch(tiny_data, tmp_path, ema_decay):
    result = train(tiny_data, tmp_path, max_epochs=6, ema_decay=ema_decay, learning_rate=0.1)
    best = max(result.epochs, key=lambda epoch: epoch.metrics["ndcg@10"])
    ranks = np.load(tmp_path / VALIDATION_RANKS)
    assert ranks.dtype == np.int32
    assert ranking_metrics(ranks) == best.metrics
    network = load_network(tmp_path / BEST_CHECKPOINT)
    assert np.array_equal(rank_queries(network, tiny_data.validation), ranks)


def test_checkpoints_hold_plain_values_and_lightning_loads_them(tiny_data, tmp_path):
    train(tiny_data, tmp_path, max_epochs=1, ema_decay=0.5)
    checkpoint = torch.load(tmp_path / LAST_CHECKPOINT, weights_only=True)
    assert {"optimizer_states", "lr_schedulers", "average", "epochs"} <= checkpoint.keys()
    module = NextItemModule.load_from_checkpoint(tmp_path / BEST_CHECKPOINT, weights_only=True)
    network = load_network(tmp_path / BEST_CHECKPOINT)
    assert are_equal(module.network.state_dict(), network.state_dict())


def test_patience_ends_training(tiny_data, tmp_path):
    result = train(tiny_data, tmp_path, learning_rate=1e-12, max_epochs=9, patience=2)
    assert len(result.epochs) == 3
    assert result.reason == "no better ndcg@10 in 2 epochs"
    again = train(tiny_data, tmp_path, learning_rate=1e-12, max_epochs=9, patience=2)
    assert again == result


@pytest.mark.parametrize("ema_decay", [0.0, 0.8])
@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
def test_a_resumed_run_is_the_uninterrupted_one(tiny_data, tmp_path, ema_decay, error):
    settings = {"max_epochs": 4, "ema_decay": ema_decay}
    whole = train(tiny_data, tmp_path / "whole", **settings)
    n_reports = []

    def interrupt(epoch):
        n_reports.append(epoch.epoch)
        if len(n_reports) in {1, 4, 8}:  # epochs 1, 3 and 4 of what is 1 | 1 2 3 | 1 2 3 4
            raise error

    for _ in range(3):
        with pytest.raises(error):
            train(tiny_data, tmp_path / "cut", report=interrupt, **settings)
    result = train(tiny_data, tmp_path / "cut", report=interrupt, **settings)
    assert n_reports == [1, 1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4]
    assert [epoch.metrics for epoch in result.epochs] == [epoch.metrics for epoch in whole.epochs]
    for name in (LAST_CHECKPOINT, BEST_CHECKPOINT):
        assert are_equal(weights_in(tmp_path / "whole" / name), weights_in(tmp_path / "cut" / name))
    assert np.array_equal(*(np.load(tmp_path / run / VALIDATION_RANKS) for run in ("whole", "cut")))


@pytest.mark.parametrize(
    "point", ["first batch", "before best", "between best and last", "before the report"]
)
def test_a_crash_at_any_point_of_an_epoch_does_no_harm(tiny_data, tmp_path, monkeypatch, point):
    import lightning.pytorch as pl

    from reeltune.training import callbacks

    train(tiny_data, tmp_path / "whole")

    def crash(*args, **kwargs):
        raise RuntimeError("crash")

    def report(epoch):
        if epoch.epoch == 1:
            targets = {
                "first batch": (NextItemModule, "training_step"),
                "before best": (callbacks, "write_checkpoint"),
                "between best and last": (pl.Trainer, "save_checkpoint"),
            }
            if point in targets:
                monkeypatch.setattr(*targets[point], crash)
        elif point == "before the report":
            crash()

    with pytest.raises(RuntimeError, match="crash"):
        train(tiny_data, tmp_path / "cut", report=report)
    monkeypatch.undo()
    train(tiny_data, tmp_path / "cut")
    for name in (LAST_CHECKPOINT, BEST_CHECKPOINT):
        assert are_equal(weights_in(tmp_path / "whole" / name), weights_in(tmp_path / "cut" / name))
    assert not list((tmp_path / "cut").glob(".*")), "a temporary file was left"


def test_a_folder_of_another_configuration_is_refused(tiny_data, tmp_path):
    train(tiny_data, tmp_path, max_epochs=1)
    with pytest.raises(StudyError, match="another configuration or seed"):
        train(tiny_data, tmp_path, max_epochs=2)
    with pytest.raises(StudyError, match="another configuration or seed"):
        train(tiny_data, tmp_path, max_epochs=1, seed=2)


class Memory(Logger):
    """Keeps what Lightning logs."""

    name, version = "memory", 0

    def __init__(self) -> None:
        self.rows, self.params = [], []

    def log_metrics(self, metrics, step=None):
        self.rows.append((step, metrics))

    def log_hyperparams(self, params, *args, **kwargs):
        self.params.append(params)


def test_loggers_receive_each_epoch(tiny_data, tmp_path):
    logger = Memory()
    result = train(tiny_data, tmp_path, max_epochs=2, loggers=[logger])
    rows = [(step, row) for step, row in logger.rows if "train_loss" in row]
    assert rows == [
        (e.epoch, {**e.metrics, "best": e.best, "train_loss": e.train_loss}) for e in result.epochs
    ]
    assert logger.params


def test_another_objective_and_cut_chooses_the_best(tiny_data, tmp_path):
    result = train(tiny_data, tmp_path, objective="mrr@3")
    assert result.epochs[-1].best == max(epoch.metrics["mrr@3"] for epoch in result.epochs)
    assert {"ndcg@10", "hr@10", "mrr@10", "mrr@3"} <= result.epochs[0].metrics.keys()
