"""Makes small studies; as a script, drives one until its end: FOLDER ENTRY [TIMES]."""

import os
import sys
from pathlib import Path

from reeltune.config import parse_yaml
from reeltune.data.config import DataConfig
from reeltune.data.prepared import Ledger
from reeltune.training.config import TrainingConfig
from reeltune.training.epochs import EpochReport
from reeltune.tuning.ray.engine import run_study
from reeltune.tuning.ray.session import private_environment, start_ray
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.spec import StudySettings, StudySpec
from reeltune.tuning.trial.config import TrialConfig

SPACE = """
model: gru
space:
  training.learning_rate: {kind: float, low: 1e-4, high: 1.0, log: true}
  model.hidden_dim: {kind: int, low: 8, high: 64}
  training.batch_size: {kind: choice, values: [16, 32, 64]}
"""


def ledger():
    """Return a ledger of no data in particular."""
    texts = dict.fromkeys(
        ["dataset", "source_sha256", "split", "tie_rule", "fingerprint", "preparation"], "x"
    )
    counts = dict.fromkeys(["k_core", "n_users", "n_items", "n_interactions", "n_duplicates"], 10)
    return Ledger(**texts, **counts)


def spec(space=SPACE, max_epochs=8, **settings):
    """Return the spec of a study over cheap trials."""
    trial = TrialConfig(training=TrainingConfig(max_epochs=max_epochs))
    parsed = parse_space(
        parse_yaml(space, "space.yaml"), {"model": trial.model, "training": trial.training}, "gru"
    )
    return StudySpec(
        data=DataConfig(dataset="synthetic"), trial=trial, space=parsed, study=StudySettings(**settings)
    )


def make_study(directory, **settings):
    """Return a new study in ``directory``."""
    return Study.create(directory, spec(**settings), ledger())


def write_ended(study, number, value, state=TrialState.COMPLETE, params=None, config=None):
    """Write a trial that ended after one epoch of this value, None for none; return its row."""
    row = TrialRow(number, TrialState.RUNNING, "", params or {}, config or {}, 1)
    epochs = [] if value is None else [EpochReport(1, {"ndcg@10": value}, value, 1.0, 0.5)]
    for epoch in epochs:
        study.append_epoch(number, epoch)
    row = row.ended(state, "why", epochs, "ndcg@10", is_max=True)
    study.write_row(row)
    return row


if __name__ == "__main__":
    times = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    if times > 1:  # one Ray for all runs
        os.environ.update(private_environment())
        start_ray(2)
    for _ in range(times):
        outcome = run_study(Study.open(Path(sys.argv[1])), Path("no-data"), entry=sys.argv[2])
        sys.stdout.write(f"{outcome}\n")
        sys.stdout.flush()
