"""A private Ray on this machine for as long as a study runs, or a cluster's, and the signals that end it."""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from reeltune.errors import ConfigError, EngineError, first_line
from reeltune.tuning.ray.cluster import check_fits, connect, node_resources
from reeltune.tuning.study.spec import StudySettings

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # trials keep the user's working directory
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run` workers would build a second environment
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # Ray's own 15 lets anything else on the machine starve the trials
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


def private_environment() -> dict[str, str]:
    """Return :data:`ENVIRONMENT` with a fresh random token for a Ray that starts here.

    Ray's daemons and workers listen on every interface, whatever is set. Whoever reaches one of their
    ports without the token is refused; with authentication off they would run any code that they are sent.
    """
    return {**ENVIRONMENT, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


FOR_WORKERS = ("MALLOC", "TUNE_", "RAY_CHDIR", "RAY_ACCEL")
"""Beginnings of the names that workers of a cluster are given; the rest is for a Ray that starts here."""


@contextmanager
def ray_session(
    settings: StudySettings, address: str | None = None, *, has_dashboard: bool = False
) -> Iterator[str | None]:
    """Yield the address of Ray's dashboard, if it has one, with Ray at hand while the block runs.

    Start Ray with the processors that ``settings`` ask for, or join a cluster, and end it with the block.

    A Ray that the calling program has started itself is used as it is and left running.

    Args:
        settings: What a trial asks for, and how many run at once.
        address: Where a cluster's head listens, ``HOST:PORT`` or ``auto``; None for this machine alone.
        has_dashboard: Serve Ray's own dashboard on this machine; a cluster serves its own or not.

    Raises:
        ConfigError: More accelerators or processors are asked for than there are, or a dashboard that is not
            installed.
        EngineError: Ray cannot be started, or no cluster answers.
    """
    before = dict(os.environ)
    session = None
    dashboard: str | None = None
    is_here = address is None
    own = private_environment()
    given = {key: value for key, value in own.items() if is_here or key.startswith(FOR_WORKERS)}
    # A token that is the user's own belongs to their cluster; a Ray of this study never runs without one.
    os.environ.update(
        {key: value for key, value in given.items() if key not in before or key.startswith("RAY_AUTH_")}
    )
    has_joined = False
    try:
        import ray

        if not ray.is_initialized():
            if address is None:
                check_fits(settings, [local_resources(settings)])
                session = start_ray(settings.concurrency * settings.n_threads, has_dashboard=has_dashboard)
                dashboard = session.dashboard
            else:
                connect(address, {key: before.get(key, value) for key, value in given.items()})
                has_joined = True
        check_fits(settings, node_resources())
        with _raylet_unheard():
            yield dashboard
    finally:
        if session is not None or has_joined:
            ray.shutdown()
        if session is not None:
            shutil.rmtree(session.directory, ignore_errors=True)  # logs and sockets of this session alone
        for key in os.environ.keys() - before.keys():  # Ray adds some of its own
            del os.environ[key]
        os.environ.update(before)


@contextmanager
def _raylet_unheard() -> Iterator[None]:
    """Keep pages of the daemon's own log off the terminal when it dies; the study says so in one line.

    Ray prints them whatever is set for logs, save by this switch of its own tests.
    """
    from ray._private import worker

    before = worker._worker_logs_enabled
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


def local_resources(settings: StudySettings) -> dict[str, float]:
    """Return the cores and, where ``settings`` ask for some, the accelerators that this process may use."""
    found = {
        "CPU": float(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
    }
    if settings.gpus_per_trial > 0:
        import torch

        found["GPU"] = float(torch.cuda.device_count())
    return found


@dataclass(frozen=True)
class RaySession:
    """A Ray that runs on this machine."""

    directory: str  # of its logs and sockets
    dashboard: str | None  # address of its own dashboard, and the token that it asks for, if it serves one


def start_ray(n_cpus: int, *, has_dashboard: bool = False) -> RaySession:
    """Start Ray on this machine with ``n_cpus`` slots; the environment holds its token.

    Raises:
        ConfigError: A dashboard is asked for and not installed.
        EngineError: Ray cannot be started.
    """
    import ray

    if has_dashboard:
        _check_dashboard()
    read_token()
    try:
        context = ray.init(
            address="local",  # never a cluster that a stale file names
            num_cpus=n_cpus,
            include_dashboard=has_dashboard,
            dashboard_host="127.0.0.1",
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    except Exception as error:  # a plain one where the dashboard does not come up
        reason = first_line(error)
        raise EngineError(
            f"Ray cannot be started: {reason}; it needs a writable temporary folder (set RAY_TMPDIR) "
            "and free ports on the loopback interface"
        ) from error
    served = None
    if has_dashboard and context.dashboard_url:
        served = f"http://{context.dashboard_url} (token {os.environ.get('RAY_AUTH_TOKEN', '')})"
    return RaySession(str(context.address_info["session_dir"]), served)


def read_token() -> None:
    """Let Ray read mode and token from the environment again: it keeps what it read at its first import."""
    private = importlib.import_module("ray._raylet")
    private.Config.initialize("")
    private.AuthenticationTokenLoader.instance().reset_cache()


def _check_dashboard() -> None:
    try:
        importlib.import_module("ray.dashboard.optional_deps")  # what Ray itself tries
    except ImportError as error:
        raise ConfigError(
            f"logging.ray_dashboard needs packages that are not installed ({first_line(error)}); install "
            'them with pip install "reeltune[ray-dashboard]", or drop the key'
        ) from error


def is_ray_alive() -> bool:
    """Return whether any node of Ray is left to run trials on."""
    import ray

    try:
        return any(node["Alive"] for node in ray.nodes())
    except (RuntimeError, OSError, ray.exceptions.RayError):
        return False


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether SIGINT, SIGTERM or SIGHUP has arrived; a second one ends at once.

    A terminal that closes may send SIGHUP more than once; under ``nohup`` it is ignored as before.
    Outside the main thread nothing is changed and the answer stays False.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    arrived: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        arrived.append(number)
        if len(arrived) > 1 and number != getattr(signal, "SIGHUP", None):
            raise KeyboardInterrupt

    watched: list[Any] = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        watched.append(signal.SIGHUP)
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
