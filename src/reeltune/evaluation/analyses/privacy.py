"""What a model's state gives away about users.

Shapes: M queries or users, D width of a state, T steps, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from reeltune.data.prepared import Queries
from reeltune.data.sequences import query_batches
from reeltune.errors import ConfigError
from reeltune.evaluation.analyses.membership import auc
from reeltune.evaluation.compare import Comparison, Interval, compare_paired, mean_interval
from reeltune.metrics.evaluate import evaluating
from reeltune.models.base import SequenceNetwork
from reeltune.seeding import derive

MIN_CLASS = 20
"""People that a class needs to be probed: with five folds, four of them test it in each."""

N_FOLDS = 5

N_RESAMPLES = 500
"""Bootstrap resamples of the AUC."""


@dataclass(frozen=True)
class Probe:
    """How well an attribute of users is read from what the model holds of them."""

    attribute: str
    classes: tuple[str, ...]
    n_people: int
    accuracy: Interval  # on users that the probe was not fitted on
    balanced_accuracy: float  # mean over classes; 1 / classes is blind guessing
    auc: Interval  # mean over classes of the ROC AUC of one against the rest; 0.5 is blind guessing
    majority: Interval  # accuracy of always answering the largest class
    against_majority: Comparison
    n_left_out: int  # users of unknown or too small classes

    @property
    def is_readable(self) -> bool:
        """Whether the state reveals the attribute, more than the largest class or a blind order does."""
        return self.against_majority.is_better or self.auc.low > 0.5

    def verdict(self) -> str:
        """Return in words whether the state reveals the attribute."""
        gain = self.against_majority
        sure = "can be read" if self.is_readable else "cannot be told from guessing"
        right, largest = 100 * self.accuracy.value, 100 * self.majority.value
        points = f"{100 * gain.difference.value:+.1f} points, p = {gain.p_value:.3g}"
        return (
            f"{self.attribute} {sure} from the model's state: AUC {self.auc.value:.3f} "
            f"({self.auc.low:.3f} to {self.auc.high:.3f}; 0.5 is guessing), right for {right:.1f} % of "
            f"{self.n_people:,} users, the largest class alone for {largest:.1f} % ({points}); "
            f"balanced over classes {100 * self.balanced_accuracy:.1f} %, blind guessing "
            f"{100 / len(self.classes):.1f} %"
        )

    def plain(self) -> dict[str, Any]:
        """Return the probe as plain Python values."""
        return asdict(self) | {
            "against_majority": self.against_majority.plain(),
            "is_readable": self.is_readable,
            "verdict": self.verdict(),
        }


def user_states(network: SequenceNetwork, queries: Queries, batch_size: int = 256) -> NDArray[np.float32]:
    """Return the network's state after each query's history, what it "knows" of the user, [M, D]."""
    states: NDArray[np.float32] | None = None
    with evaluating(network) as device:
        for batch in query_batches(queries, batch_size=batch_size):
            encoded = network.encode(batch.histories.to(device))  # [B, T, D]
            last = encoded[torch.arange(len(encoded)), batch.histories.lengths.to(device) - 1]
            if states is None:
                states = np.zeros((queries.n_queries, last.shape[1]), dtype=np.float32)
            states[batch.index.numpy()] = last.float().cpu().numpy()
    if states is None:
        raise ConfigError("no queries: there is no state to read")
    return states


def probe_attribute(
    states: ArrayLike, labels: Sequence[str], *, attribute: str, seed: int = 0, min_class: int = MIN_CLASS
) -> Probe | None:
    """Return how well a linear probe reads ``labels`` from ``states`` [M, D], None where it cannot be asked.

    Logistic regression on standardised states, five folds stratified by class, each user judged by
    a probe fitted on others; the regularisation is fixed, so nothing is tuned on the answer. None
    where fewer than two classes have ``min_class`` users.

    Args:
        states: One row a user.
        labels: The attribute of each; empty where unknown.
        attribute: Its name.
        seed: Origin of the folds and draws.
        min_class: People that a class needs; smaller ones are left out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = np.asarray(labels, dtype=object)
    found, sizes = np.unique(names[names != ""].astype(str), return_counts=True)
    classes = tuple(str(name) for name in found[sizes >= max(min_class, N_FOLDS)])
    if len(classes) < 2:
        return None
    keep = np.isin(names.astype(str), classes)
    x, y = np.asarray(states, dtype=np.float64)[keep], names[keep].astype(str)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=derive(seed, "probe", attribute) % 2**32)
    chances = cross_val_predict(probe, x, y, cv=folds, method="predict_proba")  # [m, C]
    ordered = np.unique(y)
    is_right = (ordered[chances.argmax(axis=1)] == y).astype(np.float64)
    largest = max(classes, key=lambda name: int((y == name).sum()))
    is_largest = (y == largest).astype(np.float64)
    return Probe(
        attribute=attribute,
        classes=classes,
        n_people=len(y),
        accuracy=mean_interval(is_right, seed=seed),
        balanced_accuracy=float(balanced_accuracy_score(y, ordered[chances.argmax(axis=1)])),
        auc=_auc_interval(chances, y, ordered, seed),
        majority=mean_interval(is_largest, seed=seed),
        against_majority=compare_paired(
            is_right, is_largest, opponent_name="the largest class", metric="accuracy", seed=seed
        ),
        n_left_out=int((~keep).sum()),
    )


def _auc_interval(
    chances: NDArray[np.float64], y: NDArray[Any], classes: NDArray[Any], seed: int
) -> Interval:
    """Return the mean AUC of each class against the rest, with its interval over users drawn again."""
    rng = np.random.default_rng(derive(seed, "auc"))
    drawn = []
    for _ in range(N_RESAMPLES):
        rows = rng.integers(len(y), size=len(y))
        drawn.append(_mean_auc(chances[rows], y[rows], classes))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(_mean_auc(chances, y, classes), float(low), float(high))


def _mean_auc(chances: NDArray[np.float64], y: NDArray[Any], classes: NDArray[Any]) -> float:
    found = [
        auc(chances[y == name, column], chances[y != name, column])
        for column, name in enumerate(classes)
        if 0 < (y == name).sum() < len(y)
    ]
    return float(np.mean(found)) if found else float("nan")
