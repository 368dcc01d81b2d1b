"""Processor seconds of each epoch of RecBole 1.2.1's GRU4Rec on MovieLens-100K, and what it ranks after it.

Hidden size 128, embeddings of 64, the last 50 movies, RecBole's defaults for the rest, one thread. It runs in
RecBole's own virtual environment (see ``recbole_trials.py``) and writes a line an epoch, so that it may be
stopped at any time; ``against_recbole.py`` takes the file in:

    recbole/bin/python benchmarks/recbole_epochs.py --epochs 10 --out recbole_epochs.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from recbole_trials import settings

SIZES = {"embedding_size": 64, "hidden_size": 128, "num_layers": 1, "MAX_ITEM_LIST_LENGTH": 50}


def write_epochs(out: Path) -> None:
    """Make RecBole's trainer write a line for each epoch: processor seconds, and NDCG@10 on validation."""
    from recbole.trainer import Trainer

    fit_epoch, validate = Trainer._train_epoch, Trainer._valid_epoch
    seconds = 0.0

    def train_epoch(self: Any, data: Any, epoch: int, **options: Any) -> Any:
        nonlocal seconds
        start = time.process_time()
        result = fit_epoch(self, data, epoch, **options)
        seconds = time.process_time() - start
        return result

    def valid_epoch(self: Any, data: Any, **options: Any) -> Any:
        start = time.process_time()
        result = validate(self, data, **options)
        line = {
            "training_seconds": round(seconds, 2),
            "validation_seconds": round(time.process_time() - start, 2),
            "targets": len(self.train_data_seen),
            "ndcg@10": float(result[0]),
            "load_average": round(os.getloadavg()[0], 2),
        }
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)
        return result

    Trainer._train_epoch, Trainer._valid_epoch = train_epoch, valid_epoch


def main() -> None:
    """Train and write a line an epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # RecBole loads pickles of its own
    import recbole
    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    torch.set_num_threads(1)
    out = arguments.out.absolute()
    out.unlink(missing_ok=True)
    examples = Path(recbole.__file__).parent / "dataset_example"
    config = Config(config_dict=settings(examples, arguments.epochs, out.parent / "saved") | SIZES)
    init_seed(config["seed"], config["reproducibility"])
    torch.set_num_threads(1)
    train, valid, _ = data_preparation(config, create_dataset(config))
    network = get_model(config["model"])(config, train.dataset)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, network)
    trainer.train_data_seen = train.dataset
    write_epochs(out)
    trainer.fit(train, valid, saved=False, verbose=False)


if __name__ == "__main__":
    main()
