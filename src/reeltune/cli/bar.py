"""A progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reeltune.cli.options import note

LINE_SECONDS = 10.0
"""Where there is no terminal, a line comes at most this often."""


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many of how many ``what`` are done, on the standard error."""
    if not sys.stderr.isatty():
        yield _lines(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(what: str) -> Callable[[int, int], None]:
    last = [time.monotonic()]

    def show(done: int, total: int) -> None:
        if done < total and time.monotonic() - last[0] < LINE_SECONDS:
            return
        last[0] = time.monotonic()
        note(f"{what}: {done:,} of {total:,} ({done / max(total, 1):.0%})")

    return show
