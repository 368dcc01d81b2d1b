"""The config of data and protocol."""

from __future__ import annotations

from pydantic import Field, field_validator

from reeltune.config import Config
from reeltune.data.datasets import DATASETS
from reeltune.data.splits import SPLITS
from reeltune.errors import unknown_name

__all__ = ["DATASETS", "DataConfig"]


class DataConfig(Config):
    """Which data, and everything in their preparation that changes a number."""

    dataset: str
    """Name in the registry of data sets; see ``reeltune data list``."""
    split: str = "leave-one-out"
    """How events are parted into training, validation and test."""
    k_core: int = Field(default=5, ge=1)
    """Movies with fewer interactions are dropped; at least 1, which keeps all."""
    min_user_events: int = Field(default=3, ge=3)
    """Users with fewer events on the movies kept are dropped; at least 3, or they could not be split."""

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, value: str) -> str:
        if value not in DATASETS:
            raise ValueError(unknown_name("dataset", value, DATASETS))
        return value

    @field_validator("split")
    @classmethod
    def _known_split(cls, value: str) -> str:
        if value not in SPLITS:
            raise ValueError(unknown_name("split", value, SPLITS))
        return value
