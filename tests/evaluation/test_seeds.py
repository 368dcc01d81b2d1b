from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from reeltune.errors import ConfigError
from reeltune.evaluation import compare
from reeltune.evaluation.seeds import seed_spread, two_way_interval, winners_curse


def test_seeds_widen_the_interval_as_theory_says() -> None:
    rng = np.random.default_rng(3)
    n_seeds, n_users, seed_sd, user_sd = 4, 500, 0.05, 0.3
    people = rng.normal(0.5, user_sd, n_users)
    values = people + rng.normal(0, seed_sd, n_seeds)[:, None]
    found = two_way_interval(values)
    drawn = values.mean(axis=1).std(ddof=1)
    expected = 1.96 * np.hypot(drawn / np.sqrt(n_seeds), people.std() / np.sqrt(n_users))
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.12)


def test_one_seed_gives_the_interval_over_users() -> None:
    values = np.random.default_rng(1).random(200)
    users = np.arange(200) // 2
    one, over_users = two_way_interval(values, users=users), compare.mean_interval(values, users=users)
    assert one.value == pytest.approx(over_users.value)
    assert one.low == pytest.approx(over_users.low, abs=3e-3)
    assert one.high == pytest.approx(over_users.high, abs=3e-3)


def test_seed_spread_agrees_with_scipy() -> None:
    values = [0.11, 0.12, 0.10, 0.13]
    found = seed_spread(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert seed_spread([0.5]).plain() == {"mean": 0.5, "sd": None, "low": None, "high": None, "n": 1}
    with pytest.raises(ConfigError, match="no seed"):
        seed_spread([])


def test_the_best_of_many_equal_trials_is_found_to_be_lucky() -> None:
    rng = np.random.default_rng(0)
    trials = rng.normal(0.1, 0.01, size=32)
    found = winners_curse(float(trials.max()), len(trials), list(rng.normal(0.1, 0.01, size=8)))
    assert 0.01 < found.optimism < 0.035
    assert "best of 32 trials" in found.sentence()
    assert "8 fresh seeds" in found.sentence()
    json.dumps(found.plain())
