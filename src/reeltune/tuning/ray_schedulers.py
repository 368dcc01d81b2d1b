"""Ray Tune's stopping rules behind one scheduler that knows what a study already decided."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from reeltune.tuning.goal import Goal
from reeltune.tuning.job import TrialJob
from reeltune.tuning.ray_halving import METRICS, NonDominatedHalving
from reeltune.tuning.ray_worker import BREAKDOWN, EPOCH, JOB, OBJECTIVE, REPORT, RESULT
from reeltune.tuning.recorder import Recorder
from reeltune.tuning.rows import EpochReport
from reeltune.tuning.schedulers import AshaConfig, MedianConfig, NoSchedulerConfig

__all__ = ["BUILDERS", "StudyScheduler"]


def _asha(config: AshaConfig, mode: str, max_epochs: int) -> TrialScheduler:
    return ASHAScheduler(
        time_attr=EPOCH,
        metric=OBJECTIVE,
        mode=mode,
        max_t=max(max_epochs, config.grace_epochs),
        grace_period=config.grace_epochs,
        reduction_factor=config.reduction_factor,
    )


def _median(config: MedianConfig, mode: str, max_epochs: int) -> TrialScheduler:
    return MedianStoppingRule(
        time_attr=EPOCH,
        metric=OBJECTIVE,
        mode=mode,
        grace_period=config.grace_epochs,
        min_samples_required=config.min_trials,
        min_time_slice=float("inf"),  # never pauses: a paused trial would wait for a checkpoint of Ray's own
    )


def _none(config: NoSchedulerConfig, mode: str, max_epochs: int) -> TrialScheduler:
    return FIFOScheduler()


BUILDERS: dict[str, Callable[[Any, str, int], TrialScheduler]] = {
    "asha": _asha,
    "median": _median,
    "none": _none,
}


FIXED = ("model_megabytes",)
"""Measures that training does not change."""


class _PastTrial:
    """Stands for a trial of an earlier run when a rule is told the past."""

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


class StudyScheduler(TrialScheduler):  # type: ignore[misc]
    """Asks a rule of Ray Tune about each new epoch and remembers why it stopped a trial.

    Finished trials of earlier runs are replayed into the rule first. An epoch that the study had
    already gone beyond is told to the rule, whose answer is not asked again. A trial at its last
    epoch ends by itself.
    """

    def __init__(self, recorder: Recorder, max_epochs: int) -> None:
        super().__init__()
        self._recorder = recorder
        settings = recorder.study.spec.study
        self._name = settings.scheduler.name
        mode = "max" if recorder.study.higher_is_better else "min"
        self._goal = recorder.study.goal
        self._rule = (
            NonDominatedHalving(settings.scheduler, self._goal, max_epochs)
            if self._goal.is_multiple and isinstance(settings.scheduler, AshaConfig)
            else BUILDERS[self._name](settings.scheduler, mode, max_epochs)
        )
        self._at_best: dict[int, dict[str, float]] = {}  # metrics at each trial's best epoch so far
        self._time_limit = settings.trial_seconds
        self._told: dict[int, dict[str, Any]] = {}  # last result that the rule saw, by trial number
        self.reasons: dict[int, str] = {}
        self._replay()

    @property
    def metric(self) -> None:
        """None: the last message of a trial carries no objective, and Ray must not ask for one."""
        return

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accept: metric and mode are set already."""
        return True

    def _replay(self) -> None:
        for row in self._recorder.rows:
            epochs = self._recorder.epochs(row.number)
            if not row.state.is_finished or not epochs:
                continue
            past = _PastTrial(f"past-{row.number}")
            self._rule.on_trial_add(None, past)
            for report in epochs:
                result = {
                    EPOCH: report.epoch,
                    OBJECTIVE: report.best,
                    METRICS: self._best(row.number, report),
                }
                self._rule.on_trial_result(None, past, result)
            self._rule.on_trial_complete(None, past, result)

    def _best(self, number: int, report: EpochReport) -> dict[str, float]:
        """Return the trial's metrics at its best epoch up to ``report``."""
        if number not in self._at_best or report.metrics[self._goal.first] == report.best:
            before = self._at_best.get(number, {}).get(self._goal.first)
            if before != report.best:  # the first epoch that reached it
                self._at_best[number] = dict(report.metrics)
        return self._at_best[number]

    def _hopeless(self, metrics: dict[str, float]) -> str:
        """Return the limit that no further training can mend, in words; empty where there is none."""
        fixed = {label: value for label, value in metrics.items() if label in FIXED}
        limits = {label: limit for label, limit in self._goal.limits.items() if label in fixed}
        return "; ".join(Goal(self._goal.objectives, limits).broken(fixed))

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Tell the rule of a new trial."""
        self._rule.on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return whether the trial goes on after an epoch."""
        if RESULT in result or BREAKDOWN in result:
            return str(TrialScheduler.STOP)  # ended by itself
        job: TrialJob = TrialJob(**trial.config[JOB])
        epoch = int(result[EPOCH])
        if epoch <= self._told.get(job.number, {}).get(EPOCH, 0):
            return str(TrialScheduler.CONTINUE)  # repeated after its worker died
        n_recorded = len(self._recorder.epochs(job.number))
        metrics = self._best(job.number, EpochReport(**json.loads(result[REPORT])))
        self._told[job.number] = dict(result)
        decision = str(self._rule.on_trial_result(tune_controller, trial, {**result, METRICS: metrics}))
        if epoch >= job.max_epochs or epoch < n_recorded:
            return str(TrialScheduler.CONTINUE)
        reason = self._reason(job.number, epoch, decision, metrics)
        if reason:
            self.reasons[job.number] = reason
            return str(TrialScheduler.STOP)
        return decision

    def _reason(self, number: int, epoch: int, decision: str, metrics: dict[str, float]) -> str:
        """Return why a trial is to stop after ``epoch``, empty where it goes on."""
        hopeless = self._hopeless(metrics)
        if hopeless:
            return f"cannot win: {hopeless}"
        if decision == TrialScheduler.STOP:
            best = ", ".join(f"{label} {metrics[label]:.4f}" for label in self._goal.objectives)
            return f"stopped by {self._name} at epoch {epoch} with best {best}"
        seconds = sum(report.seconds for report in self._recorder.epochs(number))
        if self._time_limit is not None and seconds >= self._time_limit:
            return f"time limit of {self._time_limit:g} s reached after epoch {epoch}"
        return ""

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Tell the rule that a trial ended, with the last epoch that it saw."""
        told = self._told.get(trial.config[JOB]["number"])
        if told is None:
            self._rule.on_trial_remove(tune_controller, trial)
        else:
            self._rule.on_trial_complete(tune_controller, trial, told)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Tell the rule that a trial lost its worker."""
        self._rule.on_trial_error(tune_controller, trial)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Tell the rule that a trial will not run."""
        self._rule.on_trial_remove(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return the trial that the rule would run next."""
        return self._rule.choose_trial_to_run(tune_controller)

    def debug_string(self) -> str:
        """Return the rule's own description."""
        return str(self._rule.debug_string())
