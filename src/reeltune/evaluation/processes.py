"""Trainings in processes of their own, one a folder, some at once.

Each process runs ``python -m MODULE FOLDER`` and adds what it prints to ``log.txt`` in the folder. One that
ends badly ends all; so does the end of the command that started them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from reeltune.errors import EngineError

__all__ = ["run_folders", "stop_without_parent"]

_POLL_SECONDS = 0.5


def run_folders(
    module: str, folders: Mapping[Path, str], concurrency: int, watch: Callable[[Path, bool], None]
) -> None:
    """Run ``module`` on each folder, up to ``concurrency`` at once, in their order.

    Args:
        module: What is run.
        folders: Folders, each with what is done there, in words.
        concurrency: Processes at once.
        watch: Called for each running folder about twice a second, and with True once its process ended well.

    Raises:
        EngineError: A process ended with another code than 0; the others are stopped.
    """
    waiting, running = list(folders), dict[Path, subprocess.Popen[bytes]]()
    try:
        while waiting or running:
            while waiting and len(running) < concurrency:
                folder = waiting.pop(0)
                running[folder] = _start(module, folder)
            time.sleep(_POLL_SECONDS)
            for folder, process in list(running.items()):
                has_ended = process.poll() is not None
                watch(folder, has_ended and process.returncode == 0)
                if has_ended:
                    del running[folder]
                    _check(folder, folders[folder], process)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def stop_without_parent() -> Callable[[object], None]:
    """Return a function that ends this process once the one that started it is gone.

    A killed command is run again and starts the folder anew: two must not train it at once.
    """
    parent = os.getppid()

    def check(_: object) -> None:
        if os.getppid() != parent:
            sys.exit("the command that started this training is gone")

    return check


def _start(module: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", module, str(folder)]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _check(folder: Path, label: str, process: subprocess.Popen[bytes]) -> None:
    if process.returncode != 0:
        log = folder / "log.txt"
        last = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise EngineError(
            f"{label} ended with code {process.returncode}: {last} (see {log}); "
            "run the command again to go on"
        )
