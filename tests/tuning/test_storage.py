"""Every order in which rows and Optuna can be left behind by a kill is mended."""

from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState as OptunaState
from studies_for_tests import spec

from reeltune.errors import StudyError
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.goal import Goal, Limit
from reeltune.tuning.search.searchers import SEARCHERS, n_points
from reeltune.tuning.study.spec import StudySettings
from reeltune.tuning.study.storage import TrialStorage

pytestmark = pytest.mark.slow


GRID_SPACE = """
model: gru
space:
  model.n_layers: {kind: int, low: 1, high: 2}
  model.dropout: {kind: float, low: 0.0, high: 0.5, step: 0.25}
  training.batch_size: {kind: choice, values: [16, 32]}
"""


ONE = Goal(("ndcg@10",))
TWO = Goal(("ndcg@10", "coverage@10"), {"model_megabytes": Limit(max=2.0)})


def opened(path, searcher="tpe", *, given=(), seed=3, goal=ONE, lag=0, prior=(), **options):
    described = spec(searcher=searcher, **options)
    return TrialStorage(
        path / "study.db",
        name="s",
        space=described.space,
        searcher=described.study.searcher,
        seed=seed,
        goal=goal,
        base=described.trial.plain(),
        given=given,
        lag=lag,
        prior=prior,
    )


def suggest(storage, number):
    return storage.suggest(number)


def epochs(n, value):
    return [EpochReport(e, {"ndcg@10": value * e}, value * e, 1.0, 0.1) for e in range(1, n + 1)]


def ended(number, params, state=TrialState.COMPLETE, value=0.5):
    return TrialRow(number, state, "why", params, {}, 1, value=value)


def told(storage, n, value=lambda params: params["training.learning_rate"]):
    """Run ``n`` trials of two epochs and return their rows and epochs."""
    rows, reports = [], {}
    for number in range(n):
        params = suggest(storage, number)
        row = ended(number, params, value=value(params))
        rows.append(row)
        reports[number] = epochs(2, row.value / 2)
        storage.tell(row, reports[number])
    return rows, reports


@pytest.fixture
def storage(tmp_path):
    made = opened(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("state", "expected", "value"),
    [
        (TrialState.COMPLETE, OptunaState.COMPLETE, 0.5),
        (TrialState.STOPPED, OptunaState.PRUNED, 0.2),
        (TrialState.DIVERGED, OptunaState.PRUNED, 0.2),
        (TrialState.FAILED, OptunaState.FAIL, None),
    ],
)
def test_optuna_hears_each_end(storage, state, expected, value):
    params = suggest(storage, 0)
    for epoch in epochs(2, 0.1):
        storage.report(0, epoch)
        storage.report(0, epoch)
    row = ended(0, params, state)
    storage.tell(row, epochs(2, 0.1))
    storage.tell(row, epochs(2, 0.1))
    trial = storage.trials()[0]
    assert (trial.state, trial.value) == (expected, value)
    assert trial.intermediate_values == {1: 0.1, 2: 0.2}
    assert trial.user_attrs["reason"] == "why"


def test_a_row_that_ended_is_told_after_a_kill(storage):
    params = suggest(storage, 0)
    storage.reconcile([ended(0, params)], {0: epochs(3, 0.1)})
    trial = storage.trials()[0]
    assert trial.state is OptunaState.COMPLETE
    assert list(trial.intermediate_values) == [1, 2, 3]


def test_a_lost_storage_is_made_again_from_the_rows(tmp_path):
    first = opened(tmp_path / "a") if (tmp_path / "a").mkdir() is None else None
    rows, reports = told(first, 6)
    params = suggest(first, 6)
    rows.append(TrialRow(6, TrialState.RUNNING, "", params, {}, 1))
    (tmp_path / "b").mkdir()
    second = opened(tmp_path / "b")
    second.reconcile(rows, reports)
    for a, b in zip(first.trials(), second.trials(), strict=True):
        assert (a.number, a.state, a.params, a.value) == (b.number, b.state, b.params, b.value)
        assert a.intermediate_values == b.intermediate_values
    assert suggest(first, 7) == suggest(second, 7), "the searcher keeps what it learned"
    first.close()
    second.close()


def test_rows_that_contradict_the_storage_are_refused(storage):
    params = suggest(storage, 0)
    other = params | {"training.learning_rate": 0.5}
    with pytest.raises(StudyError, match=r"trial 0 has other parameters in study.db"):
        storage.reconcile([ended(0, other)], {})


def test_rows_with_a_gap_are_refused(storage):
    params = suggest(storage, 0)
    with pytest.raises(StudyError, match="trial 5 is there, but trial 1 before it is not"):
        storage.reconcile([ended(5, params)], {})


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "study.db").write_text("this is no database at all, but it is long enough to look at\n" * 20)
    with pytest.raises(StudyError, match=r"study\.db is damaged"):
        opened(tmp_path)


@pytest.mark.parametrize("searcher", sorted(set(SEARCHERS) - {"grid"}))
def test_a_reopened_study_suggests_the_same(tmp_path, searcher):
    sequences = []
    for name, reopened in (("whole", ()), ("killed", (3, 9))):
        (tmp_path / name).mkdir()
        storage = opened(tmp_path / name, searcher)
        found = []
        for number in range(12):
            if number in reopened:
                storage.close()
                storage = opened(tmp_path / name, searcher)
            params = suggest(storage, number)
            found.append(params)
            storage.tell(ended(number, params, value=params["training.learning_rate"]), [])
        storage.close()
        sequences.append(found)
    assert sequences[0] == sequences[1]
    assert len({str(params) for params in sequences[0]}) == 12, "and never the same twice"


def test_another_seed_suggests_otherwise(tmp_path):
    found = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        storage = opened(tmp_path / str(seed), seed=seed)
        found.append(suggest(storage, 0))
        storage.close()
    assert found[0] != found[1]


def test_given_points_come_first_also_after_a_kill(tmp_path):
    point = {"training.learning_rate": 0.02, "model.hidden_dim": 9, "training.batch_size": 32}
    given = [point, point | {"model.hidden_dim": 10}]
    storage = opened(tmp_path, given=given)
    assert suggest(storage, 0) == given[0]
    assert suggest(storage, 1) == given[1]
    storage.close()  # killed before its row was written
    storage = opened(tmp_path, given=given)
    assert suggest(storage, 1) == given[1]
    assert suggest(storage, 2) not in given
    storage.close()


def test_a_grid_visits_each_point_once(tmp_path):
    storage = opened(tmp_path, "grid", space=GRID_SPACE)
    n = n_points(StudySettings(searcher="grid").searcher, storage.space, spec().trial.plain())
    assert n == 2 * 3 * 2
    rows, _ = told(storage, n, value=lambda params: params["model.dropout"])
    assert len({str(row.params) for row in rows}) == n
    storage.close()


def test_tpe_learns_where_the_good_values_are(tmp_path):
    storage = opened(tmp_path, {"name": "tpe", "n_initial": 8})
    rows, _ = told(storage, 40, value=lambda params: -abs(params["training.learning_rate"] - 0.01))
    late = sorted(abs(row.params["training.learning_rate"] - 0.01) for row in rows[20:])
    early = sorted(abs(row.params["training.learning_rate"] - 0.01) for row in rows[:8])
    assert late[10] < early[4]
    storage.close()


def test_readers_do_not_hold_up_the_writer(storage, tmp_path):
    params = suggest(storage, 0)
    reader = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
    study = optuna.load_study(study_name="s", storage=reader)
    with reader.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("SELECT * FROM trials").fetchall()
        storage.tell(ended(0, params), epochs(2, 0.1))
    assert study.trials[0].state is OptunaState.COMPLETE
    reader.engine.dispose()


def tell_two(storage, n):
    """Run ``n`` trials with two objectives: complete, stopped, diverged and over the limit in turn."""
    rows = []
    for number in range(n):
        params = suggest(storage, number)
        state = [TrialState.COMPLETE, TrialState.STOPPED, TrialState.DIVERGED, TrialState.COMPLETE][
            number % 4
        ]
        rate = params["training.learning_rate"]
        metrics = {"ndcg@10": rate, "coverage@10": 1 - rate, "model_megabytes": 1.0 + 2 * (number % 4 == 3)}
        row = replace(ended(number, params, state, rate), metrics=metrics)
        storage.tell(row, epochs(2, rate))
        rows.append(row)
    return rows


@pytest.mark.parametrize("searcher", ["nsga2", "nsga3", "random", "tpe"])
def test_several_objectives_and_limits_reach_optuna(tmp_path, searcher):
    storage = opened(tmp_path, searcher, goal=TWO)
    rows = tell_two(storage, 16)
    trials = storage.trials()
    assert [trial.state.name for trial in trials[:4]] == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    rate = rows[1].metrics["ndcg@10"]
    assert trials[1].values == [rate, 1 - rate], "a stopped trial teaches with its figures so far"
    assert trials[0].constraints == {"model_megabytes": -0.5}
    assert trials[3].constraints == {"model_megabytes": 0.5}
    assert trials[2].constraints["finite"] > 0
    assert not {2, 3} & {trial.number for trial in storage.study.best_trials}
    suggest(storage, 16)


def test_several_objectives_are_rebuilt_from_the_rows(tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    storage = opened(tmp_path / "first", goal=TWO)
    rows = tell_two(storage, 8)
    rebuilt = opened(tmp_path / "second", goal=TWO)
    rebuilt.reconcile(rows, {row.number: epochs(2, row.value) for row in rows})
    for mine, theirs in zip(storage.trials(), rebuilt.trials(), strict=True):
        assert (mine.state, mine.values, mine.constraints) == (
            theirs.state,
            theirs.values,
            theirs.constraints,
        )
    assert suggest(rebuilt, 8) == suggest(storage, 8)


def test_one_objective_with_a_limit_steers_away_from_what_breaks_it(tmp_path):
    storage = opened(tmp_path, goal=Goal(("ndcg@10",), {"model_megabytes": Limit(max=1.0)}))
    wide = 0
    for number in range(30):
        params = suggest(storage, number)
        size = params["model.hidden_dim"]
        row = replace(
            ended(number, params, value=size / 100),
            metrics={"ndcg@10": size / 100, "model_megabytes": size / 32},
        )
        storage.tell(row, [])
        wide += number >= 16 and size > 32
    assert wide < 7, "half of blind draws would be too large, and larger is better"
