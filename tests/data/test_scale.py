"""One scale of ratings, from the user's table to what reads a rating."""

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from reeltune.data.config import DataConfig
from reeltune.data.features.assemble import make_features
from reeltune.data.features.config import FeatureConfig, SideShapes
from reeltune.data.scale import RatingScale
from reeltune.data.sequences import to_histories
from reeltune.data.store import open_tuning, prepare
from reeltune.models.inputs import SideInputs

TEN = RatingScale(lowest=1, highest=10, step=1)
COLUMNS = {"user": "u", "item": "i", "rating": "r"}


def config_of(path, **columns):
    return DataConfig.model_validate(
        {"dataset": "csv", "path": str(path), "k_core": 1, "columns": COLUMNS | columns}
    )


@pytest.fixture
def table(tmp_path, _own_cache):
    lines = [f"{u},{i},{1 + (3 * u + i) % 10}" for u in range(6) for i in range(12)]
    (tmp_path / "r.csv").write_text("u,i,r\n" + "\n".join(lines) + "\n")
    return tmp_path / "r.csv"


def test_the_scale_of_a_table_reaches_ledger_and_network(table):
    data = open_tuning(prepare(config_of(table, lowest_rating=1.0, highest_rating=10.0)))
    assert data.ledger.scale == TEN
    assert data.train.ratings.max() == 10
    inputs = FeatureConfig(rating=True, taste=True)
    features = make_features(inputs, data)
    assert features.shapes.rating_scale == TEN
    assert SideShapes.model_validate(features.shapes.plain()) == features.shapes
    torch.manual_seed(1)
    side = SideInputs(inputs, features.shapes, data.n_items, 8)
    side.fill(features.tables)
    heard = [side(to_histories([[1]], ratings=[[float(r)]]))[0, 0] for r in range(1, 11)]
    for low, high in itertools.pairwise(heard):
        assert not torch.allclose(low, high)


def test_half_stars_are_read_as_ever(table):
    ledger = open_tuning(prepare(config_of(table, highest_rating=10.0, lowest_rating=0.5))).ledger
    assert (ledger.scale.lowest, ledger.scale.highest) == (0.5, 10.0)
    for scale in (RatingScale(), RatingScale(lowest=1, highest=5, step=1)):
        ratings = torch.tensor([0.5, 3.0, float("nan")])
        assert scale.to_stars(ratings) is ratings
        assert scale.like_threshold == 4.0
        assert scale.classes == (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("scale", "threshold", "n_classes"),
    [
        (TEN, 8.0, 10),
        (RatingScale(lowest=0, highest=10, step=0.5), 8.0, 11),
        (RatingScale(lowest=0, highest=100, step=1), 78.0, 11),
        (RatingScale(lowest=0, highest=1, step=1), 1.0, 2),
        (RatingScale(lowest=0, highest=5, step=0.5), 4.0, 6),
    ],
)
def test_what_counts_as_liked_lies_as_high_on_each_scale(scale, threshold, n_classes):
    assert scale.like_threshold == threshold
    assert len(scale.classes) == n_classes
    ends = scale.to_stars(np.array([scale.lowest, scale.highest, np.nan]))
    np.testing.assert_allclose(ends, [0.5, 5.0, np.nan])
    assert scale.holds(scale.highest)
    assert not scale.holds(scale.highest + 0.1)


def test_a_scale_must_rise_and_its_step_fit():
    with pytest.raises(ValidationError, match=r"lowest_rating 5.0 must be below highest_rating 4.0"):
        config_of("r.csv", lowest_rating=5.0, highest_rating=4.0)
    with pytest.raises(ValidationError, match=r"rating_step 20.0 is wider than the scale 0.5 to 10.0"):
        config_of("r.csv", highest_rating=10.0, rating_step=20.0)


def test_a_table_on_another_scale_is_prepared_again():
    stars = config_of("r.csv").protocol()
    assert "scale" not in stars
    assert config_of("r.csv", highest_rating=10.0).protocol()["scale"]["highest"] == 10.0
    assert "rating_step" not in stars["columns"]
    assert config_of("r.csv", rating_step=1.0).protocol()["columns"]["rating_step"] == 1.0
