"""``reeltune check``: an experiment with its defaults, without running it."""

from __future__ import annotations

from pathlib import Path

import typer

from reeltune.cli.options import CHANGES, note


def check(
    experiment: Path = typer.Argument(metavar="EXPERIMENT", help="A YAML file, or a shipped experiment."),
    changes: list[str] = CHANGES,
) -> None:
    """Check an experiment without running it; print it resolved."""
    import yaml

    from reeltune.check import check_experiment

    found = check_experiment(experiment, changes)
    if found.space is None:
        print(yaml.safe_dump(found.trial.plain(), sort_keys=False, width=100), end="")
        note(f"valid; next: reeltune train {experiment}")
        return
    spec = found.study_spec()
    print(yaml.safe_dump(spec.plain(), sort_keys=False, width=100), end="")
    settings, n_epochs = spec.study, spec.trial.training.max_epochs
    note(
        f"valid: {settings.trials} trials of {len(spec.space.space)} parameters, "
        f"{settings.concurrency} at once, at most {n_epochs} epochs each "
        f"({settings.trials * n_epochs:,} in all; scheduler: {settings.scheduler.name}), "
        f"then {spec.final.seeds} seeds of the winner"
    )
    note(f"next: reeltune tune {experiment}")
