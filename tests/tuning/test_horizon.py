"""One seed gives one study, however many trials run at once and whichever ends first."""

import importlib
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from studies_for_tests import spec

from reeltune.files import read_json
from reeltune.training.epochs import EpochReport
from reeltune.tuning.ray.rules import RuleTrial, make_rule
from reeltune.tuning.ray.schedulers import StudyScheduler
from reeltune.tuning.ray.worker import EPOCH, JOB, OBJECTIVE, REPORT
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.search.history import History
from reeltune.tuning.search.schedulers import HyperBandConfig
from reeltune.tuning.search.searchers import SEARCHERS
from reeltune.tuning.study.preflight import given_points, horizon
from reeltune.tuning.study.storage import frozen_trial, quiet_optuna
from reeltune.tuning.trial.job import TrialJob

GOAL = Goal(("ndcg@10",))


class Simulation:
    """A study without Ray: trials advance in an order drawn from a seed, up to some at once."""

    def __init__(self, described, n_trials, concurrency, seed):
        self.spec, self.n_trials, self.concurrency = described, n_trials, concurrency
        self.order = random.Random(seed)
        self.done, self.told = {}, {}
        self.study = SimpleNamespace(spec=described, goal=GOAL, objective="ndcg@10", higher_is_better=True)
        self.rows = []
        self.scheduler = StudyScheduler(self, 8)
        quiet_optuna()
        self.history = History(described.space, described.study.searcher, described.study.seed, ["maximize"])
        self.params = []

    def row(self, number):
        return self.done.get(number)

    def epochs(self, number):
        return self.told.get(number, [])

    def frozen(self):
        rows = [
            self.done.get(n) or self.new_row(n, TrialState.RUNNING, None) for n in range(len(self.params))
        ]
        return [frozen_trial(self.spec.space, row, self.epochs(row.number), GOAL) for row in rows]

    def new_row(self, number, state, value):
        return TrialRow(number, state, "", self.params[number], {}, 0, value=value)

    def suggest(self):
        number = len(self.params)
        lag = self.spec.study.lag
        self.history.advance(self.frozen(), None if lag is None else number - lag)
        given = given_points(self.spec)
        fixed = given[number] if number < len(given) else {}
        self.params.append(self.history.suggest(self.spec.trial.plain(), fixed).params)
        self.scheduler.on_trial_add(None, self.trial(number))
        return number

    def trial(self, number):
        names = ("directory", "data_directory", "study", "study_directory")
        job = {"number": number, "seed": 0, "params": {}, "config": {"training": {"max_epochs": 8}}}
        return SimpleNamespace(
            config={JOB: TrialJob(**job, **dict.fromkeys(names, ""))}, trial_id=str(number)
        )

    def step(self, number):
        """Run an epoch; return whether the trial goes on."""
        epoch = len(self.epochs(number)) + 1
        rate = self.params[number]["training.learning_rate"]
        value = (1 - abs(rate - 0.1)) * (1 - 0.6**epoch)
        report = EpochReport(epoch, {"ndcg@10": value}, value, 0.0, 0.1)

        message = {EPOCH: epoch, OBJECTIVE: value, REPORT: report}
        decision = self.scheduler.on_trial_result(None, self.trial(number), message)
        self.told.setdefault(number, []).append(report)
        if decision == "CONTINUE" and epoch < 8:
            return True
        state = TrialState.COMPLETE if epoch == 8 else TrialState.STOPPED
        self.done[number] = self.new_row(number, state, value)
        self.scheduler.on_trial_complete(None, self.trial(number), {})
        return False

    def run(self):
        live = []
        while len(self.done) < self.n_trials:
            while len(live) < self.concurrency and len(self.params) < self.n_trials:
                if any(n not in self.done for n in range(horizon(self.spec, len(self.params)))):
                    break
                live.append(self.suggest())
            number = self.order.choice(live)
            if not self.step(number):
                live.remove(number)
        return self.params, {number: len(epochs) for number, epochs in self.told.items()}


@pytest.mark.parametrize("scheduler", ["asha", "hyperband", "median", "none"])
@pytest.mark.parametrize("searcher", ["cmaes", "nsga2", "qmc", "tpe"])
def test_one_seed_gives_one_study_whatever_the_concurrency(searcher, scheduler):
    extra = {"n_initial": 4} if searcher in ("tpe", "cmaes") else {}
    described = spec(searcher={"name": searcher, **extra}, scheduler=scheduler, lag=3, seed=5)
    found = [
        Simulation(described, 16, concurrency, seed).run() for concurrency, seed in ((1, 0), (2, 1), (4, 2))
    ]
    assert found[0] == found[1] == found[2]
    if scheduler != "none":
        assert any(n < 8 for n in found[0][1].values()), "and trials are really stopped"


def test_without_a_lag_nothing_waits():
    assert horizon(spec(lag=None), 9) == 0
    assert horizon(spec(lag=3), 9) == 6
    assert horizon(spec(lag=3, scheduler="none", searcher="random"), 9) == 0, "nothing is learned"
    assert horizon(spec(lag=3, scheduler="none"), 9) == 0, "6 results are too few to learn from"
    assert horizon(spec(lag=3, scheduler="none"), 11) == 8


@pytest.mark.parametrize("searcher", ["cmaes", "gp", "nsga2", "nsga3", "tpe"])
def test_stopped_trials_teach(searcher):
    """What was stopped, with its value so far, leads away from where it was."""
    quiet_optuna()
    described = spec()
    config = SEARCHERS[searcher].config_class()
    near = {"training.learning_rate": 0.1, "model.hidden_dim": 20, "training.batch_size": 16}
    rows = []
    for number in range(16):
        params = near | {"training.learning_rate": 10 ** (-4 + number / 4), "model.hidden_dim": 10 + number}
        rows.append(TrialRow(number, TrialState.STOPPED, "", params, {}, 0, value=number / 16))
    reports = {row.number: [EpochReport(1, {"ndcg@10": row.value}, row.value, 0.0, 0.1)] for row in rows}
    prior = [frozen_trial(described.space, row, reports[row.number], GOAL) for row in rows]
    history = History(described.space, config, 3, ["maximize"], prior)
    assert history.n_results == 16
    n = 1 if searcher == "gp" else 4  # a Gaussian process takes its time
    rates = [history.suggest(described.trial.plain(), {}).params["training.learning_rate"] for _ in range(n)]
    if searcher in ("gp", "tpe"):
        assert sum(rate > 0.03 for rate in rates) >= 0.75 * n, "the value grows with the rate"


def test_hyperband_shares_trials_among_brackets():
    rule = make_rule(HyperBandConfig(min_epochs=1, reduction_factor=3.0), GOAL, 9)
    counts = [0, 0, 0]
    for number in range(170):
        told = RuleTrial(number)
        rule.on_trial_add(None, told)
        counts[rule._brackets.index(rule._bracket(told))] += 1
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == pytest.approx(170 * 9 / 17, abs=2), "the shares of HyperBand: 9, 5 and 3 of 17"
    assert counts[1] == pytest.approx(170 * 5 / 17, abs=2)


def test_asha_saves_epochs_at_equal_quality_on_recorded_curves(monkeypatch):
    benchmarks = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(benchmarks))
    stopping = importlib.import_module("stopping")
    monkeypatch.setattr(stopping, "N_ORDERS", 3)
    monkeypatch.setattr(stopping, "RULES", {name: stopping.RULES[name] for name in ("none", "asha, grace 1")})
    curves = read_json(stopping.CURVES)["curves"]
    for concurrency, lag in ((2, None), (2, 3)):
        found = stopping.compare(curves, concurrency, lag)
        assert found["none"]["epochs"] == 9 * len(curves)
        assert found["asha, grace 1"]["epochs_saved"] > 0.4
        assert found["asha, grace 1"]["best"] == found["none"]["best"]
