"""Prepared synthetic data of any size."""

from pathlib import Path

from reeltune.data.config import DataConfig
from reeltune.data.store import write_dataset
from reeltune.data.synthetic import synthetic_data


def synthetic_tuning_data(
    directory: Path, *, n_users: int = 400, n_items: int = 200, mean_length: int = 40, seed: int = 17
) -> Path:
    """Write prepared synthetic data into ``directory`` and return the folder for ``open_tuning``."""
    data = synthetic_data(n_users=n_users, n_items=n_items, mean_length=mean_length, seed=seed)
    entry = directory / f"synthetic-{n_users}-{n_items}-{mean_length}-{seed}"
    if not entry.is_dir():
        write_dataset(entry, data.raw, DataConfig(dataset="synthetic", k_core=1))
    return entry
