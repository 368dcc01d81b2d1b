from dataclasses import replace

import lightning.pytorch as pl
import pytest
import torch
from data_parts import rows
from torch import nn

from reeltune.data.config import DataConfig
from reeltune.data.datamodule import MovieLensDataModule, ReviewsDataModule, SequenceDataModule
from reeltune.data.interactions import RawDataset
from reeltune.data.store import open_tuning, write_dataset
from reeltune.data.texts import Texts
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
    trainer.fit(module, datamodule=MovieLensDataModule(data, history_length=8, batch_size=4, seed=5))
    first, second = module.seen[0], module.seen[1]
    assert first != second
    assert sum(first) == sum(second)
    assert module.n_queries == 2 * data.validation.n_queries


def test_loaders_know_their_number_of_batches(data):
    module = MovieLensDataModule(data, history_length=8, batch_size=4, seed=5)
    loader = module.train_dataloader()
    assert len(loader) == sum(1 for _ in loader)


def test_reviews_are_needed_for_a_module_of_reviews(tiny_data, tmp_path):
    with pytest.raises(DataError, match="synthetic holds no review texts; take rotten-tomatoes"):
        ReviewsDataModule(tiny_data, history_length=8, batch_size=4, seed=1)
    values = [(u, 10 + t, 3, t) for u in (1, 2) for t in range(6)]
    plain = rows(*values)
    reviewed = replace(plain, review=Texts.of(["text"] * len(values)))
    write_dataset(tmp_path / "e", RawDataset(reviewed), DataConfig(dataset="synthetic", k_core=1))
    module = ReviewsDataModule(open_tuning(tmp_path / "e"), history_length=8, batch_size=4, seed=1)
    (batch,) = module.train_dataloader()
    assert batch.histories.items.shape == (2, 3)


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
