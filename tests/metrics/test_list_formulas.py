"""The measures of lists against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.prepared import PAD
from reeltune.metrics import lists as formulas

N_ITEMS, N_GENRES = 7, 3


@st.composite
def cases(draw):
    k = draw(st.integers(1, 4))
    n = draw(st.integers(1, 6))
    lists = np.zeros((n, k), dtype=np.int32)
    for row in lists:
        found = draw(st.lists(st.integers(1, N_ITEMS), max_size=k, unique=True))
        row[: len(found)] = found
    counts = np.array([0, *draw(st.lists(st.integers(0, 9), min_size=N_ITEMS, max_size=N_ITEMS))])
    bits = st.lists(st.sampled_from([0.0, 1.0]), min_size=N_GENRES, max_size=N_GENRES)
    genres = np.array([[0.0] * N_GENRES, *(draw(bits) for _ in range(N_ITEMS))])
    profiles = [draw(st.lists(st.integers(1, N_ITEMS), max_size=5)) for _ in range(n)]
    return lists, counts, genres, profiles


def movies(row):
    return [int(item) for item in row if item]


def means(profiles, table):
    empty = np.full(np.shape(table)[1:], np.nan)
    return np.array([np.mean([table[i] for i in p], axis=0) if p else empty for p in profiles])


def slow_novelty(lists, counts):
    bits = [[-math.log2(min(max(counts[i], 0.5) / 9, 1)) for i in movies(row)] for row in lists]
    return [np.mean(row) if row else math.nan for row in bits]


def slow_lift(lists, counts, profiles):
    found = []
    for row, profile in zip(lists, profiles, strict=True):
        seen = np.mean([counts[i] for i in profile]) if profile else 0.0
        listed = [counts[i] for i in movies(row)]
        found.append((np.mean(listed) - seen) / seen if seen > 0 and listed else math.nan)
    return found


def slow_diversity(lists, genres):
    found = []
    for row in lists:
        known = [genres[i] for i in movies(row) if genres[i].any()]
        pairs = [(a, b) for i, a in enumerate(known) for b in known[i + 1 :]]
        cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]
        found.append(1 - np.mean(cosines) if pairs else math.nan)
    return found


def mixture(items, genres):
    total = np.zeros(N_GENRES)
    for item in items:
        if genres[item].any():
            total += genres[item] / genres[item].sum()
    return total / total.sum() if total.any() else None


def slow_calibration(lists, genres, profiles):
    found = []
    for row, profile in zip(lists, profiles, strict=True):
        p, q = mixture(profile, genres), mixture(movies(row), genres)
        if p is None or q is None:
            found.append(math.nan)
            continue
        mixed = 0.99 * q + 0.01 * p
        found.append(sum(a * math.log(a / b) for a, b in zip(p, mixed, strict=True) if a > 0))
    return found


def slow_gini(lists):
    places = [sum(movies(row).count(item) for row in lists) for item in range(1, N_ITEMS + 1)]
    if not sum(places):
        return math.nan
    return sum(abs(a - b) for a in places for b in places) / (2 * N_ITEMS * sum(places))


@pytest.mark.parametrize("cells", [1, 4_000_000])
def test_the_measures_equal_plain_loops(cells, monkeypatch):
    monkeypatch.setattr(formulas, "_CELLS", cells)

    @given(cases())
    def check(case):
        lists, counts, genres, profiles = case
        shares = np.array([row / row.sum() if row.any() else row for row in genres])
        near = {"nan_ok": True, "abs": 1e-9}
        assert formulas.list_means(lists, formulas.surprise(counts, 9)) == pytest.approx(
            slow_novelty(lists, counts), **near
        )
        lift = formulas.popularity_lift(lists, counts, means(profiles, counts))
        assert lift == pytest.approx(slow_lift(lists, counts, profiles), **near)
        found = formulas.intra_list_diversity(lists, genres)
        assert found == pytest.approx(slow_diversity(lists, genres), **near)
        found = formulas.calibration(lists, genres, means(profiles, shares))
        assert found == pytest.approx(slow_calibration(lists, genres, profiles), **near)
        assert formulas.gini(lists, N_ITEMS) == pytest.approx(slow_gini(lists), **near)
        listed = {i for row in lists for i in movies(row)}
        assert formulas.coverage(lists, N_ITEMS) == pytest.approx(len(listed) / N_ITEMS)

    check()


def test_known_values():
    lists = np.array([[1, 2], [3, 0], [0, 0]])
    counts = np.array([0, 8, 4, 1])
    assert formulas.list_means(lists, formulas.surprise(counts, 8)) == pytest.approx(
        [0.5, 3.0, math.nan], nan_ok=True
    )
    lift = formulas.popularity_lift(lists, counts, np.array([4.0, 2.0, 1.0]))
    assert lift == pytest.approx([0.5, -0.5, math.nan], nan_ok=True)
    assert formulas.gini(np.full((5, 2), 2), 4) == pytest.approx(1 - 1 / 4)
    assert formulas.gini(np.array([[1, 2], [3, 4]]), 4) == 0.0


def test_a_hit_of_the_obvious_list_is_no_surprise():
    lists, obvious = np.array([[1, 2], [1, 2], [1, 2]]), np.array([[2, 3], [3, 4], [3, 4]])
    assert formulas.serendipity(lists, obvious, np.array([2, 2, 5])).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("cells", [1, 50, 4_000_000])
def test_profile_means_equal_a_loop(tiny_data, cells, monkeypatch):
    monkeypatch.setattr(formulas, "_CELLS", cells)
    queries = tiny_data.validation
    table = np.random.default_rng(0).random((tiny_data.n_items + 1, 3))
    expected = [table[queries.history(m)].mean(axis=0) for m in range(queries.n_queries)]
    assert formulas.profile_means(queries, table) == pytest.approx(np.array(expected))
    assert formulas.profile_means(queries, table[:, 0]) == pytest.approx(np.array(expected)[:, 0])


def test_coverage_counts_each_movie_once_and_no_padding():
    assert formulas.coverage(np.array([[1, 2], [2, 1], [3, PAD]]), 6) == 0.5


def test_novelty_is_the_mean_surprise():
    bits = formulas.surprise(np.array([0, 8, 4, 1, 0]), 8)
    assert bits[1:].tolist() == [0.0, 1.0, 3.0, 4.0]
    assert formulas.novelty(np.array([[1, 2], [3, PAD]]), bits) == pytest.approx(4 / 3)
    assert formulas.novelty(np.array([[PAD]]), bits) == 0.0
