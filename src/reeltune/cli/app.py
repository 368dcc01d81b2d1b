"""The command ``reeltune``: a table of verbs and one handler for errors."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

import typer
import typer.core

from reeltune.cli import data, schema, space
from reeltune.cli.options import example, note
from reeltune.cli.results import compare, dashboard, evaluate, report, studies, trials
from reeltune.cli.serving import audit, export, recommend, serve, tradeoff
from reeltune.cli.study import benchmark, check, init, ratings, train, tune
from reeltune.version import __version__

VERBS: dict[str, dict[Any, str]] = {
    "Study": {
        init.init: "init ratings.csv",
        check.check: "check ml100k_gru --set study.trials=8",
        tune.tune: "tune ml100k_gru --trials 8",
        tune.resume: "resume ml100k_gru",
        train.train: "train synthetic_smoke --set training.max_epochs=3",
        benchmark.benchmark: "benchmark experiments/paper_ml100k.yaml --quick",
        ratings.ratings: "ratings experiments/ratings/ml100k.yaml",
    },
    "Results": {
        studies.studies: "studies",
        trials.trials: "trials ml100k_gru --csv > trials.csv",
        evaluate.evaluate: "evaluate ml100k_gru",
        compare.compare: "compare ml100k_gru ml100k_lstm",
        report.report: "report ml100k_gru --open",
        dashboard.dashboard: "dashboard ml100k_gru",
        studies.rm: "rm ml100k_gru",
    },
    "Data": {
        data.app: "",
    },
    "Serve": {
        export.export: "export ml100k_gru --out bundles/ml100k_gru",
        recommend.recommend: 'recommend bundles/ml100k_gru --liked "Fargo (1996)" -k 10',
        serve.serve: "serve bundles/ml100k_gru",
        audit.audit: "audit bundles/ml100k_gru",
        tradeoff.tradeoff: "tradeoff ml100k_gru",
    },
    "More": {
        space.app: "",
        schema.schema: "schema experiment > experiment.json",
    },
}
"""The verbs by group, each with an example of its use."""

BEGIN = f"""reeltune {__version__}: hyperparameter optimization for recurrent movie recommenders

Where to begin:
  reeltune tune synthetic_smoke    a study of generated data, about a minute
  reeltune tune ml100k_gru         a study of MovieLens-100K, about three minutes
  reeltune init ratings.csv        an experiment of your own data
  reeltune data list               the data sets that are known
  reeltune --help                  all verbs
"""


class Verbs(typer.core.TyperGroup):
    """Lists the verbs by group."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section a group, a line a verb."""
        width = max(map(len, self.commands))
        for title in VERBS:
            found = ((name, verb) for name, verb in self.commands.items() if verb.rich_help_panel == title)  # type: ignore[attr-defined]
            with formatter.section(title):
                for name, verb in found:
                    if not verb.hidden:
                        short = verb.get_short_help_str(formatter.width - width - 6)
                        formatter.write(f"  {name:<{width}}  {short}\n")


app = typer.Typer(
    name="reeltune",
    help="Tune, compare, export and use recurrent movie recommenders.",
    cls=Verbs,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help costs twice the time of everything else in `reeltune --help`
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _title, _verbs in VERBS.items():
    for _verb, _example in _verbs.items():
        if isinstance(_verb, typer.Typer):
            app.add_typer(_verb, rich_help_panel=_title)
        else:
            app.command(rich_help_panel=_title, epilog=example(_example))(_verb)
app.command(hidden=True)(benchmark.experiment)  # the former name, for one release


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"reeltune {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_print_version, is_eager=True
    ),
) -> None:
    _debug["on"] = debug
    if context.invoked_subcommand is None:
        print(BEGIN, end="")


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
        note(f"error: {error}")
        sys.exit(error.exit_code)
    except Exception as error:
        if _debug["on"]:
            raise
        note(f"error: {type(error).__name__}: {error} (run again with --debug for the traceback)")
        sys.exit(1)
