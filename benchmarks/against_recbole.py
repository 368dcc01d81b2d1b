"""An epoch of a GRU on MovieLens-100K against one of RecBole's GRU4Rec, in processor seconds.

Hidden size 128, embeddings of 64, the last 50 movies, batches of 2,048 targets and one thread; reeltune in
float32 as RecBole, and in mixed precision, which RecBole has on GPUs only. Each side
trains once on every target (RecBole makes a history one row a target, reeltune trains all positions of a
window in one pass) and ranks the whole catalogue for everybody. RecBole's epochs come from
``recbole_epochs.py``, run on the same machine. From the root:

    python benchmarks/against_recbole.py --recbole recbole_epochs.jsonl --out benchmarks/results/recbole.json
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.files import read_lines, write_json
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import EpochReport
from reeltune.training.next_item import NextItemModule
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.run import run_trial

LABEL = "ndcg@10"
HISTORY_LENGTH = 50
BATCH_SIZE = 41
"""Windows in a batch: about RecBole's 2,048 targets."""


def own_epochs(prepared: Path, n_epochs: int, precision: str) -> list[dict[str, float]]:
    """Return processor seconds of training and validation and the validation figure, a line an epoch.

    Validation counts from its start to the report, the writing of the checkpoints with it.
    """
    marks = [time.process_time()]
    lines: list[dict[str, float]] = []

    start_validation = NextItemModule.on_validation_start

    def timed_start(module: NextItemModule) -> None:
        marks.append(time.process_time())
        start_validation(module)

    def report(epoch: EpochReport) -> None:
        marks.append(time.process_time())
        began, trained, validated = marks[-3:]
        lines.append(
            {
                "training_seconds": round(trained - began, 2),
                "validation_seconds": round(validated - trained, 2),
                LABEL: epoch.metrics[LABEL],
            }
        )

    config = TrialConfig(
        model=GRUConfig(embedding_dim=64, hidden_dim=128),
        training=TrainingConfig(
            max_epochs=n_epochs,
            patience=n_epochs,
            history_length=HISTORY_LENGTH,
            batch_size=BATCH_SIZE,
            precision=precision,
        ),
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(NextItemModule, "on_validation_start", timed_start),
    ):
        run_trial(config, open_tuning(prepared), report, directory=Path(folder), seed=1)
    return lines


def compared(own: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, Any]:
    """Return the ratio of an epoch, and of the way to what RecBole ranks at its best epoch here."""
    level = max(line[LABEL] for line in theirs)
    at = next(n for n, line in enumerate(theirs, 1) if line[LABEL] == level)
    reached = next((n for n, line in enumerate(own, 1) if line[LABEL] >= level), None)
    to_level = None if reached is None else _whole(own[:reached])
    # Its own start is not in the figure of an epoch: the first epoch pays for it.
    training, whole = (
        [median(times(lines)) for lines in (own[1:], theirs)] for times in (_training, _epochs)
    )
    return {
        "own_training_seconds": training[0],
        "recbole_training_seconds": training[1],
        "times_faster_training": round(training[1] / training[0], 1),
        "own_seconds_an_epoch": round(whole[0], 2),
        "recbole_seconds_an_epoch": round(whole[1], 2),
        "times_faster_an_epoch": round(whole[1] / whole[0], 1),
        "recbole_best_validation_ndcg@10": level,
        "recbole_seconds_to_it": round(_whole(theirs[:at]), 1),
        "own_seconds_to_it": None if to_level is None else round(to_level, 1),
        "times_faster_to_it": None if to_level is None else round(_whole(theirs[:at]) / to_level, 1),
        "own_best_validation_ndcg@10": max(line[LABEL] for line in own),
        "own_epochs_in_full": own,
    }


def _training(lines: list[dict[str, float]]) -> list[float]:
    return [line["training_seconds"] for line in lines]


def _epochs(lines: list[dict[str, float]]) -> list[float]:
    return [line["training_seconds"] + line["validation_seconds"] for line in lines]


def _whole(lines: list[dict[str, float]]) -> float:
    return sum(_epochs(lines))


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recbole", type=Path, required=True, help="file of recbole_epochs.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--data-dir", type=Path, help="where the data set's files are")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    theirs = read_lines(arguments.recbole)
    prepared = prepare(DataConfig(dataset="movielens-100k"), data_dir=arguments.data_dir)
    data = open_tuning(prepared)
    load = os.getloadavg()[0]
    own = {
        precision: compared(own_epochs(prepared, arguments.epochs, precision), theirs)
        for precision in ("float32", "mixed")
    }
    result = {
        "machine": {"cores": os.cpu_count(), "platform": platform.platform(), "threads": 1},
        "load_average": round(load, 2),
        "versions": {name: version(name) for name in ("reeltune", "torch", "lightning")},
        "own_targets_an_epoch": int((data.train.lengths - 1).clip(min=0).sum()),
        "recbole_targets_an_epoch": theirs[0]["targets"],
        "recbole_epochs": len(theirs),
        "by_own_precision": own,
        "recbole_epochs_in_full": theirs,
    }
    write_json(arguments.out, result)
    for precision, figures in own.items():
        print(precision, {name: value for name, value in figures.items() if not name.endswith("full")})


if __name__ == "__main__":
    main()
