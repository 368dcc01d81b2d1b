"""An existing Ray cluster: reached, and its nodes asked what they have and see."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError, EngineError
from reeltune.tuning.study.spec import StudySettings

PACKAGE = Path(__file__).parents[2]
"""The folder of this very code, which travels to the nodes."""
CONNECT_SECONDS = 5.0
"""Time that the head of a cluster has to answer; Ray itself tries for minutes."""
LOOK_SECONDS = 60.0
"""Time that all nodes have to look at the study's folder."""


def connect(address: str, environment: Mapping[str, str]) -> None:
    """Join the cluster at ``address`` (``HOST:PORT`` or ``auto``) and ship it this very code.

    Args:
        address: Where the cluster's head listens.
        environment: Variables for the workers.

    Raises:
        ConfigError: The address is malformed.
        EngineError: No cluster answers, or it runs another version of Ray.
    """
    import ray

    _check_address(address)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            runtime_env={
                "py_modules": [str(PACKAGE)],
                "env_vars": dict(environment),
            },
        )
    except (OSError, ValueError, RuntimeError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:300]
        raise EngineError(
            f"no Ray cluster can be joined at {address}: {reason}; run reeltune on a machine of the cluster, "
            "with the Python and Ray versions of its nodes"
        ) from error


def _check_address(address: str) -> None:
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ConfigError(
            f"--address {address!r} is not of the form HOST:PORT, such as 10.0.0.1:6379, or auto; with a "
            "ray:// address, submit reeltune as a job to the cluster instead"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise EngineError(
            f"no Ray cluster answers at {address} ({error.strerror or error}); start one with "
            f"`ray start --head --port={port}` there, or correct --address"
        ) from error


def check_fits(settings: StudySettings, nodes: Sequence[Mapping[str, float]]) -> None:
    """Check that a trial's share of processors and accelerators is there, on one node.

    Args:
        settings: What a trial asks for.
        nodes: Resources by kind (``CPU``, ``GPU``) of each node.

    Raises:
        ConfigError: No node has as much; the message says what there is.
    """
    asked = {"n_threads": ("CPU", "cores"), "gpus_per_trial": ("GPU", "accelerators")}
    for field, (kind, what) in asked.items():
        amount, most = (
            float(getattr(settings, field)),
            max((node.get(kind, 0.0) for node in nodes), default=0.0),
        )
        if amount > most:
            there = ", ".join(f"{node.get(kind, 0.0):g}" for node in nodes)
            where = (
                "this machine has" if len(nodes) == 1 else f"the largest of {len(nodes)} nodes ({there}) has"
            )
            raise ConfigError(f"study.{field} is {amount:g}, {where} {most:g} {what}; lower it")
    if all(_fits(settings, node) < 1 for node in nodes):
        raise ConfigError(
            f"no node has {settings.n_threads} cores and {settings.gpus_per_trial:g} accelerators together; "
            "lower study.n_threads or study.gpus_per_trial"
        )


def _fits(settings: StudySettings, node: Mapping[str, float]) -> int:
    """Return how many trials a node can run at once."""
    n = node.get("CPU", 0.0) // settings.n_threads
    return int(min(n, node.get("GPU", 0.0) / settings.gpus_per_trial) if settings.gpus_per_trial else n)


def node_resources() -> list[dict[str, float]]:
    """Return the resources of each living node."""
    import ray

    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]


def ask_nodes(function: Callable[..., Any], *arguments: Any) -> list[dict[str, Any]]:
    """Return what ``function`` returns on each living node, given the node's name and the ``arguments``.

    Ray may list a node for a while on which it starts nothing any more: such a node is asked again, and left
    out once it is gone.

    Raises:
        EngineError: A node that lives did not answer in time, or none is left.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    answers: dict[str, dict[str, Any]] = {}
    deadline, reason = time.monotonic() + LOOK_SECONDS, "no node is left"
    while True:
        nodes = [str(node["NodeID"]) for node in ray.nodes() if node["Alive"]]
        missing = [node for node in nodes if node not in answers]
        if nodes and not missing:
            return [answers[node] for node in nodes]
        left = deadline - time.monotonic()
        if left <= 0:
            raise EngineError(f"a node of the cluster did not answer within {LOOK_SECONDS:g} s: {reason}")
        asked = {}
        for node in missing:
            strategy = NodeAffinitySchedulingStrategy(node, soft=False)
            remote = ray.remote(num_cpus=0, scheduling_strategy=strategy, max_retries=0)(function)
            asked[node] = remote.remote(node, *arguments)
        for node, reference in asked.items():
            try:
                answers[node] = ray.get(reference, timeout=max(deadline - time.monotonic(), 0.1))
            except ray.exceptions.RayError as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
                time.sleep(0.5)
