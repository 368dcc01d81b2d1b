import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.prepare.vocabulary import encode, id_texts

NUMBERS = st.lists(st.integers(-5, 50) | st.integers(0, 2**40), min_size=1, max_size=50)


@given(NUMBERS)
def test_numbers_get_codes_in_rising_order(values):
    codes, distinct = encode(np.array(values, dtype=np.int64))
    assert distinct[codes].tolist() == values
    assert distinct.tolist() == sorted(set(values))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), min_size=1, max_size=50))
def test_texts_get_codes_in_rising_order(values):
    codes, distinct = encode(np.array(values, dtype=object))
    assert distinct[codes].tolist() == values
    assert distinct.tolist() == sorted(set(values))


def test_leading_zeros_stay():
    _, distinct = encode(np.array(["007", "7"], dtype=object))
    assert id_texts(distinct) == ("007", "7")
