from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reeltune.errors import ConfigError
from reeltune.evaluation import compare
from reeltune.evaluation.compare import Comparison, Interval, compare_paired, mean_interval


def _ndcg(rng: np.random.Generator, n: int, strength: float) -> np.ndarray:
    ranks = rng.geometric(strength, size=n)
    return np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0)


def test_interval_agrees_with_scipy_bootstrap() -> None:
    values = _ndcg(np.random.default_rng(0), 400, 0.1)
    ours = mean_interval(values)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=5000, method="percentile", rng=1)
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=2e-3)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=2e-3)


def test_interval_covers_the_truth_about_95_times_in_100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "N_BOOTSTRAP", 1000)
    truth = float(np.mean(_ndcg(np.random.default_rng(99), 500_000, 0.1)))
    intervals = [mean_interval(_ndcg(np.random.default_rng(i), 200, 0.1)) for i in range(100)]
    covered = sum(i.low <= truth <= i.high for i in intervals)
    assert 88 <= covered <= 100


def test_p_value_agrees_with_full_enumeration() -> None:
    differences = np.array([0.4, 0.3, -0.1, 0.5, 0.2, 0.0, -0.2, 0.4, 0.3])
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product([1, -1], repeat=9)]
    exact = np.mean(np.array(sums) >= abs(differences.sum()) - 1e-9)
    found = compare_paired(differences, np.zeros(9), opponent_name="zero", metric="ndcg@10")
    assert found.p_value == pytest.approx(exact, abs=5e-3)


def test_p_value_agrees_with_scipy_permutation_test() -> None:
    rng = np.random.default_rng(4)
    a, b = _ndcg(rng, 300, 0.13), _ndcg(rng, 300, 0.10)
    theirs = stats.permutation_test(
        (a, b), lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", n_resamples=9999, rng=2
    )
    found = compare_paired(a, b, opponent_name="b", metric="ndcg@10")
    assert found.p_value == pytest.approx(theirs.pvalue, abs=0.015)


def test_p_value_is_uniform_when_nothing_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "N_FLIPS", 1999)
    monkeypatch.setattr(compare, "N_BOOTSTRAP", 10)
    p_values = []
    for i in range(40):
        rng = np.random.default_rng(i)
        found = compare_paired(_ndcg(rng, 80, 0.1), _ndcg(rng, 80, 0.1), opponent_name="x", metric="m")
        p_values.append(found.p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


@settings(max_examples=15)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=30), st.randoms())
def test_swapping_the_sides_turns_the_sign_only(values: list[float], random: object) -> None:
    shuffled = sorted(values, key=lambda _: random.random())  # type: ignore[attr-defined]
    one = compare_paired(values, shuffled, opponent_name="x", metric="m")
    other = compare_paired(shuffled, values, opponent_name="x", metric="m")
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert one.p_value == pytest.approx(other.p_value)
    assert 0 < one.p_value <= 1
    assert one.difference.low <= one.difference.value <= one.difference.high


def test_many_users_with_distinct_values_stay_in_bounds() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(0.02, 1, size=300)
    found = compare_paired(a, np.zeros(300), opponent_name="zero", metric="score")
    assert found.p_value == pytest.approx(stats.ttest_1samp(a, 0).pvalue, abs=0.02)


def test_equal_scorers_are_not_better() -> None:
    values = [0.1, 0.2, 0.0]
    found = compare_paired(values, values, opponent_name="itself", metric="ndcg@10")
    assert found.p_value == 1.0
    assert found.verdict() == "is not shown to differ from itself (+0.0000 NDCG@10, p = 1)"


def test_a_significant_loss_is_called_one() -> None:
    found = compare_paired(np.zeros(200), np.ones(200), opponent_name="windowed Markov", metric="ndcg@10")
    assert found.verdict() == "loses to windowed Markov by 1.0000 NDCG@10 (p < 1e-4)"
    assert found.standing() == "ahead by 1.0000 (p < 1e-4)"
    gain = compare_paired(np.ones(200), np.zeros(200), opponent_name="windowed Markov", metric="ndcg@10")
    assert gain.verdict() == "beats windowed Markov by 1.0000 NDCG@10 (p < 1e-4)"
    assert gain.standing() == "behind by 1.0000 (p < 1e-4)"


def test_comparison_survives_json() -> None:
    before = Comparison("windowed Markov", "ndcg@10", Interval(0.1, 0.0, 0.2), 0.04, 10)
    assert Comparison.from_plain(json.loads(json.dumps(before.plain()))) == before


def test_same_seed_same_figures() -> None:
    values = _ndcg(np.random.default_rng(3), 100, 0.1)
    assert mean_interval(values, seed=5) == mean_interval(values, seed=5)


@pytest.mark.parametrize("bad", [[], [[1.0]], [1.0, float("nan")]])
def test_bad_figures_are_refused(bad: list[float]) -> None:
    with pytest.raises(ConfigError):
        mean_interval(bad)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ConfigError, match="cannot pair 2 queries with 3"):
        compare_paired([1.0, 2.0], [1.0, 2.0, 3.0], opponent_name="x", metric="m")


def test_more_queries_of_the_same_people_prove_no_more() -> None:
    rng = np.random.default_rng(3)
    a, b = _ndcg(rng, 150, 0.2), _ndcg(rng, 150, 0.1)
    names = {"opponent_name": "b", "metric": "ndcg@10"}
    once = compare_paired(a, b, **names)
    people = np.tile(np.arange(150), 4)
    repeated = compare_paired(np.tile(a, 4), np.tile(b, 4), users=people, **names)
    assert repeated.n_queries == 600
    assert repeated.p_value == once.p_value
    assert repeated.difference.low == pytest.approx(once.difference.low)
    assert repeated.difference.high == pytest.approx(once.difference.high)


def test_people_with_more_queries_weigh_more() -> None:
    found = mean_interval([1.0, 0.0, 0.0, 0.0], users=[5, 2, 2, 2])
    assert (found.value, found.low, found.high) == (0.25, 0.0, 1.0)
