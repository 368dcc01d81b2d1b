"""Early stopping by several objectives at once, which neither Ray Tune nor Optuna has."""

from __future__ import annotations

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from reeltune.tuning.ray.worker import EPOCH
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.search.pareto import front_ranks
from reeltune.tuning.search.schedulers import AshaConfig

METRICS = "metrics"


def rungs(config: AshaConfig, max_epochs: int) -> list[int]:
    """Return the epochs at which trials are compared.

    >>> rungs(AshaConfig(grace_epochs=2, reduction_factor=3.0), 30)
    [2, 6, 18]
    """
    found, epoch = [], float(config.grace_epochs)
    while epoch < max_epochs:
        found.append(int(epoch))
        epoch *= config.reduction_factor
    return found


class NonDominatedHalving(FIFOScheduler):  # type: ignore[misc]
    """Asynchronous successive halving by fronts instead of one figure.

    After Schmucker et al. (2021, https://arxiv.org/abs/2106.12639). At each rung a trial is placed among all
    that reached it, by non-dominated sorting of their figures at their best epochs so far; one that
    breaks a limit comes after all that keep them. It goes on when it is on the first front, however
    large that is, or when fewer than one in ``reduction_factor`` are on fronts before its own. Unlike there,
    no trial on the first front is ever stopped: what looks like a corner of the trade-off stays in.
    """

    def __init__(self, config: AshaConfig, goal: Goal, max_epochs: int) -> None:
        super().__init__()
        self._goal = goal
        self._factor = config.reduction_factor
        self._rungs: dict[int, dict[str, dict[str, float]]] = {e: {} for e in rungs(config, max_epochs)}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return whether the trial goes on after an epoch; ``result`` holds its metrics under METRICS."""
        rung = self._rungs.get(int(result[EPOCH]))
        if rung is None or trial.trial_id in rung:
            return str(TrialScheduler.CONTINUE)
        rung[trial.trial_id] = dict(result[METRICS])
        points = list(rung.values())
        ranks = front_ranks(
            [self._goal.losses(point) for point in points],
            [self._goal.violation(point) for point in points],
        )
        n_before = sum(rank < ranks[-1] for rank in ranks)
        goes_on = ranks[-1] == 0 or n_before < len(points) / self._factor
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)
