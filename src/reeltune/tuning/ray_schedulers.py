"""Ray Tune's stopping rules behind one scheduler that knows what a study already decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from reeltune.tuning.job import TrialJob
from reeltune.tuning.ray_worker import BREAKDOWN, EPOCH, JOB, OBJECTIVE, RESULT
from reeltune.tuning.recorder import Recorder
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
        self._rule = BUILDERS[self._name](settings.scheduler, mode, max_epochs)
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
                result = {EPOCH: report.epoch, OBJECTIVE: report.best}
                self._rule.on_trial_result(None, past, result)
            self._rule.on_trial_complete(None, past, result)

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
        self._told[job.number] = dict(result)
        decision = str(self._rule.on_trial_result(tune_controller, trial, dict(result)))
        if epoch >= job.max_epochs or epoch < n_recorded:
            return str(TrialScheduler.CONTINUE)
        if decision == TrialScheduler.STOP:
            objective = self._recorder.study.objective
            self.reasons[job.number] = (
                f"stopped by {self._name} at epoch {epoch} with best {objective} {result[OBJECTIVE]:.4f}"
            )
            return decision
        seconds = sum(report.seconds for report in self._recorder.epochs(job.number))
        if self._time_limit is not None and seconds >= self._time_limit:
            self.reasons[job.number] = f"time limit of {self._time_limit:g} s reached after epoch {epoch}"
            return str(TrialScheduler.STOP)
        return decision

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
