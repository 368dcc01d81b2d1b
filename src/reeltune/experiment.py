"""Composes what an experiment file names; decides nothing.

An experiment names its question, data, fixed fields, study, and what becomes of the winner. A field
that the file does not give has the default of its config class.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reeltune.data.store import open_tuning, prepare
from reeltune.evaluation.repeats import Repeats
from reeltune.evaluation.retrain import repeat_best, study_executor
from reeltune.evaluation.studies import open_study_data
from reeltune.files import write_text
from reeltune.seeding import derive
from reeltune.training.epochs import EpochReport
from reeltune.tuning.mirror.restore import restore_if_there
from reeltune.tuning.ray.engine import run_study
from reeltune.tuning.records.rows import TrialRow
from reeltune.tuning.study.experiment_file import Experiment
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Observer, Outcome
from reeltune.tuning.study.spec import StudySettings
from reeltune.tuning.study.warm import keep_prior
from reeltune.tuning.trial.single import train_single

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """A study after a run of it."""

    study: Study
    outcome: Outcome
    repeats: Repeats | None = None  # where the study asks for them and has ended


def tune(
    experiment: Experiment,
    directory: Path,
    *,
    data_dir: Path | None = None,
    address: str | None = None,
    is_taking_over: bool = False,
    observer: Observer | None = None,
    notify: Notify = lambda _: None,
) -> Run:
    """Run the experiment's study in the folder ``directory``, or go on with the one that is there.

    ``address`` names a Ray cluster (``HOST:PORT`` of its head, or ``auto``); None runs on this machine.
    ``is_taking_over`` goes on where the study's storage names a driver that may live.

    Raises:
        ConfigError: The experiment has no study.
        DataError: The data cannot be found.
        StudyError: A study with another spec is there, or another driver runs it.
        EngineError: Ray, the disk or the study's storage failed.
    """
    spec = experiment.study_spec()
    if spec.study.storage is not None:
        restore_if_there(spec.study.storage, directory, is_taking_over=is_taking_over, notify=notify)
    prepared = prepare(spec.data, data_dir=data_dir, notify=notify)
    study = Study.create(directory, spec, open_tuning(prepared).ledger)
    keep_prior(study, notify)
    if not (directory / "experiment.yaml").exists():
        write_text(directory / "experiment.yaml", experiment.document.to_yaml())
    run = functools.partial(run_study, address=address, is_taking_over=is_taking_over, observer=observer)
    return _run(study, prepared, run, notify, address)


def resume(
    directory: Path,
    *,
    data_dir: Path | None = None,
    address: str | None = None,
    is_taking_over: bool = False,
    observer: Observer | None = None,
    notify: Notify = lambda _: None,
) -> Run:
    """Go on with the study in ``directory``; what its folder says is all that is needed.

    Raises:
        DataError: The data cannot be found.
        StudyError: There is no study, its data differ, or another driver runs it.
        EngineError: Ray, the disk or the study's storage failed.
    """
    study = Study.open(directory)
    prepared, _ = open_study_data(study, data_dir=data_dir, notify=notify)
    run = functools.partial(run_study, address=address, is_taking_over=is_taking_over, observer=observer)
    return _run(study, prepared, run, notify, address)


def _run(
    study: Study,
    prepared: Path,
    run: Callable[[Study, Path], Outcome],
    notify: Notify,
    address: str | None,
) -> Run:
    said = study.warnings()
    for line in said:
        notify(line)
    outcome = run(study, prepared)
    for line in study.warnings():
        if line not in said:
            notify(line)
    if outcome is not Outcome.FINISHED:
        return Run(study, outcome)
    data = open_tuning(prepared)
    with study.lock():
        repeats = repeat_best(study, data, notify, study_executor(study, data, address))
        return Run(study, outcome, repeats)


def train(
    experiment: Experiment,
    directory: Path,
    *,
    data_dir: Path | None = None,
    n_threads: int = 1,
    report: Callable[[EpochReport], None] = lambda _: None,
    notify: Notify = lambda _: None,
) -> TrialRow:
    """Train the experiment's default configuration in the folder ``directory``, without Ray.

    Raises:
        DataError: The data cannot be found.
        StudyError: The folder holds a training of another configuration.
        EngineError: The disk failed.
    """
    prepared = prepare(experiment.spec.data, data_dir=data_dir, notify=notify)
    seed = experiment.spec.study.seed if experiment.spec.study is not None else StudySettings().seed
    return train_single(
        experiment.trial,
        prepared,
        directory,
        seed=derive(seed, "trial", experiment.trial.plain(), 0),
        n_threads=n_threads,
        logging=experiment.spec.logging.plain(),
        report=report,
    )
