"""Options and small helpers that several verbs share."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import typer

STUDIES = typer.Option(
    None,
    "--studies",
    help="Folder of the studies. [default: REELTUNE_STUDIES, else studies]",
    show_default=False,
)
STUDY = typer.Argument(
    metavar="STUDY", help="Name of a study, or the path of its folder.", show_default=False
)
DATA_DIR = typer.Option(
    None, "--data-dir", help="Folder or archive with the data, looked into first.", show_default=False
)
ADDRESS = typer.Option(
    None,
    "--address",
    metavar="HOST:PORT",
    help="Head of a Ray cluster, or auto on one of its machines. [default: this machine alone]",
    show_default=False,
)
TAKE_OVER = typer.Option(
    False, "--take-over", help="Go on though the study's storage names another driver, which is dead."
)
AS_JSON = typer.Option(False, "--json", help="Print JSON with everything known.")
AS_CSV = typer.Option(False, "--csv", help="Print CSV with everything known, a column a field.")
CHANGES = typer.Option(
    [], "--set", metavar="NAME=VALUE", help="Put a value over that of the file, e.g. training.max_epochs=3."
)


def example(words: str) -> str:
    """Return the end of a verb's ``--help``, which shows an example of its use."""
    return f"Example:\n\n\b\n  reeltune {words}"


def studies_root(given: Path | None) -> Path:
    """Return the folder of the studies: the flag's, the environment's, or ``studies``.

    Raises:
        ConfigError: It is the address of a bucket.
    """
    from reeltune.tuning.study.folders import check_is_folder

    return check_is_folder(given or Path(os.environ.get("REELTUNE_STUDIES") or "studies"))


def study_path(name: str, given: Path | None) -> Path:
    """Return the folder of the study ``name``."""
    from reeltune.tuning.study.folders import find_study

    return find_study(name, studies_root(given))


def send_to_storage(directory: Path) -> None:
    """Send what a verb wrote into a study's folder to the study's storage, if it has one."""
    from reeltune.tuning.mirror.study_mirror import send_results

    send_results(directory, note)


def note(text: str) -> None:
    """Print a line of progress where it does not mix with results."""
    print(printable(text), file=sys.stderr, flush=True)


_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Return ``text`` without what would steer a terminal: titles and names come from files of others.

    Control characters other than tab and line end, and those that turn the direction of writing, are
    spelt out, as JSON would.

    >>> printable("Alien\x1b[2J")
    'Alien\\u001b[2J'
    """
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
