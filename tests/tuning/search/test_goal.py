import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.goal import Goal, Limit
from reeltune.tuning.search.pareto import dominates, front_ranks, hypervolume, knee_order
from reeltune.tuning.search.results import best_rows, pareto_front
from reeltune.tuning.study.spec import StudySettings

TWO = Goal(("ndcg@10", "coverage@10"))
points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12)


def row(number, ndcg, cover, state=TrialState.COMPLETE, **metrics):
    figures = {"ndcg@10": ndcg, "coverage@10": cover, **metrics}
    return TrialRow(number, state, "", {}, {}, number, value=ndcg, metrics=figures)


@given(points)
def test_fronts_keep_the_order_of_domination(found):
    ranks = front_ranks(found)
    for i, first in enumerate(found):
        beaten_by = [ranks[j] for j, second in enumerate(found) if dominates(second, first)]
        assert ranks[i] == (max(beaten_by) + 1 if beaten_by else 0)


def test_what_breaks_a_limit_comes_after_all_that_keep_them():
    assert front_ranks([(0, 0), (5, 5), (1, 1)], [0.5, 0.0, 0.2]) == [2, 0, 1]


@given(points)
def test_the_hypervolume_is_the_count_of_unit_cells(found):
    reference = (6.0, 6.0, 6.0)
    cells = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    covered = np.zeros(len(cells), dtype=bool)
    for point in found:
        covered |= (cells >= point).all(axis=1)
    assert hypervolume(found, reference) == pytest.approx(covered.sum())


def test_the_knee_is_where_the_trade_off_turns():
    assert knee_order([(0.0, 10.0), (1.0, 2.0), (9.0, 1.0), (10.0, 0.0)])[0] == 1
    assert knee_order([(0.0, 1.0), (1.0, 0.0)])[0] == 0, "of equals the better first objective"
    assert knee_order([(3.0, 3.0)]) == [0]
    assert knee_order([]) == []


def test_the_front_of_a_study():
    rows = [
        row(0, 0.10, 0.20), row(1, 0.09, 0.60), row(2, 0.02, 0.70), row(3, 0.08, 0.50),
        row(4, 0.30, 0.90, TrialState.DIVERGED), row(5, 0.05, 0.10, TrialState.STOPPED),
    ]  # fmt: skip
    front = pareto_front(rows, TWO)
    assert [r.number for r in front.rows] == [0, 1, 2]
    assert front.knee == 1
    assert front.reference == (0.02, 0.10)
    assert front.ideal == (0.10, 0.70)
    # 0: (0, 5/6), 1: (1/8, 1/6), 2: (1, 0) as losses in the unit box
    assert front.hypervolume == pytest.approx(1 / 8 * 1 / 6 + 7 / 8 * 5 / 6)
    assert [r.number for r in best_rows(rows, TWO)] == [1, 0, 2, 3, 5]
    assert pareto_front(rows, Goal(("ndcg@10",))) is None
    assert pareto_front([], TWO) is None


def test_a_limit_decides_before_the_objective():
    goal = Goal(("ndcg@10",), {"model_megabytes": Limit(max=2.0), "latency_ms": Limit(max=5.0)})
    rows = [
        row(0, 0.10, 0.2, model_megabytes=1.9, latency_ms=4.0),
        row(1, 0.20, 0.2, model_megabytes=2.1, latency_ms=4.0),
        row(2, 0.30, 0.2, model_megabytes=1.0),
    ]
    assert [r.number for r in best_rows(rows, goal)] == [0]
    assert goal.broken(rows[1].metrics) == ["model_megabytes 2.1, at most 2"]
    assert goal.broken(rows[2].metrics) == ["latency_ms unknown, at most 5"]
    assert goal.extra_measures == ("model_megabytes", "latency_ms")


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"objectives": ["coverage@10", "ndcg@10"]}, "the first one chooses a trial's best epoch"),
        ({"objectives": ["ndcg@10", "ndcg@10"]}, "stands twice"),
        ({"objectives": ["ndcg@10", "coverege@10"]}, "did you mean 'coverage'"),
        ({"objective": "hr@10", "objectives": ["ndcg@10", "coverage@10"]}, "drop objective"),
        ({"objectives": ["ndcg@10", "coverage@10"], "scheduler": "median"}, "use asha or none"),
        ({"constraints": {"latency_ms": {}}}, "needs min, max or both"),
        ({"constraints": {"latency_ms": {"min": 3.0, "max": 1.0}}}, "swap them"),
        ({"constraints": {"latency": {"max": 1.0}}}, "unknown metric 'latency'"),
        ({"repeats": 101}, "less than or equal to 100"),
    ],
)
def test_wrong_goals_are_refused(given_, message):
    with pytest.raises(ValidationError, match=message):
        StudySettings.model_validate(given_)


def test_short_forms():
    assert StudySettings().goal == Goal(("ndcg@10",))
    several = StudySettings.model_validate({"objectives": ["hr@20", "novelty@10"], "repeats": 2})
    assert several.objective == "hr@20"
    assert several.goal.higher_is_better == (True, True)
    assert several.repeats.seeds == 2
    assert StudySettings.model_validate(several.plain()) == several
