"""How a rating network is built and trained."""

from __future__ import annotations

from pydantic import Field

from reeltune.config import Config
from reeltune.data.features.config import FeatureConfig
from reeltune.models.gru import GRUConfig
from reeltune.models.rating import RatingHeadConfig
from reeltune.models.registry import ModelConfig
from reeltune.training.config import TrainingConfig

__all__ = ["RatingTrainingConfig"]


class RatingTrainingConfig(Config):
    """A rating network and how it is trained."""

    model: ModelConfig = Field(
        default_factory=lambda: GRUConfig(inputs=FeatureConfig(rating=True, time_gap=True))
    )
    """The network whose states the head reads."""
    head: RatingHeadConfig = RatingHeadConfig()
    """The head that rates a candidate."""
    training: TrainingConfig = TrainingConfig(batch_size=32, max_epochs=20, patience=4, weight_decay=0.1)
    """Optimiser, schedule and stopping; a batch holds whole people, ``history_length`` counts for nothing."""
    next_movie_weight: float = Field(default=0.0, ge=0.0, le=100.0)
    """Weight of the next-movie cross-entropy beside the squared error, 0 (stars alone) to 100."""
