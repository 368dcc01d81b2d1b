"""A private Ray on this machine for as long as a study runs, and the signals that end it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from reeltune.errors import ConfigError, EngineError
from reeltune.tuning.spec import StudySettings

__all__ = ["ENVIRONMENT", "OBJECT_STORE_BYTES", "is_ray_alive", "private_ray", "start_ray", "stop_signals"]

ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",  # a Ray of this process alone, on loopback; else a token file in the home
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # trials keep the user's working directory
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run` workers would build a second environment
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial's last message carries no objective
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "120",  # a slow end of one trial must not fail the next on its worker
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # snapshots are never read
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "MALLOC_ARENA_MAX": "2",  # keeps the memory of reused workers flat
}
"""What Ray and its workers read from the environment; set while a study runs where the user set nothing."""

OBJECT_STORE_BYTES = 100 * 2**20
"""Trials exchange figures only; their data are memory-mapped files."""


@contextmanager
def private_ray(settings: StudySettings) -> Iterator[None]:
    """Start Ray with the processors that ``settings`` ask for, and end it with the block.

    A Ray that the calling program has started itself is used as it is and left running.

    Raises:
        ConfigError: More accelerators or processors are asked for than there are.
        EngineError: Ray cannot be started.
    """
    before = dict(os.environ)
    os.environ.update({key: value for key, value in ENVIRONMENT.items() if key not in before})
    session = None
    try:
        import ray

        if not ray.is_initialized():
            session = start_ray(settings.concurrency * settings.n_threads)
        _check_resources(settings, ray.cluster_resources())
        yield
    finally:
        if session is not None:
            ray.shutdown()
            shutil.rmtree(session, ignore_errors=True)  # logs and sockets of this session alone
        for key in os.environ.keys() - before.keys():  # Ray adds some of its own
            del os.environ[key]


def start_ray(n_cpus: int) -> str:
    """Start Ray on this machine with ``n_cpus`` slots and return the folder of its session.

    Raises:
        EngineError: Ray cannot be started.
    """
    import ray

    try:
        context = ray.init(
            address="local",  # never a cluster that a stale file names
            num_cpus=n_cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    except (OSError, ValueError, RuntimeError, TimeoutError) as error:
        reason = str(error).splitlines()[0]
        raise EngineError(
            f"Ray cannot be started: {reason}; it needs a writable temporary folder (set RAY_TMPDIR) "
            "and free ports on the loopback interface"
        ) from error
    return str(context.address_info["session_dir"])


def is_ray_alive() -> bool:
    """Return whether any node of Ray is left to run trials on."""
    import ray

    try:
        return any(node["Alive"] for node in ray.nodes())
    except (RuntimeError, OSError, ray.exceptions.RayError):
        return False


def _check_resources(settings: StudySettings, there: Mapping[str, float]) -> None:
    n_cores = os.cpu_count() or 1
    if settings.n_threads > n_cores:
        raise ConfigError(
            f"study.n_threads is {settings.n_threads}, this machine has {n_cores} cores; lower it"
        )
    asked = {"gpus_per_trial": ("GPU", settings.gpus_per_trial), "n_threads": ("CPU", settings.n_threads)}
    for field, (kind, amount) in asked.items():
        if amount > there.get(kind, 0.0):
            raise ConfigError(
                f"study.{field} is {amount:g}, there are {there.get(kind, 0.0):g} {kind}s; lower it"
            )


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGINT or SIGTERM has arrived; a second one ends at once.

    Outside the main thread nothing is changed and the answer stays False.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    arrived: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        arrived.append(number)
        if len(arrived) > 1:
            raise KeyboardInterrupt

    watched: tuple[Any, ...] = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handle) for number in watched}

    def has_arrived() -> bool:
        # Ray puts its own handler for SIGTERM when it starts; this one comes back at the first look.
        for number in watched:
            if signal.getsignal(number) is not handle:
                signal.signal(number, handle)
        return bool(arrived)

    try:
        yield has_arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
