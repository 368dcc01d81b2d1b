"""What happens after each message of a trial and between messages: rows, time limits, the end of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ray
from ray.tune import Callback, Stopper

from reeltune.tuning.ray.schedulers import StudyScheduler
from reeltune.tuning.ray.session import is_ray_alive
from reeltune.tuning.ray.worker import BREAKDOWN, JOB, REPORT
from reeltune.tuning.study.observer import Outcome
from reeltune.tuning.study.recorder import Recorder

HANG_GRACE_SECONDS = 30.0
"""A trial that says nothing this long beyond its time limit is ended by force; covers a worker's start."""

LOOK_SECONDS = 5.0
"""Time between two looks at Ray itself."""


class Halt(Stopper):  # type: ignore[misc]
    """Ends a run before its trials are done; they go on in the next one."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.breakdown: str | None = None  # what failed in a worker for no fault of its trial

    @property
    def is_on(self) -> bool:
        """Whether the run is to end."""
        return self.outcome is not None or self.breakdown is not None

    def look_after_ray(self) -> None:
        """Halt when Ray itself is gone; the trials that it takes along have not failed."""
        if not self.is_on and not is_ray_alive():
            self.breakdown = "Ray's daemon died or was killed"

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return False: no trial is ended by itself here."""
        return False

    def stop_all(self) -> bool:
        """Return whether the run is to end."""
        return self.is_on


class StudyCallback(Callback):  # type: ignore[misc]
    """Records each epoch, watches time limits, and ends the run when it is asked to."""

    def __init__(
        self,
        recorder: Recorder,
        scheduler: StudyScheduler,
        halt: Halt,
        check: Callable[[], Outcome | None],
    ) -> None:
        self._recorder = recorder
        self._scheduler = scheduler
        self._halt = halt
        self._check = check
        self._has_halted = False
        self._looked = time.monotonic()
        self._heard: dict[int, float] = {}  # monotonic time of the last word of a running trial

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Start the trial's clock."""
        self._heard[_number(trial)] = time.monotonic()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Record the epoch in ``result``, or halt because a worker's disk failed."""
        self._heard[_number(trial)] = time.monotonic()
        if BREAKDOWN in result:
            self._halt.breakdown = str(result[BREAKDOWN])
        elif REPORT in result:
            self._recorder.epoch(_number(trial), result[REPORT])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Stop the trial's clock."""
        self._heard.pop(_number(trial), None)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Report that a worker died and its trial starts again."""
        self._heard.pop(_number(trial), None)
        if not self._halt.is_on:
            n_failures = trial.run_metadata.num_failures
            reason = f"its worker died (time {n_failures}); starting again"
            self._recorder.observer.trial_interrupted(_number(trial), reason)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Stop the trial's clock."""
        self._heard.pop(_number(trial), None)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """End hung trials and, when asked to, the run; called many times a second."""
        if not self._halt.is_on:
            self._halt.outcome = self._check()
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self._halt.look_after_ray()
        if self._halt.is_on and not self._has_halted:
            self._has_halted = True
            for trial in trials:
                _kill(trial)  # their checkpoints are whole at any moment; waiting for an epoch's end is not
        self._end_hung(trials)

    def _end_hung(self, trials: list[Any]) -> None:
        limit = self._recorder.study.spec.study.trial_seconds
        if limit is None:
            return
        silence = limit + HANG_GRACE_SECONDS
        now = time.monotonic()
        late = {number for number, heard in self._heard.items() if now - heard > silence}
        for trial in trials if late else []:
            if _number(trial) in late:
                del self._heard[_number(trial)]
                self._scheduler.reasons[_number(trial)] = f"silent for {silence:g} s, ended by force"
                trial.max_failures = 0  # it would hang again
                _kill(trial)


def _number(trial: Any) -> int:
    return int(trial.config[JOB].number)


def _kill(trial: Any) -> None:
    if trial.temporary_state.ray_actor is not None:
        ray.kill(trial.temporary_state.ray_actor)
