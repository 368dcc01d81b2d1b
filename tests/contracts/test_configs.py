"""What every configuration class of models and training must do."""

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError

from reeltune.models.rating.network import RatingHeadConfig
from reeltune.models.registry import MODELS
from reeltune.training.config import RatingTrainingConfig, TrainingConfig
from reeltune.tuning.trial.config import RatingTrialConfig, TrialConfig

CLASSES = [entry.config_class for entry in MODELS.values()]
CLASSES += [TrainingConfig, RatingHeadConfig, RatingTrainingConfig, TrialConfig, RatingTrialConfig]
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


@each_class
def test_every_field_is_described(cls):
    for name, field in cls.model_fields.items():
        assert field.description, name


@each_class
def test_every_number_has_a_closed_or_open_range(cls):
    for name, field in cls.model_fields.items():
        if field.annotation in {int, float}:
            kinds = {type(limit) for limit in field.metadata}
            assert kinds & {Ge, Gt}, name
            assert kinds & {Le, Lt}, name


@each_class
def test_unknown_keys_and_other_types_are_refused(cls):
    with pytest.raises(ValidationError, match="Extra inputs"):
        cls(no_such_field=1)
    for name, field in cls.model_fields.items():
        if field.annotation is int:
            with pytest.raises(ValidationError, match="valid integer"):
                cls(**{name: "1"})


@each_class
def test_plain_values_make_the_same_config(cls):
    assert cls.model_validate(cls().plain()) == cls()
