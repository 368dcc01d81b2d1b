"""Hyperparameter optimization for recurrent movie recommenders.

The names below are all that most scripts need; each is loaded when it is first used::

    experiment = reeltune.load_experiment(Path("experiments/ml100k_gru.yaml"))
    run = reeltune.tune(experiment, Path("studies/ml100k_gru"))
    print(reeltune.make_leaderboard(run.study.directory).verdict)
    reeltune.export_study(run.study.directory, Path("bundles/ml100k_gru"))
    reeltune.Recommender.load("bundles/ml100k_gru").recommend(["Fargo (1996)"], k=5)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reeltune.version import __version__

if TYPE_CHECKING:
    from reeltune.data.datamodule import SequenceDataModule
    from reeltune.evaluation.final import evaluate_study
    from reeltune.evaluation.leaderboard import make_leaderboard
    from reeltune.experiment import resume, train, tune
    from reeltune.serving.bundle.export import export_study
    from reeltune.serving.recommend.recommender import Recommender
    from reeltune.tuning.study.experiment_file import load_experiment

__all__ = [
    "Recommender",
    "SequenceDataModule",
    "__version__",
    "evaluate_study",
    "export_study",
    "load_experiment",
    "make_leaderboard",
    "resume",
    "train",
    "tune",
]


_HOMES = {
    "Recommender": "reeltune.serving.recommend.recommender",
    "SequenceDataModule": "reeltune.data.datamodule",
    "evaluate_study": "reeltune.evaluation.final",
    "export_study": "reeltune.serving.bundle.export",
    "load_experiment": "reeltune.tuning.study.experiment_file",
    "make_leaderboard": "reeltune.evaluation.leaderboard",
    "resume": "reeltune.experiment",
    "train": "reeltune.experiment",
    "tune": "reeltune.experiment",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'reeltune' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
