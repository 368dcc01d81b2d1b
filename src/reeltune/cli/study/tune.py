"""``reeltune tune`` and ``reeltune resume``: run a study, or what is left of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reeltune.cli.options import (
    ADDRESS,
    CHANGES,
    DATA_DIR,
    STUDIES,
    TAKE_OVER,
    note,
    send_to_storage,
    studies_root,
    study_path,
)

if TYPE_CHECKING:
    from reeltune.experiment import Run
    from reeltune.tuning.study.spec import StudySpec


def tune(
    experiment: Path = typer.Argument(
        metavar="EXPERIMENT", help="A YAML file, or a shipped experiment such as ml100k_gru."
    ),
    name: str | None = typer.Option(None, "--name", help="Name of the study. [default: the file's name]"),
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
    trials: int | None = typer.Option(None, "--trials", help="Trials in all. [default: the file's]"),
    concurrency: int | None = typer.Option(
        None, "--concurrency", help="Trials at once. [default: the file's, else what the machine holds]"
    ),
    address: str | None = ADDRESS,
    storage: str | None = typer.Option(
        None,
        "--storage",
        metavar="URI",
        help="Mirror the study to URI/NAME: s3://BUCKET/PREFIX, gs://, file:///FOLDER. [default: the file's]",
        show_default=False,
    ),
    is_taking_over: bool = TAKE_OVER,
    changes: list[str] = CHANGES,
) -> None:
    """Run the study of an experiment.

    The same command resumes a study that was interrupted.
    """
    from reeltune import experiment as composition
    from reeltune.cli.progress import make_observer
    from reeltune.tuning.study.experiment_file import load_experiment

    given = {"study.trials": trials, "study.concurrency": concurrency, "study.storage": storage}
    flags = [f"{key}={value}" for key, value in given.items() if value is not None]
    loaded = load_experiment(experiment, [*changes, *flags])
    directory = studies_root(studies).resolve() / _checked_name(name or experiment.stem)
    run = composition.tune(
        loaded,
        directory,
        data_dir=data_dir,
        address=address,
        is_taking_over=is_taking_over,
        observer=make_observer(_first_line(loaded.study_spec(), address)),
        notify=note,
    )
    _conclude(run, data_dir)


def resume(
    study: str = typer.Argument(
        metavar="STUDY",
        help="Name of a study, the path of its folder, or its address (s3://BUCKET/PREFIX/NAME) to fetch it "
        "from.",
        show_default=False,
    ),
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
    address: str | None = ADDRESS,
    is_taking_over: bool = TAKE_OVER,
) -> None:
    """Resume a study that was interrupted.

    Given the address of its storage, it is resumed on another machine.
    """
    from reeltune import experiment as composition
    from reeltune.cli.progress import make_observer
    from reeltune.object_storage import is_address
    from reeltune.tuning.study.folder import Study

    if is_address(study):
        from reeltune.tuning.mirror.restore import restore_study

        root = studies_root(studies).resolve()
        directory = restore_study(study, root, is_taking_over=is_taking_over, notify=note)
    else:
        directory = study_path(study, studies)
    run = composition.resume(
        directory,
        data_dir=data_dir,
        address=address,
        is_taking_over=is_taking_over,
        observer=make_observer(_first_line(Study.open(directory).spec, address)),
        notify=note,
    )
    _conclude(run, data_dir)


def _first_line(spec: StudySpec, address: str | None) -> str:
    """Return what the machine has and what is used of it; nothing for a cluster, which Ray describes."""
    from reeltune.tuning.study.machine import this_machine

    return "" if address is not None else this_machine().describe(spec.study)


def _checked_name(name: str) -> str:
    from reeltune.errors import ConfigError

    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(
            f"{name!r} cannot name a study; use letters, digits, -, _ and dots, and begin with no dot or dash"
        )
    return name


def _conclude(run: Run, data_dir: Path | None) -> None:
    """Print where the study stands: an interruption and how to resume, or the leaderboard."""
    from reeltune.tuning.study.observer import Outcome

    study = run.study
    rows = study.rows()
    n_finished = sum(row.state.is_finished for row in rows)
    if run.outcome is Outcome.INTERRUPTED:
        note(
            f"interrupted with {n_finished} of {study.n_trials} trials ended; "
            f"resume with: reeltune resume {study.name}"
        )
        raise typer.Exit(130)
    if run.outcome is Outcome.TIME_OVER:
        note(f"the study's time is over with {n_finished} of {study.n_trials} trials ended")
    counts = {
        state: sum(str(row.state) == state for row in rows)
        for state in dict.fromkeys(str(r.state) for r in rows)
    }
    print(f"study {study.name}: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
    best = study.best(1)
    if best and study.spec.trial.task != "next-item":
        print(f"best: trial {best[0].number}, {study.objective} {best[0].value:.4f} on validation")
        print(f"all trials: reeltune trials {study.name}")
    elif best:
        from reeltune.cli.results.leaderboard import print_front, print_leaderboard, print_repeats
        from reeltune.evaluation.leaderboard import make_leaderboard

        leaderboard = make_leaderboard(study.directory, data_dir=data_dir, notify=note)
        print_leaderboard(leaderboard, study.spec.default_point)
        print_front(study)
        print_repeats(study, run.repeats)
    else:
        print("no trial ended with a figure; see the reasons with: reeltune trials " + study.name)
    print(f"study folder: {study.directory}")
    send_to_storage(study.directory)
