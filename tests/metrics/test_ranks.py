import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reeltune.errors import DivergedError
from reeltune.metrics.ranks import target_ranks


def slow_rank(scores: list[float], target: int, seen: list[int]) -> int:
    others = [i for i in range(1, len(scores)) if i != target and i not in seen]
    return 1 + sum(not scores[i] < scores[target] for i in others)


@st.composite
def rankings(draw):
    n_items = draw(st.integers(1, 8))
    # Few distinct values, so that ties are common; infinities and NaN may stand at other movies.
    value = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, float("inf"), float("-inf"), float("nan")])
    finite = st.sampled_from([-1.0, 0.0, 1.0])
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        scores = [float("-inf"), *draw(st.lists(value, min_size=n_items, max_size=n_items))]
        target = draw(st.integers(1, n_items))
        scores[target] = draw(finite)
        seen = draw(st.lists(st.integers(0, n_items), min_size=3, max_size=3))
        rows.append((scores, target, seen))
    return rows


@given(rankings())
@settings(max_examples=300, deadline=None)
def test_equals_a_slow_reference(rows):
    scores, targets, seen = zip(*rows, strict=True)
    ranks = target_ranks(torch.tensor(scores), torch.tensor(targets), torch.tensor(seen))
    assert ranks.dtype == torch.int64
    assert ranks.tolist() == [slow_rank(*row) for row in rows]


def test_a_constant_scorer_ranks_the_target_last():
    assert target_ranks(torch.zeros(1, 11), torch.tensor([4]), torch.tensor([[1, 2, 0]])).tolist() == [8]


def test_a_seen_target_stays_a_candidate():
    scores = torch.tensor([[0.0, 3.0, 2.0, 1.0]])
    assert target_ranks(scores, torch.tensor([2]), torch.tensor([[2, 1]])).tolist() == [1]


def test_scores_are_left_as_they_were():
    scores = torch.rand(2, 6)
    before = scores.clone()
    target_ranks(scores, torch.tensor([1, 2]), torch.tensor([[3, 4], [5, 0]]))
    assert torch.equal(scores, before)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_target_score_that_is_not_finite_is_reported(value):
    with pytest.raises(DivergedError, match=f"score of a target is {value}"):
        target_ranks(torch.full((1, 3), value), torch.tensor([1]), torch.tensor([[2]]))
