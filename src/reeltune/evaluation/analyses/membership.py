"""Whether a model reveals what it was trained on.

Shapes: M queries, U users, V catalogue.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from reeltune.data.prepared import PAD, Queries, TuningData
from reeltune.data.sequences import query_batches
from reeltune.errors import ConfigError
from reeltune.evaluation.compare import Interval
from reeltune.metrics.evaluate import evaluating
from reeltune.models.base import Scorer
from reeltune.seeding import derive

N_RESAMPLES = 1000
"""Bootstrap resamples of an attack's success."""


@dataclass(frozen=True)
class Membership:
    """How well an attacker separates what the model was trained on from what it was not."""

    unit: str  # what is a member, in words
    n_members: int
    n_others: int
    auc: Interval  # 0.5 is blind guessing
    advantage: float  # largest true-positive rate minus false-positive rate
    at_1_percent: float  # true-positive rate where 1 % of the others are flagged
    reference: str  # whose losses were subtracted; empty for none

    @property
    def is_leaking(self) -> bool:
        """Whether the attack does better than guessing beyond chance."""
        return self.auc.low > 0.5

    def verdict(self) -> str:
        """Return the result in words."""
        with_reference = f", losses taken against {self.reference}" if self.reference else ""
        sure = (
            "the model reveals what it was trained on"
            if self.is_leaking
            else ("no leak was found beyond chance")
        )
        return (
            f"{sure}: telling {self.n_members:,} {self.unit} from {self.n_others:,} others succeeds "
            f"with AUC {self.auc.value:.3f} ({self.auc.low:.3f} to {self.auc.high:.3f}; 0.5 is guessing"
            f"{with_reference}); "
            f"{100 * self.at_1_percent:.1f} % are found where 1 % of the others are flagged"
        )

    def plain(self) -> dict[str, Any]:
        """Return the result as plain Python values."""
        return asdict(self) | {"is_leaking": self.is_leaking, "verdict": self.verdict()}


def check_membership(scorer: Scorer, data: TuningData, *, seed: int = 0) -> Membership:
    """Return how well the last movie that a model was trained on is separated from the next one.

    Both follow each other in the same user's history, so they differ in little but membership: of several
    validation targets a user the first is taken. What is left of it (tastes drift, later movies may be
    harder) the reference knows too: windowed Markov, counted on what precedes both.

    Args:
        scorer: The model, such as that of an exported bundle.
        data: The data that it was trained on.
        seed: Origin of the draws.
    """
    from reeltune.models.baselines.fit import fit_baseline
    from reeltune.models.baselines.markov import MarkovConfig

    members, others = last_training_queries(data), data.validation.one_a_user("first")
    reference = fit_baseline(MarkovConfig(), members.known(), data.n_items)
    return membership_attack(
        target_losses(scorer, members),
        target_losses(scorer, others),
        unit="movies of the training",
        reference_members=target_losses(reference, members),
        reference_others=target_losses(reference, others),
        reference="windowed Markov, which has seen neither",
        seed=seed,
    )


def last_training_queries(data: TuningData) -> Queries:
    """Return a query for the last training event of each user with at least two, [M]."""
    train = data.train
    (users,) = np.nonzero(train.lengths > 1)
    ends = train.offsets[users + 1] - 1
    return Queries(
        sequences=train,
        user=users.astype(np.int32),
        end=ends,
        target=train.items[ends],
        target_rating=train.ratings[ends],
        target_timestamp=train.timestamps[ends],
    )


def target_losses(scorer: Scorer, queries: Queries, batch_size: int = 256) -> NDArray[np.float64]:
    """Return how surprised the model is by each query's target, ``-log softmax``, in nats, shape [M].

    Movies of the history are no candidates, as in a list. Baselines whose scores are no log
    probabilities can be used all the same: an attack needs an order only.
    """
    losses = np.zeros(queries.n_queries)
    with evaluating(scorer) as device:
        for batch in query_batches(queries, batch_size=batch_size):
            histories, targets = batch.histories.to(device), batch.targets.to(device)
            scores = scorer.scores(histories).double()
            at_target = scores.gather(1, targets[:, None])
            scores = scores.scatter(1, histories.items, -torch.inf)
            scores[:, PAD] = -torch.inf
            scores = scores.scatter(1, targets[:, None], at_target)
            found = scores.logsumexp(dim=1) - at_target[:, 0]
            losses[batch.index.numpy()] = found.cpu().numpy()
    return losses


def membership_attack(
    members: ArrayLike,
    others: ArrayLike,
    *,
    unit: str,
    reference_members: ArrayLike | None = None,
    reference_others: ArrayLike | None = None,
    reference: str = "",
    seed: int = 0,
) -> Membership:
    """Return how well a threshold on the loss separates members from others.

    The smaller the loss, the likelier a member (Yeom et al., 2018). What is easy for every model is no
    sign of training, so the losses of a reference that has seen neither are subtracted (Watson et
    al., 2022).

    Args:
        members: Losses of what the model was trained on, [m].
        others: Losses of what it was not, [n].
        unit: What a member is, in words.
        reference_members: Losses of the reference for the members, [m].
        reference_others: Likewise for the others, [n].
        reference: Name of the reference.
        seed: Origin of the draws.

    Raises:
        ConfigError: One side is empty, a loss is not finite, or one reference is missing.
    """
    if (reference_members is None) != (reference_others is None):
        raise ConfigError("a reference needs its losses for members and for others")
    inside = -np.asarray(members, dtype=np.float64)
    outside = -np.asarray(others, dtype=np.float64)
    if reference_members is not None and reference_others is not None:
        inside = inside + np.asarray(reference_members, dtype=np.float64)
        outside = outside + np.asarray(reference_others, dtype=np.float64)
    if not len(inside) or not len(outside):
        raise ConfigError(f"{len(inside)} members and {len(outside)} others: both sides need some")
    if not (np.isfinite(inside).all() and np.isfinite(outside).all()):
        raise ConfigError("a loss is not finite; nothing to attack")
    rng = np.random.default_rng(derive(seed, "membership"))
    drawn = [
        auc(rng.choice(inside, len(inside)), rng.choice(outside, len(outside))) for _ in range(N_RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    cuts = np.unique(np.concatenate([inside, outside]))
    found = 1 - np.searchsorted(np.sort(inside), cuts, side="left") / len(inside)
    flagged = 1 - np.searchsorted(np.sort(outside), cuts, side="left") / len(outside)
    at_most = found[flagged <= 0.01]
    return Membership(
        unit=unit,
        n_members=len(inside),
        n_others=len(outside),
        auc=Interval(auc(inside, outside), float(low), float(high)),
        advantage=float(np.maximum(found - flagged, 0.0).max()),
        at_1_percent=float(at_most.max()) if len(at_most) else 0.0,
        reference=reference,
    )


def auc(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """Return the chance that one of ``inside`` lies above one of ``outside``, ties counting half."""
    ordered = np.sort(outside)
    below = np.searchsorted(ordered, inside, side="left")
    not_above = np.searchsorted(ordered, inside, side="right")
    return float((below + not_above).mean() / 2 / len(outside))
