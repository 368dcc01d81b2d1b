import pytest
import torch
from torch import nn

from reeltune.models.kernels import gru as module
from reeltune.models.kernels.gru import FusedGRU, gru


def twins(dtype=torch.float64, input_dim=5, hidden_dim=7):
    torch.manual_seed(1)
    plain = nn.GRU(input_dim, hidden_dim, batch_first=True, dtype=dtype)
    fused = FusedGRU(input_dim, hidden_dim).to(dtype)
    fused.load_state_dict(plain.state_dict())
    return plain, fused


def gradients(network, inputs, state, weights):
    states, last = network(inputs, state)
    leaves = [inputs, *network.parameters()] + ([] if state is None else [state])
    return states, last, torch.autograd.grad((states * weights).sum() + last.sum(), leaves)


@pytest.mark.parametrize("cells", [1, 3 * 7 * 2, 1 << 17], ids=["single steps", "ragged blocks", "one block"])
@pytest.mark.parametrize("has_state", [True, False])
def test_states_and_gradients_equal_torch(cells, has_state, monkeypatch):
    monkeypatch.setattr(module, "CELLS_IN_CACHE", cells)
    plain, fused = twins()
    inputs = torch.randn(3, 9, 5, dtype=torch.float64, requires_grad=True)
    state = torch.randn(1, 3, 7, dtype=torch.float64, requires_grad=True) if has_state else None
    weights = torch.randn(3, 9, 7, dtype=torch.float64)
    for found, wanted in zip(
        gradients(fused, inputs, state, weights), gradients(plain, inputs, state, weights), strict=True
    ):
        torch.testing.assert_close(found, wanted)


def test_gradcheck():
    torch.manual_seed(2)
    shapes = [(2, 4, 3), (2, 2), (6, 3), (6, 2), (6,), (6,)]
    leaves = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(gru, leaves)


def test_single_precision_agrees_with_torch():
    plain, fused = twins(torch.float32, 16, 32)
    inputs = torch.randn(8, 50, 16)
    torch.testing.assert_close(fused(inputs)[0], plain(inputs)[0], rtol=1e-5, atol=1e-6)


def test_a_second_backward_pass_gives_the_same():
    _, fused = twins()
    inputs = torch.randn(3, 9, 5, dtype=torch.float64, requires_grad=True)
    total = fused(inputs)[0].square().sum()
    first, second = (
        torch.autograd.grad(total, inputs, retain_graph=True)[0],
        torch.autograd.grad(total, inputs)[0],
    )
    torch.testing.assert_close(first, second)


def test_carrying_the_state_equals_the_whole_history():
    _, fused = twins()
    inputs = torch.randn(3, 9, 5, dtype=torch.float64)
    whole, _ = fused(inputs)
    first, state = fused(inputs[:, :4])
    rest, _ = fused(inputs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, rest], 1), whole)


@pytest.mark.parametrize("hidden_dim", [32, module.LEAST_ROUNDED_WIDTH])
def test_autocast_rounds_products_only(hidden_dim):
    plain, fused = twins(torch.float32, 16, hidden_dim)
    inputs = torch.randn(8, 50, 16, requires_grad=True)
    weights = torch.randn(8, 50, hidden_dim)
    wanted = gradients(plain, inputs, None, weights)
    with torch.autocast("cpu", torch.bfloat16):
        states, last = fused(inputs)
    assert states.dtype == torch.float32
    found = torch.autograd.grad((states * weights).sum() + last.sum(), [inputs, *fused.parameters()])
    assert 0 < (states - wanted[0]).abs().max() < 0.02
    for some, others in zip(found, wanted[2], strict=True):
        assert (some - others).norm() < 0.02 * others.norm()


def test_steps_of_narrow_layers_are_not_rounded():
    width = module.LEAST_ROUNDED_WIDTH
    for kind, hidden_dim, is_rounded in (
        (torch.bfloat16, width, True),
        (torch.bfloat16, width - 1, False),
        (torch.float32, width, False),
    ):
        weight = torch.full((3 * hidden_dim, hidden_dim), 1.001)
        for_state = torch.zeros(1, hidden_dim)
        module._recurrent(kind, hidden_dim)(weight).backward(torch.eye(1, 3 * hidden_dim), for_state)
        assert (for_state[0, 0] == 1.0) == is_rounded


# torch's own layer warns about its own weights (pytorch #126339).
@pytest.mark.filterwarnings("ignore:The tensor attributes self._flat_weights:UserWarning")
@pytest.mark.slow
def test_export_takes_the_layer_that_exporters_know():
    _, fused = twins(torch.float32)
    inputs = torch.randn(2, 6, 5)
    program = torch.export.export(fused, (inputs,))
    assert not any("_GRU" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(inputs)[0], fused(inputs)[0], rtol=1e-5, atol=1e-6)
