import lightning.pytorch as pl
import pytest
import torch
from torch import nn

from reeltune.data.datamodule import SequenceDataModule
from reeltune.data.store import open_tuning
from reeltune.errors import DataError
from synthetic_parts import synthetic_tuning_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_tuning(
        synthetic_tuning_data(tmp_path_factory.mktemp("data"), n_users=40, n_items=60, mean_length=15)
    )


class Recorder(pl.LightningModule):
    """Counts what it is given; learns nothing of use."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.seen = {}
        self.n_queries = 0

    def training_step(self, batch, _):
        order = self.seen.setdefault(self.current_epoch, [])
        order.append(batch.targets.sum().item())
        return self.layer(torch.ones(1, 1)).sum()

    def validation_step(self, batch, _):
        self.n_queries += len(batch.targets)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # lightning against torch 2.13
def test_a_trainer_sees_all_positions_in_a_new_order_each_epoch(data, tmp_path):
    module = Recorder()
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=tmp_path,
    )
    trainer.fit(module, datamodule=SequenceDataModule(data, history_length=8, batch_size=4, seed=5))
    first, second = module.seen[0], module.seen[1]
    assert first != second
    assert sum(first) == sum(second)
    assert module.n_queries == 2 * data.validation.n_queries


def test_loaders_know_their_number_of_batches(data):
    module = SequenceDataModule(data, history_length=8, batch_size=4, seed=5)
    loader = module.train_dataloader()
    assert len(loader) == sum(1 for _ in loader)


def test_a_module_of_reviews_needs_them(tmp_path):
    with pytest.raises(DataError, match="synthetic holds no review texts; take rotten-tomatoes"):
        SequenceDataModule.reviews("synthetic")
    lines = [f"u{u},m{t},good film" for u in (1, 2) for t in range(6)]
    (tmp_path / "own.csv").write_text("who,what,text\n" + "\n".join(lines) + "\n")
    module = SequenceDataModule.reviews(
        "csv",
        path=str(tmp_path / "own.csv"),
        columns={"user": "who", "item": "what", "review": "text"},
        k_core=1,
        history_length=8,
        batch_size=4,
    )
    (batch,) = module.train_dataloader()
    assert batch.histories.items.shape == (2, 3)
    assert module.data.train.reviews[0] == "good film"


def test_a_module_by_name_takes_the_fields_of_data():
    module = SequenceDataModule.of("synthetic", split={"name": "leave-last", "n_validation": 2, "n_test": 2})
    assert module.data.ledger.split == "leave-last(n_test=2, n_validation=2)"
    assert sum(len(batch.targets) for batch in module.val_dataloader()) == module.data.validation.n_queries
    with pytest.raises(ValueError, match="movielens-2k"):
        SequenceDataModule.movielens("2k")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_for_a_gpu_are_pinned(tiny_data):
    module = SequenceDataModule(tiny_data, history_length=8, batch_size=4, seed=1)
    module.trainer = pl.Trainer(accelerator="gpu", devices=1, logger=False, enable_checkpointing=False)
    for batch in (next(iter(module.train_dataloader())), next(iter(module.val_dataloader()))):
        assert batch.targets.is_pinned()
        assert batch.histories.items.is_pinned()
        moved = batch.to("cuda")
        assert moved.histories.items.device.type == "cuda"
        assert torch.equal(moved.targets.cpu(), batch.targets)
