"""An existing Ray cluster: reached, asked what it has, and shown the study's folder."""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError, EngineError, ReeltuneError
from reeltune.object_storage import ObjectStorage
from reeltune.tuning.study.spec import StudySettings
from reeltune.tuning.trial.node_data import ARCHIVE, pack_data

__all__ = ["check_fits", "connect", "node_resources", "prepare_nodes", "prepare_storage"]

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
        ConfigError: No node has as much; the message tells what there is.
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


def prepare_nodes(study_directory: Path, data_directory: Path) -> None:
    """Check that every node can read and write the study's folder; pack the data if one does not see them.

    Raises:
        ConfigError: A node does not see the folder.
        EngineError: A node did not answer, or the data cannot be packed.
    """
    token = secrets.token_hex(8)
    asked = study_directory / f".nodes-{token}"
    asked.write_text(token, encoding="utf-8")
    try:
        answers = _ask_nodes(_look, str(study_directory), token, str(data_directory))
        for answer in answers:
            answered = study_directory / f".nodes-{token}-{answer['node']}"
            if not answer["is_shared"] or not answered.exists():
                raise ConfigError(
                    f"node {answer['host']} does not see the study's folder {study_directory}; give "
                    "--studies a folder that every node has under the same path (NFS, EFS, a shared volume), "
                    "or --storage an address of object storage (s3://BUCKET/PREFIX)"
                )
            answered.unlink()
        if not all(answer["has_data"] for answer in answers):
            pack_data(data_directory, study_directory)
    finally:
        for left in study_directory.glob(f".nodes-{token}*"):
            left.unlink(missing_ok=True)


def prepare_storage(study_directory: Path, data_directory: Path, storage: ObjectStorage) -> None:
    """Check that every node can read and write ``storage``, and send it the data for them.

    Raises:
        ConfigError: A node does not reach the storage.
        EngineError: The storage fails, a node did not answer, or the data cannot be packed.
    """
    token = secrets.token_hex(8)
    asked = f".nodes-{token}"
    storage.write(asked, token.encode())
    answers = []
    try:
        answers = _ask_nodes(_look_at_storage, storage.address, asked, token)
        for answer in answers:
            if answer["problem"]:
                raise ConfigError(
                    f"node {answer['host']} does not share the storage: {answer['problem']} (each node needs "
                    "credentials of its own, in its environment or from its cloud)"
                )
    finally:
        for name in (asked, *(f"{asked}-{answer['node']}" for answer in answers)):
            storage.remove(name)
    pack_data(data_directory, study_directory)
    try:
        storage.send(study_directory / ARCHIVE, ARCHIVE)
    finally:
        (study_directory / ARCHIVE).unlink(missing_ok=True)


def _look_at_storage(node: str, address: str, asked: str, token: str) -> dict[str, Any]:
    """Runs on a node: tell whether the driver's object is seen there, and write one."""
    import platform

    problem = ""
    try:
        storage = ObjectStorage.open_checked(address)
        if storage.read(asked) != token.encode():
            problem = f"{address} is another place there than on the driver's machine"
        storage.write(f"{asked}-{node}", token.encode())
    except ReeltuneError as error:
        problem = str(error)
    return {"node": node, "host": platform.node(), "problem": problem}


def _ask_nodes(function: Callable[..., Any], *arguments: Any) -> list[dict[str, Any]]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = []
    for node in ray.nodes():
        if node["Alive"]:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            remote = ray.remote(num_cpus=0, scheduling_strategy=strategy, max_retries=0)(function)
            asked.append(remote.remote(node["NodeID"], *arguments))
    try:
        return list(ray.get(asked, timeout=LOOK_SECONDS))
    except ray.exceptions.RayError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
        raise EngineError(
            f"a node of the cluster did not answer within {LOOK_SECONDS:g} s: {reason}"
        ) from error


def _look(node: str, study_directory: str, token: str, data_directory: str) -> dict[str, Any]:
    """Runs on a node: tell what is seen there, and answer into the study's folder."""
    import platform

    asked = Path(study_directory) / f".nodes-{token}"
    is_shared = False
    try:
        is_shared = asked.read_text(encoding="utf-8") == token
        Path(f"{asked}-{node}").write_text(token, encoding="utf-8")
    except OSError:
        is_shared = False
    has_data = Path(data_directory).exists()
    return {"node": node, "host": platform.node(), "is_shared": is_shared, "has_data": has_data}
