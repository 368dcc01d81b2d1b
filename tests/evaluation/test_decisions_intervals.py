import numpy as np
import pytest

from reeltune.evaluation.analyses.decisions import FIGURES, decision_intervals
from reeltune.metrics.rating import decide, rating_errors


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    actual = rng.integers(1, 6, 300).astype(np.float32)
    predicted = np.clip(actual + rng.normal(0, 1, (2, 300)), 1, 5).round(1).astype(np.float32)
    return predicted, actual, rng.integers(0, 40, 300)


def test_values_are_those_of_the_plain_figures(sample):
    predicted, actual, users = sample
    found = decision_intervals(predicted[:1], actual, users, threshold=4.0)
    plain = decide(predicted[0], actual, 4.0)
    for name in ("accuracy", "precision", "recall", "f1", "mcc", "roc_auc", "star_accuracy"):
        assert found[name].value == pytest.approx(getattr(plain, name)), name
    errors = rating_errors(predicted[0], actual)
    assert found["rmse"].value == pytest.approx(errors["rmse"])
    assert found["mae"].value == pytest.approx(errors["mae"])
    assert set(found) == {*FIGURES, "roc_auc"}


def test_several_seeds_give_their_mean(sample):
    predicted, actual, users = sample
    both = decision_intervals(predicted, actual, users, threshold=4.0)
    each = [decision_intervals(row[None], actual, users, threshold=4.0) for row in predicted]
    for name, of in both.items():
        assert of.value == pytest.approx(np.mean([one[name].value for one in each]))
        assert of.low < of.value < of.high


def test_people_are_drawn_whole(sample):
    predicted, actual, _ = sample
    apart = decision_intervals(predicted[:1], actual, np.arange(300), threshold=4.0)["rmse"]
    # The same questions, each asked ten times of the same person: nothing new is known.
    tenfold = decision_intervals(
        np.tile(predicted[:1], 10), np.tile(actual, 10), np.tile(np.arange(300), 10), threshold=4.0
    )["rmse"]
    assert (tenfold.low, tenfold.high) == pytest.approx((apart.low, apart.high))


def test_what_has_no_meaning_has_no_figure():
    actual = np.array([5.0, 1.0, 4.0, 2.0], dtype=np.float32)
    found = decision_intervals(np.full((1, 4), 2.0, dtype=np.float32), actual, np.arange(4), threshold=4.0)
    assert found["precision"] is None
    assert found["mcc"] is None
    assert found["recall"].value == 0.0
    assert found["roc_auc"].value == 0.5
