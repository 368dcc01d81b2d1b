"""Rating prediction over folds: a recurrent network beside predictors without one.

Every fold is a split of its own. The number of the network's epochs is chosen on the fold's validation
rows before the fold's test rows are opened. Then all are fitted to all rows that are not test, as the
published figures are; the network from fresh weights for as many epochs.

Shapes: M test rows of a fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from reeltune.config import Config, load_yaml, parse, with_change
from reeltune.data.config import DataConfig
from reeltune.data.prepare.folds import KFold, OfficialFold
from reeltune.data.ratings import Ratings, known_ratings
from reeltune.data.store import open_held_out, open_tuning, prepare
from reeltune.errors import DataError
from reeltune.evaluation.studies import Notify, silent
from reeltune.metrics.decisions import DEFAULT_THRESHOLD, decide
from reeltune.metrics.rating import rating_errors
from reeltune.models.baselines.fit import fit_rating_baseline
from reeltune.models.registry import MODELS, AnyRatingBaselineConfig, models_of
from reeltune.seeding import derive
from reeltune.training.rating_config import RatingTrainingConfig

__all__ = ["FoldSettings", "RatingSpec", "evaluate_ratings", "load_rating_spec"]

Stars = NDArray[np.float32]


class FoldSettings(Config):
    """How rows are parted into test and the rest."""

    name: Literal["official-fold", "k-fold"] = "k-fold"
    """The publisher's five folds, or rows dealt at random."""
    n_folds: int = Field(default=5, ge=2, le=100)
    """Folds in all, 2 to 100; the publisher's are 5."""
    which: list[Annotated[int, Field(ge=1, le=100)]] = Field(default=[])
    """Folds that are evaluated, counted from 1; empty for all."""
    seed: int = Field(default=17, ge=0)
    """Seed of the dealing."""

    @model_validator(mode="after")
    def _folds_exist(self) -> FoldSettings:
        if self.name == "official-fold" and self.n_folds != 5:
            raise ValueError(f"the publisher gives no folds but 5, n_folds is {self.n_folds}; leave it out")
        for fold in self.which:
            if fold > self.n_folds:
                raise ValueError(f"fold {fold} does not exist; there are {self.n_folds}")
        return self

    def splits(self) -> list[KFold | OfficialFold]:
        """Return the split of each fold that is evaluated."""
        folds = self.which or list(range(1, self.n_folds + 1))
        if self.name == "official-fold":
            return [OfficialFold(fold=fold) for fold in folds]
        return [KFold(n_folds=self.n_folds, fold=fold, seed=self.seed) for fold in folds]


class RatingSpec(Config):
    """An experiment on rating prediction as it is written."""

    question: str = ""
    """What the experiment is to find out."""
    dataset: str
    """Name in the registry of data sets."""
    folds: FoldSettings = FoldSettings()
    """How rows are parted."""
    network: RatingTrainingConfig = RatingTrainingConfig()
    """The recurrent network, its head and its training."""
    baselines: list[AnyRatingBaselineConfig] = Field(
        default=[entry.default() for entry in models_of("rating baseline").values()]
    )
    """Predictors without a network."""
    threshold: float = Field(default=DEFAULT_THRESHOLD, gt=0.0, le=10.0)
    """Stars from which a movie counts as liked, above 0 to 10."""
    seed: int = Field(default=17, ge=0, lt=2**63)
    """Origin of all randomness besides the dealing of rows."""


def load_rating_spec(path: Path, changes: Sequence[str] = ()) -> RatingSpec:
    """Return the experiment in the YAML file ``path`` with ``changes``, each ``dotted.name=value``, put in.

    Raises:
        ConfigError: A key or value is wrong; the message gives file and line.
    """
    document = load_yaml(path)
    for change in changes:
        document = with_change(document, change)
    return parse(RatingSpec, document)


@dataclass
class _Fold:
    """What one fold yields."""

    split: str
    ledger: dict[str, Any]
    opened: str
    actual: Stars
    predicted: dict[str, Stars] = field(default_factory=dict)
    course: list[float] = field(default_factory=list)
    seconds: float = 0.0


def evaluate_ratings(
    spec: RatingSpec, *, data_dir: Path | None = None, n_threads: int = 1, notify: Notify = silent
) -> dict[str, Any]:
    """Return RMSE, MAE and decisions of every predictor over the folds, as plain values.

    Errors are the means over folds, with their standard deviation; decisions, calibration and matrices
    are of all folds' test rows together.

    Args:
        spec: What is compared on which folds.
        data_dir: Where to look for the data first.
        n_threads: Threads that torch may use.
        notify: Receives lines of progress.

    Raises:
        DataError: The data cannot be found, or have no such folds or no ratings.
        ConfigError: A predictor's package is not installed.
        DivergedError: The network's loss is not finite.
    """
    folds = []
    for number, split in enumerate(spec.folds.splits(), start=1):
        notify(f"fold {number} of {len(spec.folds.splits())}: {split.text()}")
        folds.append(_fold(spec, split, data_dir, n_threads, notify))
    return {
        "spec": spec.plain(),
        "folds": [
            {
                "split": fold.split,
                "fingerprint": fold.ledger["fingerprint"],
                "n_test": len(fold.actual),
                "opened": fold.opened,
                "validation_rmse": fold.course,
                "network_seconds": fold.seconds,
                "errors": {name: rating_errors(of, fold.actual) for name, of in fold.predicted.items()},
            }
            for fold in folds
        ],
        "models": {name: _summary(name, folds, spec.threshold) for name in folds[0].predicted},
        "data": {key: value for key, value in folds[0].ledger.items() if key not in ("split", "fingerprint")},
    }


def _fold(
    spec: RatingSpec, split: KFold | OfficialFold, data_dir: Path | None, n_threads: int, notify: Notify
) -> _Fold:
    from reeltune.training.rating import fit_ratings, predict_ratings

    config = DataConfig(dataset=spec.dataset, split=split, k_core=1)
    prepared = prepare(config, data_dir=data_dir, notify=notify)
    data = open_tuning(prepared)
    label, seed = MODELS[spec.network.model.name].label, derive(spec.seed, split.text())

    def report(epoch: int, rmse: float) -> None:
        notify(f"  {label} epoch {epoch}: validation RMSE {rmse:.4f}")

    train, validation = known_ratings(data.train), Ratings.of(data.validation)
    if not train.n_ratings or not validation.n_ratings:
        raise DataError(f"{spec.dataset} has too few ratings to train and validate on; choose other data")
    fitted = fit_ratings(
        spec.network, train, validation, data.n_items, seed=seed, n_threads=n_threads, report=report
    )
    n_epochs = 1 + int(np.argmin(fitted.validation_rmse))
    held_out = open_held_out(prepared).test  # everything is decided by now
    test, rest = Ratings.of(held_out), known_ratings(held_out.sequences)
    notify(f"  {label} again on all known ratings: {n_epochs} epochs")
    again = fit_ratings(
        spec.network, rest, None, data.n_items, seed=seed, n_epochs=n_epochs, n_threads=n_threads
    )
    fold = _Fold(
        split=split.text(),
        ledger=data.ledger.plain(),
        opened=datetime.now(UTC).isoformat(timespec="seconds"),
        actual=test.stars,
        course=fitted.validation_rmse,
        seconds=fitted.seconds + again.seconds,
    )
    fold.predicted[label] = predict_ratings(again.network, test, bounds=train.bounds)
    for baseline in spec.baselines:
        name = MODELS[baseline.name].label
        predictor = fit_rating_baseline(baseline, rest, data.n_items, seed=seed)
        fold.predicted[name] = np.clip(predictor.predict(test), *train.bounds)
    for name, of in fold.predicted.items():
        errors = rating_errors(of, test.stars)
        notify(f"  {name}: test RMSE {errors['rmse']:.4f}, MAE {errors['mae']:.4f}")
    return fold


def _summary(name: str, folds: Sequence[_Fold], threshold: float) -> dict[str, Any]:
    errors = [rating_errors(fold.predicted[name], fold.actual) for fold in folds]
    predicted = np.concatenate([fold.predicted[name] for fold in folds])
    actual = np.concatenate([fold.actual for fold in folds])
    return {
        **{metric: _over_folds(errors, metric) for metric in ("rmse", "mae")},
        "decisions": decide(predicted, actual, threshold).plain(),
    }


def _over_folds(errors: Sequence[Mapping[str, float]], metric: str) -> dict[str, float]:
    values = [error[metric] for error in errors]
    return {"mean": fmean(values), "sd": stdev(values) if len(values) > 1 else 0.0}
