"""Trainings in processes of their own, one a folder, some at once.

Each process runs ``python -m MODULE FOLDER`` and adds what it prints to ``log.txt`` in the folder. One that
ends badly ends all; so does the end of the command that started them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from reeltune.errors import EngineError

_POLL_SECONDS = 0.5


def run_folders(
    module: str,
    folders: Mapping[Path, str],
    slots: Sequence[Mapping[str, str]],
    watch: Callable[[Path, bool], None],
) -> None:
    """Run ``module`` on each folder, one process a slot, in their order.

    Args:
        module: What is run.
        folders: Folders, each with what is done there, in words.
        slots: Variables that the process of each slot finds in its environment.
        watch: Called for each running folder about twice a second, and with True once its process ended well.

    Raises:
        EngineError: A process ended with another code than 0; the others are stopped.
    """
    waiting, free = list(folders), list(slots)
    running = dict[Path, tuple[subprocess.Popen[bytes], Mapping[str, str]]]()
    try:
        while waiting or running:
            while waiting and free:
                folder, slot = waiting.pop(0), free.pop(0)
                running[folder] = _start(module, folder, slot), slot
            time.sleep(_POLL_SECONDS)
            for folder, (process, slot) in list(running.items()):
                has_ended = process.poll() is not None
                watch(folder, has_ended and process.returncode == 0)
                if has_ended:
                    del running[folder]
                    free.append(slot)
                    _check(folder, folders[folder], process)
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.wait()


def stop_without_parent() -> Callable[[object], None]:
    """Return a function that ends this process once the one that started it is gone.

    A killed command is run again and starts the folder again: two must not train it at once.
    """
    parent = os.getppid()

    def check(_: object) -> None:
        if os.getppid() != parent:
            sys.exit("the command that started this training is gone")

    return check


def _start(module: str, folder: Path, slot: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", module, str(folder)]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **slot}
        )


def _check(folder: Path, label: str, process: subprocess.Popen[bytes]) -> None:
    if process.returncode != 0:
        log = folder / "log.txt"
        last = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise EngineError(
            f"{label} ended with code {process.returncode}: {last} (see {log}); "
            "run the command again to resume"
        )
