import pytest
import torch
from torch import Tensor
from torch.nn import functional

from reeltune.models.kernels import softmax
from reeltune.models.kernels.softmax import full_softmax_loss


def plain_loss(
    states: Tensor, item_vectors: Tensor, item_bias: Tensor | None, targets: Tensor, smoothing: float
) -> Tensor:
    logits = states @ item_vectors.t() + (0 if item_bias is None else item_bias)
    return functional.cross_entropy(logits[:, 1:], targets - 1, label_smoothing=smoothing)


def example(n_rows=70, n_items=40, width=8, dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(3)
    states = torch.randn(n_rows, width, generator=generator, dtype=dtype) * scale
    vectors = torch.randn(n_items + 1, width, generator=generator, dtype=dtype)
    bias = torch.randn(n_items + 1, generator=generator, dtype=dtype)
    targets = torch.randint(1, n_items + 1, (n_rows,), generator=generator)
    for leaf in (states, vectors, bias):
        leaf.requires_grad_()
    return states, vectors, bias, targets


@pytest.fixture(params=[1, 1 << 20], ids=["many chunks", "one chunk"])
def _chunks(request, monkeypatch):
    monkeypatch.setattr(softmax, "CHUNK_CELLS", request.param)


@pytest.mark.usefixtures("_chunks")
@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("has_bias", [True, False])
def test_loss_and_gradients_equal_the_plain_cross_entropy(smoothing, has_bias):
    states, vectors, bias, targets = example()
    leaves = [states, vectors, bias] if has_bias else [states, vectors]
    used_bias = bias if has_bias else None
    expected = plain_loss(states, vectors, used_bias, targets, smoothing)
    loss = full_softmax_loss(states, vectors, used_bias, targets, label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    # A factor after the loss must reach the gradients.
    for found, wanted in zip(
        torch.autograd.grad(3 * loss, leaves), torch.autograd.grad(3 * expected, leaves), strict=True
    ):
        torch.testing.assert_close(found, wanted)


@pytest.mark.usefixtures("_chunks")
def test_gradcheck():
    states, vectors, bias, targets = example(n_rows=40, n_items=6, width=3)
    assert torch.autograd.gradcheck(
        lambda *leaves: full_softmax_loss(*leaves, targets, label_smoothing=0.1), (states, vectors, bias)
    )


def test_padding_row_takes_no_part():
    states, vectors, bias, targets = example()
    loss = full_softmax_loss(states, vectors, bias, targets, label_smoothing=0.1)
    loss.backward()
    assert not vectors.grad[0].any()
    assert bias.grad[0] == 0
    with torch.no_grad():
        vectors[0], bias[0] = 1e6, 1e6
    torch.testing.assert_close(full_softmax_loss(states, vectors, bias, targets, label_smoothing=0.1), loss)


def test_large_logits_stay_finite():
    states, vectors, bias, targets = example(dtype=torch.float32, scale=1e3)
    loss = full_softmax_loss(states, vectors, bias, targets)
    loss.backward()
    torch.testing.assert_close(loss, plain_loss(states, vectors, bias, targets, 0.0))
    assert all(leaf.grad.isfinite().all() for leaf in (states, vectors, bias))


def test_without_gradients_only_the_loss():
    states, vectors, bias, targets = example()
    with torch.no_grad():
        loss = full_softmax_loss(states, vectors, bias, targets)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, plain_loss(states, vectors, bias, targets, 0.0))


def test_a_frozen_table_gets_no_gradient():
    states, vectors, _, targets = example()
    full_softmax_loss(states, vectors.detach(), None, targets).backward()
    assert states.grad.any()


@pytest.mark.parametrize("is_autocast", [False, True])
def test_bfloat16_products_keep_loss_and_gradient_direction(is_autocast):
    states, vectors, bias, targets = example(
        n_rows=600, n_items=300, width=64, dtype=torch.float32, scale=0.3
    )
    leaves = (states, vectors, bias)
    expected = plain_loss(states, vectors, bias, targets, 0.1)
    with torch.autocast("cpu", torch.bfloat16, enabled=is_autocast):
        precision = "same" if is_autocast else "bfloat16"
        loss = full_softmax_loss(*leaves, targets, label_smoothing=0.1, precision=precision)
    torch.testing.assert_close(loss, expected, rtol=2e-3, atol=0)
    for found, wanted in zip(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(expected, leaves), strict=True
    ):
        assert (found - wanted).norm() < 0.01 * wanted.norm()


def test_states_that_autocast_rounded_are_multiplied_in_bfloat16():
    """A projection under autocast returns bfloat16; the products must not fall back to float32."""
    states, vectors, bias, targets = example(n_rows=50, n_items=300, width=64, dtype=torch.float32, scale=0.3)
    rounded = states.detach().bfloat16()
    expected = full_softmax_loss(rounded.float(), vectors, bias, targets, precision="bfloat16")
    with torch.autocast("cpu", torch.bfloat16):
        assert full_softmax_loss(rounded, vectors, bias, targets).item() == expected.item()


def test_weights_in_bfloat16_have_gradients():
    states, vectors, bias = (
        torch.randn(shape).bfloat16().requires_grad_() for shape in ((6, 4), (10, 4), (10,))
    )
    loss = full_softmax_loss(states, vectors, bias, torch.randint(1, 10, (6,)))
    for leaf, gradient in zip(
        (states, vectors, bias), torch.autograd.grad(loss, (states, vectors, bias)), strict=True
    ):
        assert gradient.dtype == leaf.dtype
        assert gradient.isfinite().all()
