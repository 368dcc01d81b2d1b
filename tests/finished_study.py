"""A study folder as the tuner leaves it: two real trials on generated data, one diverged, one failed."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.files import read_json, write_json
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.config import TrainingConfig
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.space.parameters import Choice, FloatRange, IntRange
from reeltune.tuning.space.search_space import Space
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.spec import FinalConfig, StudySettings, StudySpec
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.run import run_trial

SPACE = Space(
    model="gru",
    space={
        "model.hidden_dim": IntRange(low=4, high=64, log=True),
        "training.learning_rate": FloatRange(low=1e-4, high=3e-2, log=True),
        "training.batch_size": Choice(values=[32, 64, 128]),
    },
)


def _config(hidden_dim: int, learning_rate: float, max_epochs: int) -> TrialConfig:
    return TrialConfig(
        model=GRUConfig(embedding_dim=16, hidden_dim=hidden_dim, dropout=0.0),
        training=TrainingConfig(learning_rate=learning_rate, batch_size=64, max_epochs=max_epochs),
    )


def _params(config: TrialConfig) -> dict[str, Any]:
    return {
        "model.hidden_dim": config.model.hidden_dim,
        "training.learning_rate": config.training.learning_rate,
        "training.batch_size": config.training.batch_size,
    }


RUNNING = {"state": "running", "value": None, "n_epochs": 0, "best_epoch": 0, "metrics": {}, "seconds": 0.0}
"""What the row of a trial says before it has ended."""


def fail_trials(directory: Path, *numbers: int) -> None:
    """Let trials of a study have failed before their first epoch."""
    for number in numbers:
        folder = directory / "trials" / f"{number:05d}"
        (folder / "epochs.jsonl").unlink()
        row = read_json(folder / "trial.json")
        write_json(folder / "trial.json", row | RUNNING | {"state": "failed"})


def make_finished_study(directory: Path, *, final_seeds: int = 1, refit: bool = False) -> Path:
    """Return the folder of a study of four trials that was made in ``directory``."""
    data_config = DataConfig(dataset="synthetic")
    data = open_tuning(prepare(data_config))
    configs = [_config(16, 0.01, 3), _config(8, 0.002, 2), _config(64, 0.03, 2), _config(64, 0.02, 2)]
    spec = StudySpec(
        question="Does a GRU learn what generated film-goers do?",
        data=data_config,
        trial=configs[0],
        space=SPACE,
        study=StudySettings(trials=len(configs)),
        final=FinalConfig(seeds=final_seeds, refit=refit),
        baselines=["windowed-markov", "popularity"],  # all take seconds
    )
    study = Study.create(directory, spec, data.ledger)
    for number, config in enumerate(configs[:2]):
        folder = study.trial_directory(number)
        folder.mkdir(parents=True)
        result = run_trial(
            config, data, functools.partial(study.append_epoch, number), directory=folder, seed=number
        )
        (folder / "last.ckpt").unlink()
        study.write_row(
            TrialRow(
                number,
                TrialState.COMPLETE if number == 0 else TrialState.STOPPED,
                "all epochs run" if number == 0 else "stopped by asha at epoch 2",
                _params(config),
                config.plain(),
                number,
                value=result.metrics["ndcg@10"],
                best_epoch=result.best_epoch,
                metrics=result.metrics,
                n_epochs=result.n_epochs,
                n_parameters=result.n_parameters,
                seconds=result.seconds,
            )
        )
    diverged, failed = "the training loss is nan at epoch 1", "RuntimeError: <no> memory & more"
    for number, state, reason in ((2, TrialState.DIVERGED, diverged), (3, TrialState.FAILED, failed)):
        config = configs[number]
        study.write_row(TrialRow(number, state, reason, _params(config), config.plain(), number))
    study.write_elapsed(12.5)
    return directory
