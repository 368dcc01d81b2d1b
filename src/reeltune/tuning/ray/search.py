"""The source of trials for Ray Tune: those that a kill left, then the searcher's suggestions.

Ray's own Optuna searcher tells Optuna that a stopped trial is complete, leaves one with a NaN running
for ever and fails on a trial that is reported twice. Here the recorder writes the row and tells Optuna.
"""

from __future__ import annotations

from typing import Any

from ray.tune.search import Searcher

from reeltune.tuning.ray.callback import Halt
from reeltune.tuning.ray.schedulers import StudyScheduler
from reeltune.tuning.ray.worker import JOB, OBJECTIVE, RESULT
from reeltune.tuning.records.rows import TrialResult, TrialState
from reeltune.tuning.study.recorder import Recorder


class StudySearch(Searcher):  # type: ignore[misc]
    """Suggests first the trials that a kill left unfinished, then new ones, up to the study's count."""

    def __init__(self, recorder: Recorder, scheduler: StudyScheduler, halt: Halt) -> None:
        super().__init__(metric=OBJECTIVE, mode="max" if recorder.study.higher_is_better else "min")
        self._recorder = recorder
        self._scheduler = scheduler
        self._halt = halt
        self._unfinished = recorder.pending()
        self._next = max([len(recorder.storage.trials()), *(row.number + 1 for row in recorder.rows)])
        self._numbers: dict[str, int] = {}
        self._n_trials = recorder.study.n_trials
        self.n_left = len(self._unfinished) + max(self._n_trials - self._next, 0)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the job of the next trial, that there is none, or None while it waits for results."""
        if self._halt.is_on or self._is_time_over():
            return str(Searcher.FINISHED)
        if self._unfinished:
            number = self._unfinished.pop(0)
        elif self._next >= self._n_trials:
            return str(Searcher.FINISHED)
        elif self._recorder.must_wait(self._next):
            return None
        else:
            number = self._next
            self._next += 1
        self._numbers[trial_id] = number
        return {JOB: self._recorder.begin(number)}

    def _is_time_over(self) -> bool:
        limit = self._recorder.study.spec.study.study_seconds
        return limit is not None and self._recorder.elapsed_seconds >= limit

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Do nothing: the recorder tells Optuna each epoch after writing it."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record the end of a trial: ended by itself, stopped, or its worker lost too often."""
        if error:
            self._halt.look_after_ray()
        number = self._numbers.pop(trial_id, None)
        if number is None or self._halt.is_on:  # a halted trial goes on in the next run
            return
        if error or result is None:
            n_restarts = self._recorder.study.spec.study.n_restarts
            reason = self._scheduler.reasons.get(
                number, f"its worker died {n_restarts + 1} times (killed, or out of memory)"
            )
            self._recorder.finish(number, TrialState.FAILED, reason)
        elif RESULT in result:
            ended: TrialResult = result[RESULT]
            self._recorder.finish(number, ended.state, ended.reason, ended)
        else:
            self._recorder.finish(
                number, TrialState.STOPPED, self._scheduler.reasons.get(number, "stopped by the scheduler")
            )

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Write nothing: the study folder is the only truth, Ray's snapshots are never read."""

    def save(self, checkpoint_path: str) -> None:
        """Write nothing; see :meth:`save_to_dir`."""
