"""Plays a study of five trials to the observer that suits this terminal; a test looks at the screen."""

import sys
import time

from reeltune.cli.progress import make_observer
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.study.observer import StudyProgress


def play(pause):
    """Play the study, with ``pause`` seconds between two moments."""
    observer = make_observer()
    goal = Goal(("ndcg@10", "coverage@10"))
    observer.study_started(StudyProgress("ml100k_gru", goal, 16, 2, (), {}))
    rows = [
        TrialRow(
            n, TrialState.RUNNING, "", {"model.hidden_dim": 32 * (n + 1), "training.dropout": 0.1 * n}, {}, n
        )
        for n in range(5)
    ]
    for row in rows[:2]:
        observer.trial_started(row, 10)
    for epoch in range(1, 4):
        time.sleep(pause)
        for row in rows[:2]:
            figures = {"ndcg@10": 0.03 * epoch + 0.01 * row.number, "coverage@10": 0.2 * epoch}
            observer.epoch_ended(
                row.number, EpochReport(epoch, figures, figures["ndcg@10"], 5.0 / epoch, 3.4)
            )
    ends = [
        (TrialState.COMPLETE, "ran all 10 epochs", 0.1083),
        (TrialState.STOPPED, "stopped by asha at epoch 3", 0.0712),
        (TrialState.DIVERGED, "the loss is nan at epoch 2, step 31", None),
    ]
    for row, (state, reason, value) in zip(rows, ends, strict=False):
        figures = {} if value is None else {"ndcg@10": value, "coverage@10": 0.61}
        observer.trial_ended(
            TrialRow(row.number, state, reason, row.params, {}, row.seed, value, 3, figures, 3, 9000, 31.0)
        )
    for row in rows[3:]:
        observer.trial_started(row, 10)
    time.sleep(pause)
    for row in rows[3:]:
        figures = {"ndcg@10": 0.0415, "coverage@10": 0.33}
        observer.epoch_ended(row.number, EpochReport(1, figures, 0.0415, 6.1, 3.4))
    time.sleep(pause)
    observer.study_ended()


if __name__ == "__main__":
    play(float(sys.argv[1]))
