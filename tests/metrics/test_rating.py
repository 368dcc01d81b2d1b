import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from reeltune.data.scale import RatingScale
from reeltune.metrics.rating import decide, rating_errors, star_matrix

pairs = st.lists(
    st.tuples(st.integers(2, 10).map(lambda h: h / 2), st.integers(1, 5).map(float)), min_size=2, max_size=40
)


@pytest.mark.slow
@given(pairs, st.sampled_from([3.0, 3.5, 4.0]))
def test_figures_equal_scikit_learns(values, threshold):
    predicted, actual = map(np.array, zip(*values, strict=True))
    found = decide(predicted, actual, threshold)
    truth, guess = actual >= threshold, predicted >= threshold
    assert found.accuracy == pytest.approx(reference.accuracy_score(truth, guess))
    assert [list(row) for row in found.matrix] == reference.confusion_matrix(
        truth, guess, labels=[False, True]
    ).tolist()
    if guess.any():
        assert found.precision == pytest.approx(reference.precision_score(truth, guess))
    if truth.any():
        assert found.recall == pytest.approx(reference.recall_score(truth, guess))
        assert found.f1 == pytest.approx(reference.f1_score(truth, guess))
    if found.mcc is not None:
        assert found.mcc == pytest.approx(reference.matthews_corrcoef(truth, guess))
    if truth.any() and not truth.all():
        assert found.roc_auc == pytest.approx(reference.roc_auc_score(truth, predicted))
    share = max(truth.mean(), 1 - truth.mean())
    assert found.majority["accuracy"] == pytest.approx(share)
    assert sum(b.n for b in found.calibration) == found.n == len(values)


def test_what_has_no_meaning_is_none():
    found = decide(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    assert (found.precision, found.recall, found.f1, found.mcc, found.roc_auc) == (None,) * 5
    assert found.accuracy == 1.0
    assert found.majority["accuracy"] == 1.0


def test_star_classes_are_the_nearest_halves_upwards():
    matrix = star_matrix(np.array([0.2, 1.5, 2.49, 9.0, 4.5]), np.array([1.0, 1.0, 2.0, 5.0, 4.0]))
    expected = np.zeros((5, 5), dtype=int)
    expected[0, 0] = expected[0, 1] = expected[1, 1] = expected[4, 4] = expected[3, 4] = 1
    assert matrix.tolist() == expected.tolist()
    found = decide(np.array([0.2, 1.5, 2.49, 9.0, 4.5]), np.array([1.0, 1.0, 2.0, 5.0, 4.0]))
    assert found.star_accuracy == pytest.approx(3 / 5)
    assert found.majority_star_accuracy == pytest.approx(2 / 5)


def test_calibration_tells_what_was_given_where_so_much_was_predicted():
    found = decide(np.array([1.1, 1.3, 4.8]), np.array([1.0, 2.0, 4.0]))
    low, high = found.calibration
    assert (low.n, low.mean_predicted, low.mean_actual, low.share_liked) == (2, pytest.approx(1.2), 1.5, 0.0)
    assert (high.n, high.share_liked) == (1, 1.0)
    assert found.calibration_error == pytest.approx((2 * 0.3 + 0.8) / 3)
    assert found.plain()["calibration"][0]["n"] == 2


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="no predictions"):
        decide(np.array([]), np.array([]))


def test_the_classes_of_another_scale_are_told_apart():
    ten = RatingScale(lowest=1, highest=10, step=1)
    actual = np.array([5.0, 6.0, 8.0, 10.0])
    found = decide(actual, actual, ten.like_threshold, ten.classes)
    assert (found.threshold, found.star_accuracy) == (8.0, 1.0)
    assert len(found.star_matrix) == len(found.plain()["classes"]) == 10
    assert [row.index(1) for row in found.star_matrix if any(row)] == [4, 5, 7, 9]


any_pairs = st.lists(st.tuples(st.floats(1, 5), st.floats(1, 5)), min_size=1, max_size=30)


@given(any_pairs)
def test_errors_equal_plain_loops(values):
    predicted, actual = map(np.array, zip(*values, strict=True))
    found = rating_errors(predicted, actual)
    squares = [(p - a) ** 2 for p, a in values]
    assert found["rmse"] == pytest.approx((sum(squares) / len(values)) ** 0.5, abs=1e-9)
    assert found["mae"] == pytest.approx(sum(abs(p - a) for p, a in values) / len(values), abs=1e-9)


@pytest.mark.parametrize(
    ("predicted", "actual", "message"),
    [([], [], "no predictions"), ([1.0], [1.0, 2.0], "1 predictions for 2"), ([np.nan], [1.0], "is nan")],
)
def test_what_cannot_be_compared_is_refused(predicted, actual, message):
    with pytest.raises(ValueError, match=message):
        rating_errors(np.array(predicted), np.array(actual))
