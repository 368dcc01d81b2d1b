"""Stopping by several objectives, told epoch by epoch."""

from types import SimpleNamespace

import pytest
from ray.tune.schedulers import TrialScheduler

from reeltune.tuning.ray.halving import METRICS, NonDominatedHalving, rungs
from reeltune.tuning.ray.worker import EPOCH
from reeltune.tuning.search.goal import Goal, Limit
from reeltune.tuning.search.schedulers import AshaConfig

GOAL = Goal(("ndcg@10", "coverage@10"), {"latency_ms": Limit(max=5.0)})
CONFIG = AshaConfig(grace_epochs=2, reduction_factor=3.0)


def tell(rule, name, epoch, ndcg, cover, latency=1.0):
    metrics = {"ndcg@10": ndcg, "coverage@10": cover, "latency_ms": latency}
    return rule.on_trial_result(None, SimpleNamespace(trial_id=name), {EPOCH: epoch, METRICS: metrics})


@pytest.fixture
def rule():
    return NonDominatedHalving(CONFIG, GOAL, 10)


def test_rungs_follow_the_factor():
    assert rungs(CONFIG, 10) == [2, 6]
    assert rungs(CONFIG, 2) == []


def test_the_first_front_goes_on_however_large(rule):
    for i in range(9):
        assert tell(rule, f"t{i}", 2, 0.1 * i, 1 - 0.1 * i) == TrialScheduler.CONTINUE
    assert tell(rule, "worse", 2, 0.1, 0.1) == TrialScheduler.STOP


def test_a_dominated_trial_stops_unless_few_are_before_it(rule):
    assert tell(rule, "a", 2, 0.5, 0.5) == TrialScheduler.CONTINUE
    assert tell(rule, "b", 2, 0.4, 0.4) == TrialScheduler.STOP, "one of two is before it"
    for i in range(4):
        tell(rule, f"bad{i}", 2, 0.01 * i, 0.01 * i)
    assert tell(rule, "c", 2, 0.45, 0.45) == TrialScheduler.CONTINUE, "one of seven is before it"


def test_between_rungs_nothing_is_compared(rule):
    tell(rule, "a", 2, 0.5, 0.5)
    assert tell(rule, "b", 1, 0.0, 0.0) == TrialScheduler.CONTINUE
    assert tell(rule, "b", 3, 0.0, 0.0) == TrialScheduler.CONTINUE


def test_who_breaks_a_limit_gives_way(rule):
    tell(rule, "a", 2, 0.1, 0.1)
    assert tell(rule, "b", 2, 0.9, 0.9, latency=9.0) == TrialScheduler.STOP
