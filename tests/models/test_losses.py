"""Each loss against a plain reference, a row and a negative at a time."""

import math

import pytest
import torch

from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.losses import Sampled, bpr_max, gbce, sampled_scores, sampled_softmax, top1_max
from reeltune.models.negatives import NegativeSampler

N_ITEMS = 30


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def rows_of(scores: Sampled):
    """Yield each row's target score and its (score, log of the expected draws) of negatives that count."""
    for row in range(len(scores.targets)):
        kept = [
            (scores.negatives[row, k].item(), scores.log_expected[k].item())
            for k in range(scores.negatives.shape[1])
            if not scores.is_target[row, k]
        ]
        yield scores.targets[row].item(), kept


def shares(kept):
    total = sum(math.exp(s) for s, _ in kept)
    return [math.exp(s) / total for s, _ in kept]


def plain_softmax(scores):
    losses = [
        -r + math.log(math.exp(r) + sum(math.exp(s - log_expected) for s, log_expected in kept))
        for r, kept in rows_of(scores)
    ]
    return sum(losses) / len(losses)


def plain_bpr_max(scores, penalty=0.7):
    losses = []
    for r, kept in rows_of(scores):
        pairs = list(zip(shares(kept), kept, strict=True))
        likelihood = sum(w * sigmoid(r - s) for w, (s, _) in pairs)
        losses.append(-math.log(likelihood) + penalty * sum(w * s**2 for w, (s, _) in pairs))
    return sum(losses) / len(losses)


def plain_top1_max(scores):
    losses = [
        sum(w * (sigmoid(s - r) + sigmoid(s**2)) for w, (s, _) in zip(shares(kept), kept, strict=True))
        for r, kept in rows_of(scores)
    ]
    return sum(losses) / len(losses)


def plain_gbce(scores, t=0.6):
    n_negatives = scores.negatives.shape[1]
    rate = n_negatives / (N_ITEMS - 1)
    beta = rate * (t * (1 - 1 / rate) + 1 / rate)
    losses = [
        -(beta * math.log(sigmoid(r)) + sum(math.log(1 - sigmoid(s)) for s, _ in kept)) / (n_negatives + 1)
        for r, kept in rows_of(scores)
    ]
    return sum(losses) / len(losses)


LOSSES = {
    "sampled-softmax": (sampled_softmax, plain_softmax),
    "bpr-max": (lambda scores: bpr_max(scores, 0.7), plain_bpr_max),
    "top1-max": (top1_max, plain_top1_max),
    "gbce": (lambda scores: gbce(scores, N_ITEMS, 0.6), plain_gbce),
}
each_loss = pytest.mark.parametrize("name", LOSSES)


def parts(n_rows: int = 6, seed: int = 0):
    torch.manual_seed(seed)
    states, vectors = torch.randn(n_rows, 4), torch.randn(N_ITEMS + 1, 4)
    bias, targets = torch.randn(N_ITEMS + 1), torch.randint(1, N_ITEMS + 1, (n_rows,))
    return states, vectors, bias, targets


def sampler(exponent: float = 0.5) -> NegativeSampler:
    return NegativeSampler(torch.arange(N_ITEMS + 1), exponent)


@each_loss
def test_equals_its_plain_reference(name):
    loss, reference = LOSSES[name]
    states, vectors, bias, targets = parts()
    items, log_expected = sampler().draw(12)
    items[3] = targets[1]  # a negative that is a row's target
    scores = sampled_scores(states, vectors, bias, targets, (items, log_expected))
    assert scores.is_target[1, 3]
    assert loss(scores).item() == pytest.approx(reference(scores), rel=1e-5)


@each_loss
def test_gradients_point_downhill_and_are_finite(name):
    loss, _ = LOSSES[name]
    states, vectors, bias, targets = (part.requires_grad_() if part.is_floating_point() else part
                                      for part in parts())  # fmt: skip
    drawn = sampler().draw(12)

    def value() -> torch.Tensor:
        return loss(sampled_scores(states, vectors, bias, targets, drawn))

    before = value()
    gradients = torch.autograd.grad(before, [states, vectors, bias])
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    with torch.no_grad():
        for part, gradient in zip((states, vectors, bias), gradients, strict=True):
            part.sub_(gradient, alpha=0.01)
    assert value() < before


@each_loss
def test_large_scores_and_a_draw_of_the_target_alone_stay_finite(name):
    loss, _ = LOSSES[name]
    states, vectors, _, targets = parts(n_rows=1)
    drawn = (targets.repeat(3), torch.zeros(3))
    assert torch.isfinite(loss(sampled_scores(states, vectors, None, targets, drawn)))
    apart = (torch.where(targets == 1, 2, 1).repeat(3), torch.zeros(3))
    assert torch.isfinite(loss(sampled_scores(50 * states, vectors, None, targets, apart)))


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_the_corrected_softmax_comes_to_the_full_one(exponent):
    """With many draws the estimate of the sum over the catalogue, and so the loss, is the full one's."""
    states, vectors, bias, targets = parts(n_rows=50)
    full = full_softmax_loss(states, vectors, bias, targets)
    drawn = sampler(exponent).draw(200_000)
    sampled = sampled_softmax(sampled_scores(states, vectors, bias, targets, drawn))
    assert sampled.item() == pytest.approx(full.item(), rel=5e-3)
    few = [sampler(exponent).draw(5) for _ in range(4000)]
    sums = [
        (scores.negatives - scores.log_expected).exp().masked_fill(scores.is_target, 0.0).sum(1)
        for scores in (sampled_scores(states, vectors, bias, targets, drawn) for drawn in few)
    ]
    logits = states @ vectors[1:].T + bias[1:]
    others = logits.exp().sum(1) - logits.gather(1, targets[:, None] - 1)[:, 0].exp()
    ratio = torch.stack(sums).mean(0) / others
    assert ratio.mean().item() == pytest.approx(1.0, abs=0.03)


def test_negatives_follow_their_chances():
    torch.manual_seed(0)
    items, log_expected = sampler(1.0).draw(100_000)
    counts = torch.bincount(items, minlength=N_ITEMS + 1)
    assert counts[0] == 0
    expected = (torch.arange(1, N_ITEMS + 1) + 1.0) / (torch.arange(1, N_ITEMS + 1) + 1.0).sum()
    torch.testing.assert_close(counts[1:] / 100_000, expected, rtol=0.1, atol=0)
    torch.testing.assert_close(log_expected.exp() / 100_000, expected[items - 1], rtol=1e-4, atol=0)
    uniform, _ = sampler(0.0).draw(100_000)
    assert torch.bincount(uniform)[1:].float().std() < 100


def test_calibration_runs_from_plain_to_softmax_like():
    states, vectors, bias, targets = parts()
    scores = sampled_scores(states, vectors, bias, targets, sampler(0.0).draw(6))
    positive = torch.nn.functional.logsigmoid(scores.targets).mean().item()
    slope = (gbce(scores, N_ITEMS, 1.0) - gbce(scores, N_ITEMS, 0.0)).item()
    assert slope == pytest.approx(-(6 / 29 - 1) * positive / 7, rel=1e-5)
