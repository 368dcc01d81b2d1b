"""Who goes on from whom in a population, and how parameters change on the way."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies_for_tests import SPACE, spec

from reeltune.config import Document, parse_yaml
from reeltune.errors import ConfigError
from reeltune.models.baselines.popularity import PopularityConfig
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.perturb import explore, moved
from reeltune.tuning.search.population import lineage, schedule
from reeltune.tuning.space.parameters import Choice, FloatRange, IntRange
from reeltune.tuning.space.search_space import check_point
from reeltune.tuning.study.preflight import check_settings, horizon
from reeltune.tuning.study.spec import StudySettings
from reeltune.tuning.trial.config import TrialConfig

NOWHERE = Document({}, {}, "e.yaml")
POPULATION = {"name": "pbt", "population": 4, "interval_epochs": 2}


def described(space=SPACE, max_epochs=8, scheduler=POPULATION, **settings):
    return spec(space, max_epochs, trials=100, scheduler=scheduler, **settings)


def generation(study_spec, values, states=None):
    """Return rows and epochs of the first generation; the last epoch has ``values``, the one before more."""
    base = study_spec.trial.plain()
    rows, epochs = {}, {}
    for number, value in enumerate(values):
        state = (states or {}).get(number, TrialState.COMPLETE)
        params = study_spec.space.default(base) | {"model.hidden_dim": 10 + number}
        has_epochs = state in (TrialState.COMPLETE, TrialState.STOPPED)
        rows[number] = TrialRow(
            number, state, "", params, {}, 0, value=0.9 if has_epochs else None, n_epochs=2 * has_epochs
        )
        reports = [EpochReport(e, {"ndcg@10": v}, 0.9, 0.0, 0.1) for e, v in ((1, 0.9), (2, value))]
        epochs[number] = reports if has_epochs else []
    return rows, epochs


def test_the_worst_takes_over_the_best_by_the_last_epoch():
    study_spec = described()
    rows, epochs = generation(study_spec, [0.3, 0.1, 0.4, 0.2])
    found = [study_spec.population.successor(n, rows, epochs.__getitem__) for n in range(4, 8)]
    assert [one.parent for one in found] == [0, 2, 2, 3]
    assert all(one.start_epoch == 2 for one in found)
    for n in (0, 2, 3):
        assert found[n].params == rows[n].params, "who was good enough goes on as it was"
    assert found[1].params["model.hidden_dim"] == 12, "what shapes the weights comes with them"
    assert found[1].params["training.learning_rate"] != rows[2].params["training.learning_rate"]
    assert study_spec.population.successor(3, rows, epochs.__getitem__) is None, (
        "the first generation begins anew"
    )
    again = [study_spec.population.successor(n, rows, epochs.__getitem__) for n in (7, 6, 5, 4)]
    assert again[::-1] == found, "in any order"
    other = described(seed=99)
    assert other.population.successor(5, rows, epochs.__getitem__).params != found[1].params


def test_who_left_no_weights_is_replaced():
    study_spec = described()
    states = {0: TrialState.DIVERGED, 3: TrialState.FAILED}
    rows, epochs = generation(study_spec, [0.3, 0.1, 0.4, 0.2], states)
    found = [study_spec.population.successor(n, rows, epochs.__getitem__) for n in range(4, 8)]
    assert [one.parent for one in found] == [2, 1, 2, 2]
    lone = generation(study_spec, [0.3] * 4, dict.fromkeys(range(1, 4), TrialState.FAILED))
    assert {study_spec.population.successor(n, lone[0], lone[1].__getitem__).parent for n in range(4, 8)} == {
        0
    }
    none = generation(study_spec, [0.3] * 4, dict.fromkeys(range(4), TrialState.DIVERGED))
    assert study_spec.population.successor(5, none[0], none[1].__getitem__) is None, "drawn afresh"


def test_who_breaks_a_limit_comes_last():
    study_spec = described(constraints={"model_megabytes": {"max": 1.0}})
    rows, epochs = generation(study_spec, [0.3, 0.1, 0.4, 0.2])
    for number, reports in epochs.items():
        reports[-1].metrics["model_megabytes"] = 2.0 if number == 2 else 0.5
    assert study_spec.population.successor(6, rows, epochs.__getitem__).parent == 0
    assert study_spec.population.successor(5, rows, epochs.__getitem__).parent == 1


def test_generations_follow_each_other():
    study_spec = described(max_epochs=7)
    assert study_spec.population.n_segments == 4 * 4
    assert [study_spec.population.end_epoch(n) for n in (0, 3, 4, 11, 12)] == [2, 2, 4, 6, 7]
    assert [horizon(study_spec, n) for n in (0, 3, 4, 7, 8)] == [0, 0, 4, 4, 8]
    assert [horizon(described(lag=None), n) for n in (3, 7)] == [0, 4]
    assert spec().population is None


def test_a_lineage_ends_with_the_trial_and_tells_the_course():
    rows = {
        0: TrialRow(0, TrialState.COMPLETE, "", {"a": 1}, {}, 0, n_epochs=2),
        1: TrialRow(1, TrialState.COMPLETE, "", {"a": 2}, {}, 0, n_epochs=2),
        2: TrialRow(2, TrialState.COMPLETE, "", {"a": 3}, {}, 0, parent=1, start_epoch=2, n_epochs=2),
        4: TrialRow(4, TrialState.STOPPED, "", {"a": 3}, {}, 0, parent=2, start_epoch=4, n_epochs=1),
    }
    assert [row.number for row in lineage(rows, 4)] == [1, 2, 4]
    told = [(leg["trial"], leg["first_epoch"], leg["last_epoch"], leg["params"]) for leg in schedule(rows, 4)]
    assert told == [(1, 1, 2, {"a": 2}), (2, 3, 4, {"a": 3}), (4, 5, 5, {"a": 3})]
    assert schedule(rows, 0) == []


def test_checkpoints_are_kept_while_a_leg_may_begin_from_them():
    study_spec = described()
    rows, _ = generation(study_spec, [0.3, 0.1, 0.4, 0.2], {3: TrialState.FAILED})
    assert study_spec.population.needed_origins(rows) == {0, 1, 2}
    for number in range(4, 8):
        assert study_spec.population.needed_origins(rows) >= {0, 1, 2}
        state = TrialState.RUNNING if number == 7 else TrialState.COMPLETE
        rows[number] = TrialRow(number, state, "", {}, {}, 0, start_epoch=2, n_epochs=2)
    assert study_spec.population.needed_origins(rows) >= {0, 1, 2}, "one is still running"
    rows[7] = TrialRow(7, TrialState.COMPLETE, "", {}, {}, 0, start_epoch=2, n_epochs=2)
    assert study_spec.population.needed_origins(rows) == {4, 5, 6, 7}
    last = {n: TrialRow(n, TrialState.COMPLETE, "", {}, {}, 0, n_epochs=2) for n in range(12, 16)}
    assert study_spec.population.needed_origins(last) == set(), "nothing follows the last generation"


@given(
    st.sampled_from(
        [
            FloatRange(low=1e-4, high=1.0, log=True),
            FloatRange(low=0.0, high=0.6),
            FloatRange(low=0.0, high=1.0, step=0.25),
            IntRange(low=1, high=64, log=True),
            IntRange(low=2, high=10, step=4),
            Choice(values=[64, 16, 32]),
            Choice(values=["a", "b", 3]),
        ]
    ),
    st.integers(0, 2**32),
    st.floats(0, 1),
)
def test_what_moves_stays_in_its_range(parameter, seed, resample):
    chance = np.random.default_rng(seed)
    value = parameter.nearest(0.5) if not isinstance(parameter, Choice) else parameter.values[0]
    for _ in range(5):
        value = moved(parameter, value, resample, chance)
        assert parameter.nearest(value) == value
        if isinstance(parameter, Choice):
            assert value in parameter.values


def test_a_number_moves_by_a_fifth_and_a_choice_to_its_neighbour():
    rates = {moved(FloatRange(low=0.1, high=10.0), 1.0, 0.0, np.random.default_rng(s)) for s in range(20)}
    assert rates == {0.8, 1.2}
    sizes = {moved(Choice(values=[16, 64, 32, 128]), 32, 0.0, np.random.default_rng(s)) for s in range(20)}
    assert sizes == {16, 64}
    drawn = {moved(FloatRange(low=0.0, high=1.0), 0.0, 0.0, np.random.default_rng(s)) for s in range(5)}
    assert len(drawn) == 5, "zero times anything is zero, so it is drawn anew"


CONDITIONAL = """
model: gru
space:
  training.loss: {kind: choice, values: [softmax, gbce]}
  training.n_negatives: {kind: choice, values: [64, 256], when: {training.loss: gbce}}
  training.batch_size: {kind: choice, values: [16, 32, 64]}
  model.dropout: {kind: float, low: 0.0, high: 0.5}
  model.hidden_dim: {kind: choice, values: [16, 32, 64]}
constraints:
  - training.batch_size * model.hidden_dim <= 1024
"""


def explored(study_spec, n, params):
    population = study_spec.population
    return explore(population.settings, population.space, population.base, params, lambda k: 1000 * n + k)


def test_changed_points_lie_in_the_space():
    study_spec = described(CONDITIONAL)
    base = study_spec.trial.plain()
    params = {
        "training.loss": "softmax", "training.batch_size": 16, "model.dropout": 0.3, "model.hidden_dim": 64,
    }  # fmt: skip
    found = [explored(study_spec, n, params) for n in range(4, 40)]
    for point in found:
        check_point(study_spec.space, point, "here", base)
        assert point["model.hidden_dim"] == 64
    assert any("training.n_negatives" in point for point in found)
    assert all(point["training.batch_size"] == 16 for point in found), "more would break the constraint"
    named = described(CONDITIONAL, scheduler=POPULATION | {"perturbed": ["model.dropout"]})
    for n in range(4, 20):
        point = explored(named, n, params)
        assert {key for key in params if point[key] != params[key]} <= {"model.dropout"}


class Training:
    """A population of the cheapest kind: a leg adds more, the nearer its learning rate is to .01."""

    def __init__(self, study_spec, seed=0):
        self.spec, self.rows, self.told = study_spec, {}, {}
        self.chance = random.Random(seed)

    def run(self, n_trials):
        base, size = self.spec.trial.plain(), self.spec.study.scheduler.population
        for first in range(0, n_trials, size):
            numbers = list(range(first, first + size))
            after = {
                n: self.spec.population.successor(n, dict(self.rows), self.told.__getitem__) for n in numbers
            }
            self.chance.shuffle(numbers)  # whoever ends first
            for n in numbers:
                one = after[n]
                params = one.params if one else self.spec.space.default(base) | {
                    "training.learning_rate": 10 ** (-4 + 4 * n / size)
                }  # fmt: skip
                start = one.start_epoch if one else 0
                value = self.told[one.parent][-1].best if one else 0.0
                value += 0.1 / (1 + abs(np.log10(params["training.learning_rate"]) + 2))
                report = EpochReport(start + 2, {"ndcg@10": value}, value, 0.0, 0.1)
                self.rows[n] = TrialRow(
                    n, TrialState.COMPLETE, "", params, {}, 0, value=value, n_epochs=2,
                    parent=one.parent if one else None, start_epoch=start,
                )  # fmt: skip
                self.told[n] = [report]
        return {n: (row.params, row.parent) for n, row in sorted(self.rows.items())}


def test_a_population_finds_better_parameters_whoever_ends_first():
    study_spec = described(max_epochs=12, scheduler=POPULATION | {"population": 8})
    first, other = Training(study_spec, 1), Training(study_spec, 2)
    assert first.run(48) == other.run(48)
    early = [abs(np.log10(first.rows[n].params["training.learning_rate"]) + 2) for n in range(8)]
    late = [abs(np.log10(first.rows[n].params["training.learning_rate"]) + 2) for n in range(40, 48)]
    assert np.median(late) < np.median(early)
    best = max(first.rows.values(), key=lambda row: row.value)
    assert len(lineage(first.rows, best.number)) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"population": 128}, "fewer than the population of 128; 8 epochs in segments of 2 take 512 trials"),
        ({"interval_epochs": 8}, "a segment of 8 epochs leaves nothing to change in 8"),
        ({"perturbed": ["model.hidden_dim"]}, "model.hidden_dim cannot change while a network"),
        ({"perturbed": ["training.learning_rat"]}, "did you mean"),
    ],
)
def test_what_cannot_be_trained_is_told(changes, message):
    study_spec = spec(trials=100, scheduler=POPULATION | changes)
    with pytest.raises(ConfigError) as caught:
        check_settings(study_spec.space, study_spec.study, study_spec.trial, NOWHERE)
    assert message.lower() in str(caught.value).lower()


def test_what_a_space_lacks_is_told():
    def check(space, trial=None, **settings):
        study_spec = spec(space, trials=100, scheduler=POPULATION, **settings)
        check_settings(study_spec.space, study_spec.study, trial or study_spec.trial, NOWHERE)

    head = "model: gru\nspace:\n"
    with pytest.raises(ConfigError, match=r"none of the searched fields can change"):
        check(head + "  model.hidden_dim: {kind: int, low: 8, high: 64}\n")
    with pytest.raises(ConfigError, match=r"fix training\.max_epochs"):
        check(head + "  training.max_epochs: {kind: int, low: 8, high: 64}\n")
    grid = head + "  model.dropout: {kind: choice, values: [0.0, 0.1]}\n"
    with pytest.raises(ConfigError, match="a grid is searched whole; use qmc"):
        check(grid, searcher="grid")
    choices = head + "  training.batch_size: {kind: choice, values: [16, 32]}\n"
    check(choices)
    trial = TrialConfig(model=PopularityConfig(), training=TrainingConfig(max_epochs=8))
    with pytest.raises(ConfigError, match="epoch by epoch"):
        check(choices, trial=trial)


def test_the_line_of_the_experiment_is_named():
    document = parse_yaml("study:\n  trials: 2\n  scheduler: pbt\n", "e.yaml")
    study_spec = spec(trials=2, scheduler="pbt", max_epochs=8)
    with pytest.raises(ConfigError, match=r"^e\.yaml:3: study\.trials is 2, fewer than"):
        check_settings(study_spec.space, study_spec.study, study_spec.trial, document)


def test_several_objectives_are_refused():
    with pytest.raises(ValueError, match="scheduler pbt compares one objective"):
        StudySettings(objectives=["ndcg@10", "coverage@10"], scheduler="pbt")


def test_a_study_of_pb2_opens_as_one_of_pbt(caplog):
    settings = StudySettings(scheduler={"name": "pb2", "population": 4, "interval_epochs": 2})
    assert settings.scheduler == StudySettings(scheduler=POPULATION).scheduler
    assert caplog.messages == ["scheduler pb2 is gone, pbt stands in"]
