"""The command ``reeltune``: a table of verbs and one handler for errors."""

from __future__ import annotations

import os
import sys
import warnings

import typer

from reeltune.cli import (
    audit,
    compare,
    dashboard,
    data,
    evaluate,
    experiment,
    export,
    ratings,
    recommend,
    report,
    serve,
    space,
    studies,
    tradeoff,
    train,
    trials,
    tune,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="reeltune",
    help="Tune, compare, export and use recurrent movie recommenders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help costs twice the time of everything else in `reeltune --help`
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(data.app, name="data")
app.add_typer(space.app, name="space")
app.command()(tune.tune)
app.command()(tune.resume)
app.command()(train.train)
app.command()(trials.trials)
app.command()(studies.studies)
app.command()(studies.rm)
app.command()(dashboard.dashboard)
app.command()(report.report)
app.command()(compare.compare)
app.command()(evaluate.evaluate)
app.command()(ratings.ratings)
app.command()(experiment.experiment)
app.command()(audit.audit)
app.command()(tradeoff.tradeoff)
app.command()(export.export)
app.command()(recommend.recommend)
app.command()(serve.serve)


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    _debug["on"] = debug


_debug = {"on": False}


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"warning: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line; errors end in one line on stderr and a non-zero exit code."""
    from reeltune.errors import ReeltuneError

    warnings.showwarning = _show_warning
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ReeltuneError as error:
        if _debug["on"]:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        if _debug["on"]:
            raise
        print(
            f"error: {type(error).__name__}: {error} (run again with --debug for the traceback)",
            file=sys.stderr,
        )
        sys.exit(1)
