import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from reeltune.tuning.search.samplers import from_unit, random_points, shuffled, sobol_points

DISTRIBUTIONS = [
    FloatDistribution(-2.0, 3.0),
    FloatDistribution(1e-5, 1e2, log=True),
    FloatDistribution(0.1, 0.9, step=0.2),
    IntDistribution(3, 17),
    IntDistribution(1, 512, log=True),
    IntDistribution(2, 10, step=4),
    CategoricalDistribution(["a", 2, True]),
]
units = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
@given(unit=units)
def test_values_are_of_the_distribution(distribution, unit):
    value = from_unit(unit, distribution)
    assert distribution._contains(distribution.to_internal_repr(value))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS[3:], ids=str)
def test_every_value_is_reached_its_share_of_times(distribution):
    values = [from_unit(unit, distribution) for unit in np.linspace(0, 1, 20001)[:-1]]
    counts = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    if isinstance(distribution, IntDistribution) and distribution.log:
        assert set(counts) == set(range(1, 513))
        below = sum(count for value, count in counts.items() if value <= 16)
        assert below / len(values) == pytest.approx(np.log(16.5 / 0.5) / np.log(512.5 / 0.5), abs=0.01)
    else:
        assert max(counts.values()) - min(counts.values()) <= 2


@pytest.mark.parametrize("points", [random_points, sobol_points])
def test_points_depend_on_the_number_alone(points):
    forward = [points(3, number)(4) for number in range(8)]
    backward = [points(3, number)(4) for number in reversed(range(8))][::-1]
    assert np.array_equal(forward, backward)
    assert all(((point >= 0) & (point < 1)).all() for point in forward)
    assert len({tuple(point) for point in forward}) == 8


def test_sobol_points_fill_the_square_evenly():
    points = np.stack([sobol_points(5, number)(2) for number in range(64)])
    counts, *_ = np.histogram2d(*points.T, bins=4, range=[[0, 1], [0, 1]])
    assert (counts == 4).all()


def test_an_order_visits_each_place_once():
    assert sorted(shuffled(9, 4, number) for number in range(9)) == list(range(9))
    assert shuffled(9, 4, 9) == shuffled(9, 4, 0)
