"""Rating prediction over folds: a recurrent network beside predictors without one.

Every fold is a split of its own, and every training a job. The number of the network's epochs is chosen on
the fold's validation rows before the fold's test rows are opened. Then all are fitted to all rows that are
not test, as the published figures are; the network from fresh weights for as many epochs.

Shapes: M test rows of a fold.
"""

from __future__ import annotations

import tempfile
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
from reeltune.data.ratings import Ratings
from reeltune.data.store import open_held_out, open_tuning, prepare
from reeltune.errors import DataError, DivergedError
from reeltune.evaluation.studies import Notify, silent
from reeltune.files import read_lines
from reeltune.metrics.rating import DEFAULT_THRESHOLD, decide, rating_errors
from reeltune.models.registry import MODELS, AnyRatingBaselineConfig, check_packages, models_of
from reeltune.seeding import derive
from reeltune.training.epochs import BEST_CHECKPOINT
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.trial.config import RatingTrialConfig, one_go
from reeltune.tuning.trial.job import TrialJob
from reeltune.tuning.trial.jobs import LocalPool, run_jobs

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
    network: RatingTrialConfig = RatingTrialConfig()
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
    check_packages(baseline.name for baseline in spec.baselines)
    folds, splits = [], spec.folds.splits()
    with tempfile.TemporaryDirectory() as folder:
        for number, split in enumerate(splits, start=1):
            notify(f"fold {number} of {len(splits)}: {split.text()}")
            place = Path(folder) / f"fold-{number}"
            folds.append(_fold(spec, split, place, data_dir=data_dir, n_threads=n_threads, notify=notify))
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
    spec: RatingSpec,
    split: KFold | OfficialFold,
    folder: Path,
    *,
    data_dir: Path | None,
    n_threads: int,
    notify: Notify,
) -> _Fold:
    from reeltune.training.rating import load_rater

    config = DataConfig(dataset=spec.dataset, split=split, k_core=1)
    prepared = prepare(config, data_dir=data_dir, notify=notify)
    data = open_tuning(prepared)
    label = MODELS[spec.network.model.name].label
    if not Ratings.of(data.validation).n_ratings:
        raise DataError(f"{spec.dataset} has too few ratings to validate on; choose other data")

    def job(name: str, config: RatingTrialConfig, **changes: Any) -> TrialJob:
        return TrialJob(
            number=0,
            seed=derive(spec.seed, split.text()),
            params={},
            config=config.plain(),
            directory=str(folder / name),
            data_directory=str(prepared),
            study=name,
            study_directory=str(folder),
            n_threads=n_threads,
            name=f"  {name}",
            **changes,
        )

    executor = LocalPool()
    first = job(label, spec.network)
    (chosen,) = run_jobs([first], executor, notify)
    if chosen.state is not TrialState.COMPLETE:
        raise DivergedError(chosen.reason)
    last = {"is_refit": True, "end_epoch": chosen.best_epoch}
    final = {label: job(f"{label} on all known ratings", spec.network, **last)}
    for baseline in spec.baselines:
        name = MODELS[baseline.name].label
        config_of_one = RatingTrialConfig(model=baseline, training=one_go("rating"))
        final[name] = job(name, config_of_one, is_refit=True, end_epoch=1)
    results = run_jobs(list(final.values()), executor, notify)
    test = Ratings.of(open_held_out(prepared).test)  # everything is decided by now
    fold = _Fold(
        split=split.text(),
        ledger=data.ledger.plain(),
        opened=datetime.now(UTC).isoformat(timespec="seconds"),
        actual=test.stars,
        course=[line["metrics"]["rmse"] for line in read_lines(Path(first.directory) / "epochs.jsonl")],
        seconds=chosen.seconds + results[0].seconds,
    )
    for name, one in final.items():
        fold.predicted[name] = load_rater(Path(one.directory) / BEST_CHECKPOINT)(test)
        errors = rating_errors(fold.predicted[name], test.stars)
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
