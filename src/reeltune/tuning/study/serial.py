"""A study run in this process, trial after trial: for models that are fitted in seconds.

Starting Ray takes longer than tuning a baseline. Suggestions, rows and storage are the same; no
scheduler stops a trial, which a baseline's single epoch would not allow anyway.
"""

from __future__ import annotations

from pathlib import Path

from reeltune.errors import DivergedError, EngineError, first_line
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Observer, Outcome, SilentObserver, StudyProgress
from reeltune.tuning.study.recorder import Recorder, open_storage
from reeltune.tuning.trial.job import run_job


def run_serially(study: Study, data_directory: Path, *, observer: Observer | None = None) -> Outcome:
    """Run the trials that ``study`` lacks, one after another, and return how that ended.

    A trial that a kill left is run again first. One that raises an error is recorded as failed.

    Args:
        study: The study; its lock is taken.
        data_directory: Folder of the prepared data.
        observer: Hears of trials and epochs.

    Raises:
        StudyError: Another driver runs the study, or its files contradict each other.
        EngineError: The disk is full or not writable.
    """
    with study.lock():
        storage = open_storage(study)
        recorder = Recorder(study, storage, observer or SilentObserver(), data_directory)
        settings = study.spec.study
        recorder.observer.study_started(
            StudyProgress(study.name, study.goal, study.n_trials, 1, tuple(recorder.rows), {})
        )
        try:
            begun = max([len(storage.trials()), *(row.number + 1 for row in recorder.rows)])
            for number in [*recorder.pending(), *range(begun, study.n_trials)]:
                if settings.study_seconds is not None and recorder.elapsed_seconds >= settings.study_seconds:
                    return Outcome.TIME_OVER
                _run_trial(recorder, number)
            return Outcome.FINISHED
        except KeyboardInterrupt:
            return Outcome.INTERRUPTED
        finally:
            study.write_elapsed(recorder.elapsed_seconds)
            recorder.observer.study_ended()
            storage.close()


def _run_trial(recorder: Recorder, number: int) -> None:
    job = recorder.begin(number)
    try:
        result = run_job(job, lambda report: recorder.epoch(number, report))
    except EngineError:
        raise
    except DivergedError as error:
        recorder.finish(number, TrialState.DIVERGED, str(error))
    except Exception as error:  # whatever a trial raises is its own failure, not the study's
        recorder.finish(number, TrialState.FAILED, first_line(error))
    else:
        recorder.finish(number, result.state, result.reason, result)
