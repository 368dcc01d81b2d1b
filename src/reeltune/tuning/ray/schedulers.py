"""Ray Tune's stopping rules behind one scheduler that knows what a study already decided."""

from __future__ import annotations

import copy
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from reeltune.training.epochs import EpochReport
from reeltune.tuning.ray.halving import METRICS
from reeltune.tuning.ray.rules import RuleTrial, make_rule
from reeltune.tuning.ray.worker import BREAKDOWN, END_SECONDS, EPOCH, JOB, OBJECTIVE, REPORT, RESULT
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.study.recorder import Recorder
from reeltune.tuning.trial.job import TrialJob

FIXED = ("model_megabytes",)
"""Measures that training does not change."""


class StudyScheduler(FIFOScheduler):  # type: ignore[misc]
    """Asks a rule of Ray Tune about each new epoch and remembers why it stopped a trial.

    With a lag, each trial is compared with those that its suggestion looked at, whatever else has been
    reported by then: the rule is given those, in the order of their numbers, and a copy of it judges the
    trial. Without one, the same rule judges all, and finished trials of earlier runs are replayed into it
    first. An epoch that the study had already gone beyond is given to the rule, whose answer is not asked
    again. A trial at its last epoch ends by itself.
    """

    def __init__(self, recorder: Recorder, max_epochs: int) -> None:
        super().__init__()
        self._recorder = recorder
        settings = recorder.study.spec.study
        self._name = settings.scheduler.name
        self._lag = settings.lag
        self._goal = recorder.study.goal
        self._past = make_rule(settings.scheduler, self._goal, max_epochs)
        self._n_past = 0  # trials, from the first on, that it was given
        self._rules: dict[int, Any] = {}  # by the number of a live trial
        self._at_best: dict[int, dict[str, float]] = {}  # metrics at each trial's best epoch so far
        self._time_limit = settings.trial_seconds
        self._reported: dict[int, dict[str, Any]] = {}  # last result that the rule saw, by trial number
        self.reasons: dict[int, str] = {}
        if self._lag is None:
            for row in recorder.rows:
                self._replay(row)

    @property
    def metric(self) -> None:
        """None: the last message of a trial carries no objective, and Ray must not ask for one."""
        return

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accept: metric and mode are set already."""
        return True

    def _replay(self, row: TrialRow | None) -> None:
        """Give the rule a finished trial."""
        epochs = self._recorder.epochs(row.number) if row is not None else []
        if row is None or not row.state.is_finished or not epochs:
            return
        past = RuleTrial(row.number)
        self._past.on_trial_add(None, past)
        for report in epochs:
            result = {EPOCH: report.epoch, OBJECTIVE: report.best, METRICS: self._best(row.number, report)}
            self._past.on_trial_result(None, past, result)
        self._past.on_trial_complete(None, past, result)

    def _rule(self, number: int) -> Any:
        """Return the rule that judges trial ``number``."""
        if self._lag is None:
            return self._past
        while self._n_past < number - self._lag:
            self._replay(self._recorder.row(self._n_past))
            self._n_past += 1
        return copy.deepcopy(self._past)

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
        """Choose the rule of a new trial and give it the trial."""
        if tune_controller is not None:  # Ray Tune's own 10 seconds cut loggers off on a busy machine
            tune_controller._actor_force_cleanup_timeout = END_SECONDS + 2
        number = _number(trial)
        self._rules[number] = self._rule(number)
        self._rules[number].on_trial_add(None, RuleTrial(number))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return whether the trial goes on after an epoch."""
        if RESULT in result or BREAKDOWN in result:
            return str(TrialScheduler.STOP)  # ended by itself
        job: TrialJob = trial.config[JOB]
        epoch = int(result[EPOCH])
        if epoch <= self._reported.get(job.number, {}).get(EPOCH, 0):
            return str(TrialScheduler.CONTINUE)  # repeated after its worker died
        n_recorded = job.start_epoch + len(self._recorder.epochs(job.number))
        metrics = self._best(job.number, result[REPORT])
        self._reported[job.number] = dict(result)
        rule = self._rules[job.number]
        decision = str(rule.on_trial_result(None, RuleTrial(job.number), {**result, METRICS: metrics}))
        if epoch >= job.last_epoch or epoch < n_recorded:
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
        """End a trial in its rule, with the last epoch that it saw."""
        rule, last = self._rules.pop(_number(trial)), self._reported.get(_number(trial))
        if last is not None:
            rule.on_trial_complete(None, RuleTrial(_number(trial)), last)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Forget a trial that lost its worker for good."""
        self._rules.pop(_number(trial), None)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Forget a trial that will not run."""
        self._rules.pop(_number(trial), None)

    def debug_string(self) -> str:
        """Return the rule's name."""
        return str(self._name)


def _number(trial: Any) -> int:
    return int(trial.config[JOB].number)
