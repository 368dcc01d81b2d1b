"""Losses of the next movie against some drawn movies, beside the full softmax of ``kernels/softmax.py``.

``r`` is the score of the target, ``s[k]`` that of negative k; a negative that is the target itself takes no
part. ``w = softmax(s)`` are the shares of the negatives, which let the hardest speak loudest.

Shapes: N rows (positions of a batch with a target), K negatives, D embedding, V catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

LossName = Literal["softmax", "sampled-softmax", "bpr-max", "top1-max", "gbce"]
"""The losses of the next movie."""

_LEAST = 1e-24
"""Keeps the logarithm of a vanishing likelihood finite, as in GRU4Rec."""


@dataclass(frozen=True)
class Sampled:
    """Scores of the targets and of the movies drawn beside them."""

    targets: Tensor  # [N]
    negatives: Tensor  # [N, K]
    is_target: Tensor  # [N, K] whether the negative is the row's target
    log_expected: Tensor  # [K] log of how often each is expected in the draw

    def shares(self) -> Tensor:
        """Return the softmax of each row's negatives without its target, [N, K]; zeros where none is left."""
        masked = self.negatives.masked_fill(self.is_target, torch.finfo(self.negatives.dtype).min)
        shares: Tensor = masked.softmax(dim=1) * ~self.is_target
        return shares


def sampled_scores(
    states: Tensor,
    item_vectors: Tensor,
    item_bias: Tensor | None,
    targets: Tensor,
    drawn: tuple[Tensor, Tensor],
) -> Sampled:
    """Return the scores that the losses compare, float32.

    Args:
        states: Query of each row, [N, D].
        item_vectors: Output embeddings, [V+1, D].
        item_bias: Bias of each movie, [V+1], or None.
        targets: The next movie of each row, [N] int64.
        drawn: What :meth:`NegativeSampler.draw` returned.
    """
    items, log_expected = drawn
    of_targets = (states.float() * item_vectors[targets]).sum(dim=1)
    of_negatives = (states @ item_vectors[items].T).float()
    if item_bias is not None:
        of_targets, of_negatives = of_targets + item_bias[targets], of_negatives + item_bias[items]
    return Sampled(of_targets, of_negatives, targets[:, None] == items, log_expected)


def sampled_softmax(scores: Sampled) -> Tensor:
    """Return the mean cross-entropy against the negatives, corrected for their chances, a scalar.

    ``-r + log(exp(r) + sum over k of exp(s[k] - log(K q[k])))``: with q the chance of a movie in one draw,
    the sum is an unbiased estimate of that over the whole catalogue without the target (logQ correction:
    Bengio and Senecal, 2008, https://doi.org/10.1109/TNN.2007.912312; Yi et al., 2019,
    https://doi.org/10.1145/3298689.3346996). The target itself is no draw, so its score is not corrected.
    """
    corrected = (scores.negatives - scores.log_expected).masked_fill(scores.is_target, float("-inf"))
    logits = torch.cat([scores.targets[:, None], corrected], dim=1)  # [N, 1 + K]
    return (logits.logsumexp(dim=1) - scores.targets).mean()


def bpr_max(scores: Sampled, penalty: float) -> Tensor:
    """Return BPR-max (Hidasi and Karatzoglou, 2018, https://arxiv.org/abs/1706.03847), a scalar.

    ``-log(sum over k of w[k] * sigmoid(r - s[k])) + penalty * sum over k of w[k] * s[k]**2``, averaged over
    rows.
    """
    shares = scores.shares()
    likelihood = (shares * torch.sigmoid(scores.targets[:, None] - scores.negatives)).sum(dim=1)
    size = (shares * scores.negatives.square()).sum(dim=1)
    return (penalty * size - torch.log(likelihood + _LEAST)).mean()


def top1_max(scores: Sampled) -> Tensor:
    """Return TOP1-max (Hidasi and Karatzoglou, 2018, https://arxiv.org/abs/1706.03847), a scalar.

    ``sum over k of w[k] * (sigmoid(s[k] - r) + sigmoid(s[k]**2))``, averaged over rows.
    """
    ahead = torch.sigmoid(scores.negatives - scores.targets[:, None])
    return (scores.shares() * (ahead + torch.sigmoid(scores.negatives.square()))).sum(dim=1).mean()


def gbce(scores: Sampled, n_items: int, calibration: float) -> Tensor:
    """Return the generalised binary cross-entropy (Petrov and Macdonald, 2023), a scalar.

    ``-(beta * log sigmoid(r) + sum over k of log sigmoid(-s[k])) / (K + 1)``, averaged over rows, with
    ``beta = a * (t * (1 - 1/a) + 1/a)``, the sampling rate ``a = K / (V - 1)`` and the calibration t: at 0
    it is the plain cross-entropy, whose scores are overconfident by the sampling, at 1 that is undone.
    https://doi.org/10.1145/3604915.3608783; it differs in that the rows of a batch share their negatives.
    """
    n_negatives = scores.negatives.shape[1]
    rate = min(1.0, n_negatives / max(1, n_items - 1))
    beta = rate * (calibration * (1 - 1 / rate) + 1 / rate)
    against = (functional.logsigmoid(-scores.negatives) * ~scores.is_target).sum(dim=1)
    return -(beta * functional.logsigmoid(scores.targets) + against).mean() / (n_negatives + 1)
