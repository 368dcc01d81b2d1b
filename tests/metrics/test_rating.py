import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.metrics.rating import rating_errors

pairs = st.lists(st.tuples(st.floats(1, 5), st.floats(1, 5)), min_size=1, max_size=30)


@given(pairs)
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
