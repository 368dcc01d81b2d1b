import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reeltune.models.kernels import scan
from reeltune.models.kernels.scan import linear_scan, parallel_scan, sequential_scan


def plain(decays, inputs, start):
    """Return the recurrence as it is written."""
    states, state = [], start
    for step in range(inputs.shape[1]):
        state = decays[:, step] * state + inputs[:, step]
        states.append(state)
    return torch.stack(states, dim=1)


def some(n_steps: int, seed: int = 0, n_rows: int = 3, width: int = 5, dtype=torch.float64):
    torch.manual_seed(seed)
    decays, inputs = torch.rand(n_rows, n_steps, width, dtype=dtype), torch.randn(2, n_rows, n_steps, width)
    return decays, inputs[0].to(dtype), torch.randn(n_rows, width, dtype=dtype)


@given(n_steps=st.integers(1, 70), seed=st.integers(0, 5))
def test_both_scans_equal_the_plain_recurrence(n_steps, seed):
    parts = some(n_steps, seed)
    torch.testing.assert_close(sequential_scan(*parts), plain(*parts))
    torch.testing.assert_close(parallel_scan(*parts), plain(*parts))


def test_scans_leave_their_arguments_alone():
    parts = some(9)
    kept = [part.clone() for part in parts]
    sequential_scan(*parts)
    parallel_scan(*parts)
    assert all(torch.equal(part, before) for part, before in zip(parts, kept, strict=True))


@pytest.mark.parametrize("chosen", [sequential_scan, parallel_scan])
@pytest.mark.parametrize("n_steps", [1, 2, 13])
def test_gradients_equal_those_of_autograd(chosen, n_steps, monkeypatch):
    monkeypatch.setattr(scan, "_scan", chosen)
    parts = [part.requires_grad_() for part in some(n_steps)]
    weights = torch.randn(3, n_steps, 5, dtype=torch.float64)
    found = torch.autograd.grad((linear_scan(*parts) * weights).sum(), parts)
    expected = torch.autograd.grad((plain(*parts) * weights).sum(), parts)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_long_sequences_stay_finite():
    decays, inputs, start = some(4000, dtype=torch.float32)
    decays = (8 * decays - 4).sigmoid()
    assert torch.isfinite(parallel_scan(decays, inputs, start)).all()
