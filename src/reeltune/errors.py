"""The exception tree of reeltune, drawn once.

::

    ReeltuneError                 anything reeltune reports in one line
    ├── UserError                 the caller can mend it; the command line exits with 2
    │   ├── ConfigError           a file, key, value or search space is wrong
    │   ├── DataError             a data source is missing, damaged or malformed
    │   ├── StudyError            a study folder is absent, locked, foreign or unfinished
    │   └── BundleError           an exported bundle is absent, damaged or foreign
    ├── DivergedError             a trial met a number that is not finite
    └── EngineError               Ray, the disk or a worker failed; exits with 1

Each message gives the value, the limit and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ReeltuneError(Exception):
    """Base of all errors that reeltune raises on purpose."""

    exit_code: int = 1


class UserError(ReeltuneError):
    """An error that the caller can mend."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration file, key, value or search space is wrong."""


class DataError(UserError):
    """A data source is missing, damaged or malformed."""


class StudyError(UserError):
    """A study folder is absent, locked, foreign or unfinished."""


class BundleError(UserError):
    """An exported bundle is absent, damaged or foreign."""


class DivergedError(ReeltuneError):
    """A trial met a loss or score that is not finite."""


class EngineError(ReeltuneError):
    """Ray, the disk or a worker failed for no fault of the caller's input."""


def first_line(error: Exception) -> str:
    """Return what an error of another library says, in one line.

    >>> first_line(KeyError("seconds"))
    "KeyError: 'seconds'"
    """
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the one-line message for a name that no registry holds.

    >>> unknown_name("model", "gro", ["gru", "lstm"])
    "unknown model 'gro': did you mean 'gru'? Known: gru, lstm"
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {str(name)!r}: {hint}Known: {', '.join(names)}"
