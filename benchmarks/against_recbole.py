"""An epoch of a GRU on MovieLens-100K against one of RecBole's GRU4Rec, in processor seconds.

Hidden size 128, embeddings of 64, the last 50 movies, batches of 2,048 targets and one thread; each side
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
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch

from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.files import read_lines, write_json
from reeltune.models.gru import GRUConfig
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import EpochReport
from reeltune.tuning.trial import TrialConfig, run_trial

LABEL = "ndcg@10"
HISTORY_LENGTH = 50
BATCH_SIZE = 41
"""Windows in a batch: about RecBole's 2,048 targets."""


def own_epochs(prepared: Path, n_epochs: int) -> list[dict[str, float]]:
    """Return processor seconds since the data were opened and the validation figure, a line an epoch."""
    start = time.process_time()
    lines: list[dict[str, float]] = []

    def report(epoch: EpochReport) -> None:
        lines.append({"seconds_so_far": round(time.process_time() - start, 2), LABEL: epoch.metrics[LABEL]})

    config = TrialConfig(
        model=GRUConfig(embedding_dim=64, hidden_dim=128),
        training=TrainingConfig(
            max_epochs=n_epochs, patience=n_epochs, history_length=HISTORY_LENGTH, batch_size=BATCH_SIZE
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        run_trial(config, open_tuning(prepared), report, directory=Path(folder), seed=1)
    return lines


def compared(own: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, Any]:
    """Return the ratio of an epoch, and of the way to what RecBole ranks after its last epoch here."""
    so_far = [0.0, *(line["seconds_so_far"] for line in own)]
    epochs = [after - before for before, after in pairwise(so_far)]
    their_epochs = [line["training_seconds"] + line["validation_seconds"] for line in theirs]
    level = max(line[LABEL] for line in theirs)
    reached = next((line["seconds_so_far"] for line in own if line[LABEL] >= level), None)
    return {
        "own_seconds_an_epoch": round(median(epochs[1:]), 3),  # the first pays for the start
        "recbole_seconds_an_epoch": round(median(their_epochs), 2),
        "times_faster_an_epoch": round(median(their_epochs) / median(epochs[1:]), 1),
        "recbole_epochs": len(theirs),
        "recbole_best_validation_ndcg@10": level,
        "recbole_seconds_to_it": round(sum(their_epochs), 1),
        "own_seconds_to_it": reached,
        "times_faster_to_it": None if reached is None else round(sum(their_epochs) / reached, 1),
        "own_best_validation_ndcg@10": max(line[LABEL] for line in own),
    }


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
    own = own_epochs(prepared, arguments.epochs)
    result = {
        "machine": {"cores": os.cpu_count(), "platform": platform.platform(), "threads": 1},
        "load_average": round(load, 2),
        "versions": {name: version(name) for name in ("reeltune", "torch", "lightning")},
        "own_targets_an_epoch": int((data.train.lengths - 1).clip(min=0).sum()),
        "recbole_targets_an_epoch": theirs[0]["targets"],
        **compared(own, theirs),
        "own_epochs": own,
        "recbole_epochs_in_full": theirs,
    }
    write_json(arguments.out, result)
    print({name: value for name, value in result.items() if not name.endswith(("_epochs", "full"))})


if __name__ == "__main__":
    main()
