"""Runs what is left of a study on Ray Tune.

Ray Tune's own snapshots and ``Tuner.restore`` are not used: a snapshot may be older than the
trials that have finished since. Each run is a fresh one over the trials that the folder lacks.
"""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from reeltune.errors import EngineError, ReeltuneError
from reeltune.tuning.mirror.study_mirror import Mirror, SharedFolder, mirrored
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Observer, Outcome, SilentObserver, StudyProgress
from reeltune.tuning.study.recorder import Recorder, open_storage
from reeltune.tuning.trial.job import DEFAULT_ENTRY


def run_study(
    study: Study,
    data_directory: Path,
    *,
    observer: Observer | None = None,
    entry: str = DEFAULT_ENTRY,
    address: str | None = None,
    is_taking_over: bool = False,
) -> Outcome:
    """Run the trials that ``study`` lacks and return how that ended.

    Args:
        study: The study; its lock is taken.
        data_directory: Folder of the prepared data.
        observer: Hears of trials and epochs.
        entry: Import path of the function that runs a job.
        address: ``HOST:PORT`` of a Ray cluster's head, or ``auto``; None to run on this machine alone.
        is_taking_over: Go on with a study whose mirror another driver holds, which is known to be dead.

    Raises:
        ConfigError: A trial asks for more than any node has, or a node sees neither the study's folder nor
            its storage.
        StudyError: Another driver runs the study, or its files contradict each other.
        EngineError: Ray cannot be started or reached, the disk is full, or the study's storage fails.
    """
    observer = observer or SilentObserver()
    on = {"is_on_cluster": address is not None, "is_taking_over": is_taking_over}
    with study.lock(), mirrored(study, observer.noted, **on) as files:
        storage = open_storage(study)
        try:
            recorder = Recorder(study, storage, observer, data_directory, files)
            recorder.keep_budget()
            return Outcome.FINISHED if study.is_finished else _run(recorder, files, entry, address)
        finally:
            storage.close()


def _run(recorder: Recorder, files: Mirror | SharedFolder, entry: str, address: str | None) -> Outcome:
    from reeltune.tuning.ray.cluster import ask_nodes
    from reeltune.tuning.ray.session import ray_session, stop_signals

    study = recorder.study
    recorder.observer.study_started(_progress(recorder))
    try:
        session = ray_session(study.spec.study, address, has_dashboard=study.spec.logging.ray_dashboard)
        with stop_signals() as is_asked_to_stop, session as dashboard:
            if dashboard is not None:
                recorder.observer.noted(f"Ray's dashboard: {dashboard}")
            if address is not None:
                files.prepare(ask_nodes, recorder.data_directory)
            check = functools.partial(_check, recorder, files, is_asked_to_stop)
            outcome = check() or _fit(recorder, check, entry)
        if outcome is Outcome.TIME_OVER:
            limit = study.spec.study.study_seconds
            for row in recorder.rows:
                if not row.state.is_finished:
                    reason = f"the study's time limit of {limit:g} s was reached"
                    recorder.finish(row.number, TrialState.STOPPED, reason)
    finally:
        study.write_elapsed(recorder.elapsed_seconds)
        recorder.observer.study_ended()
    if outcome is Outcome.FINISHED and recorder.pending():
        numbers = ", ".join(str(number) for number in recorder.pending())
        raise EngineError(f"Ray ended before trials {numbers} did; go on with `reeltune resume {study.name}`")
    return outcome


def _check(
    recorder: Recorder, files: Mirror | SharedFolder, is_asked_to_stop: Callable[[], bool]
) -> Outcome | None:
    """Return why the run is to end now, None if it is not: a signal, or the study's time is over."""
    files.look()
    if is_asked_to_stop():
        return Outcome.INTERRUPTED
    limit = recorder.study.spec.study.study_seconds
    return Outcome.TIME_OVER if limit is not None and recorder.elapsed_seconds >= limit else None


def _progress(recorder: Recorder) -> StudyProgress:
    study = recorder.study
    return StudyProgress(
        name=study.name,
        goal=study.goal,
        n_trials=study.n_trials,
        concurrency=study.spec.study.concurrency,
        rows=tuple(recorder.rows),
        epochs={
            row.number: tuple(recorder.epochs(row.number))
            for row in recorder.rows
            if not row.state.is_finished
        },
        usual=study.spec.default_point,
    )


def _fit(recorder: Recorder, check: Callable[[], Outcome | None], entry: str) -> Outcome:
    from ray import tune

    from reeltune.tuning.ray.callback import Halt, StudyCallback
    from reeltune.tuning.ray.schedulers import StudyScheduler
    from reeltune.tuning.ray.search import StudySearch
    from reeltune.tuning.ray.worker import trial_runner

    study = recorder.study
    settings = study.spec.study
    scheduler = StudyScheduler(recorder, study.max_epochs)
    halt = Halt()
    search = StudySearch(recorder, scheduler, halt)
    scratch = study.directory / ".ray"  # Ray Tune insists on a folder; nothing in it is read
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        tune.run(
            trial_runner(entry),
            name="run",
            storage_path=str(scratch),
            search_alg=search,
            scheduler=scheduler,
            callbacks=[StudyCallback(recorder, scheduler, halt, check)],
            stop=halt,
            num_samples=search.n_left,
            max_concurrent_trials=settings.concurrency,
            resources_per_trial={"cpu": settings.n_threads, "gpu": settings.gpus_per_trial},
            reuse_actors=True,  # a new process a trial costs seconds of imports
            max_failures=settings.n_restarts,
            raise_on_failed_trial=False,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
            verbose=0,
        )
    except ReeltuneError:
        raise
    except Exception as error:
        raise EngineError(
            f"the run broke off: {_summary(error)}; go on with `reeltune resume {study.name}`"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if halt.breakdown is not None:
        raise EngineError(f"{halt.breakdown}; then go on with `reeltune resume {study.name}`")
    return halt.outcome or Outcome.FINISHED


def _summary(error: Exception) -> str:
    """Return the last error that a message names: Ray Tune wraps whole tracebacks into its own errors."""
    named = re.findall(r"^(?:[\w.]*\.)?(\w+(?:Error|Exception)): (.+)$", str(error), re.MULTILINE)
    if not named:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    name, message = named[-1]
    return str(message) if name == "EngineError" else f"{name}: {message}"
