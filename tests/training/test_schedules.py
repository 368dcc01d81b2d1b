import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reeltune.training.config import TrainingConfig, learning_rate_factor

cases = st.tuples(
    st.sampled_from(["one-cycle", "linear", "inverse-sqrt", "constant"]), st.floats(0, 1), st.integers(1, 300)
)


@given(cases)
def test_factors_lie_in_the_unit_interval_and_rise_then_fall(case):
    schedule, warmup, n_steps = case
    config = TrainingConfig(schedule=schedule, warmup_fraction=warmup)
    factors = [learning_rate_factor(config, step, n_steps) for step in range(n_steps + 1)]
    assert all(0 <= factor <= 1 for factor in factors)
    top = factors.index(max(factors))
    assert factors[:top] == sorted(factors[:top])
    assert factors[top:] == sorted(factors[top:], reverse=True)


@pytest.mark.parametrize("n_steps", [10, 100])
def test_one_cycle_equals_that_of_torch(n_steps):
    config = TrainingConfig(warmup_fraction=0.3)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    # Torch reaches its peak and its end one step early.
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=n_steps + 1, pct_start=(0.3 * n_steps + 1) / (n_steps + 1),
        cycle_momentum=False, final_div_factor=1e12,
    )  # fmt: skip
    for step in range(n_steps):
        assert learning_rate_factor(config, step, n_steps) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_constant_stays_at_the_peak_after_the_warm_up():
    config = TrainingConfig(schedule="constant", warmup_fraction=0.1)
    assert [learning_rate_factor(config, step, 100) for step in (10, 50, 100)] == [1.0, 1.0, 1.0]
    assert learning_rate_factor(config, 0, 100) == pytest.approx(1 / 25)


def test_linear_and_inverse_square_root_follow_their_formulas():
    config = TrainingConfig(schedule="linear", warmup_fraction=0.2)
    factors = [learning_rate_factor(config, step, 100) for step in (20, 40, 60, 100)]
    assert factors == pytest.approx([1.0, 0.75, 0.5, 0.0])
    config = TrainingConfig(schedule="inverse-sqrt", warmup_fraction=0.1)
    factors = [learning_rate_factor(config, step, 100) for step in (10, 40, 90)]
    assert factors == pytest.approx([1.0, 0.5, 1 / 3])
