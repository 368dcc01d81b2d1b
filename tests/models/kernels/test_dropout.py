import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from reeltune.models.kernels.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate(rate):
    torch.manual_seed(1)
    n_cells = 400_000
    kept = Dropout(rate)(torch.ones(n_cells))
    deviation = (rate * (1 - rate) / n_cells) ** 0.5
    assert (kept == 0).double().mean().item() == pytest.approx(rate, abs=5 * deviation)
    assert kept.double().mean().item() == pytest.approx(1, abs=5 * deviation / (1 - rate))


def test_cells_of_one_word_are_independent():
    torch.manual_seed(2)
    kept = (Dropout(0.3)(torch.ones(100_000, 4)) > 0).double()
    torch.testing.assert_close(torch.corrcoef(kept.t()), torch.eye(4).double(), rtol=0, atol=0.02)
    torch.testing.assert_close(kept.mean(0), torch.full((4,), 0.7).double(), rtol=0, atol=0.01)


@given(
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    rate=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_what_is_kept_is_scaled_and_its_gradient_alike(shape, rate, seed):
    torch.manual_seed(seed)
    inputs = torch.rand(shape).add(1).requires_grad_()
    outputs = Dropout(rate)(inputs)
    is_kept = outputs > 0
    level = round(rate * 65536) / 65536
    torch.testing.assert_close(outputs, is_kept * inputs / (1 - level))
    outputs.sum().backward()
    torch.testing.assert_close(inputs.grad, is_kept / (1 - level))


def test_the_seed_gives_the_masks():
    inputs = torch.ones(3, 5, 7)
    torch.manual_seed(3)
    first, second = Dropout(0.5)(inputs), Dropout(0.5)(inputs)
    torch.manual_seed(3)
    assert torch.equal(Dropout(0.5)(inputs), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("rate", [0.0, 1e-9, 1.0])
def test_rates_at_the_ends_are_those_of_torch(rate):
    inputs = torch.rand(4, 6)
    assert torch.equal(Dropout(rate)(inputs), nn.Dropout(rate)(inputs))


def test_nothing_is_dropped_in_evaluation():
    inputs = torch.rand(4, 6)
    assert torch.equal(Dropout(0.5).eval()(inputs), inputs)


def test_the_type_stays():
    assert Dropout(0.5)(torch.ones(8, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert Dropout(0.5)(torch.ones(8, dtype=torch.float64)).dtype == torch.float64
