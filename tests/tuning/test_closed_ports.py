"""While a study's Ray runs, nobody without its token runs code, on whatever port it listens."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from engine_parts import descendants

pytestmark = [
    # Ray leaves the sockets and pipes of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

METHODS = [
    "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
    "/ray.rpc.NodeManagerService/GetNodeStats",
    "/ray.rpc.ObjectManagerService/Push",
    "/ray.rpc.CoreWorkerService/GetCoreWorkerStats",
]
"""One of each kind of server that Ray starts."""

STRANGER = """
import sys, logging, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)
print("ran", ray.get(ray.remote(lambda: 7).remote(), timeout=30))
"""


def outer_address():
    """Return the machine's own address towards others, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return "127.0.0.1"
        return asked.getsockname()[0]


def listening(pids):
    """Return the TCP ports on which any of the processes listens beyond the loopback interface."""
    inodes = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = str(handle.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if fields[3] == "0A" and fields[9] in inodes and address != "0100007F":
                ports.add(int(port, 16))
    return ports


def answers(address, port, method, token=None):
    """Return the gRPC status of a call with an empty body."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(f"{address}:{port}") as channel:
        call = channel.unary_unary(method, lambda body: body, lambda body: body)
        try:
            call(b"", timeout=10, metadata=metadata)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


def ray_of_a_study():
    import ray

    return ray.get_runtime_context().gcs_address


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="ports are read from /proc")
@pytest.mark.usefixtures("one_ray")
@pytest.mark.parametrize("address", ["127.0.0.1", outer_address()])
def test_every_port_refuses_who_has_no_token(address):
    import ray

    ray.get(ray.remote(lambda: 0).remote())  # a worker listens too
    ports = listening([os.getpid(), *descendants(os.getpid())])
    found = {(port, method): answers(address, port, method) for port in ports for method in METHODS}
    assert "OK" not in found.values()
    refused = [method for (_, method), status in found.items() if status == "UNAUTHENTICATED"]
    assert set(refused) == set(METHODS), found  # each kind of server was met, and refused
    gcs = int(ray_of_a_study().rpartition(":")[2])
    assert answers(address, gcs, METHODS[0], "0" * 64) == "UNAUTHENTICATED"
    assert answers(address, gcs, METHODS[0], os.environ["RAY_AUTH_TOKEN"]) == "OK"  # the check can tell


@pytest.mark.soak
@pytest.mark.usefixtures("one_ray")
def test_a_stranger_cannot_run_a_task():
    own = {**os.environ}
    stranger = {**own, "RAY_AUTH_MODE": "disabled"}
    stranger.pop("RAY_AUTH_TOKEN")
    address = ray_of_a_study()
    for environment, is_let_in in [(own, True), (stranger, False)]:
        ran = subprocess.run(
            [sys.executable, "-c", STRANGER, address],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ("ran 7" in ran.stdout) is is_let_in, ran.stderr[-2000:]


def test_each_session_has_a_token_of_its_own(monkeypatch):
    from reeltune.tuning.ray.session import private_environment

    first, second = private_environment(), private_environment()
    assert first["RAY_AUTH_MODE"] == "token"
    assert len(first["RAY_AUTH_TOKEN"]) == 64
    assert first["RAY_AUTH_TOKEN"] != second["RAY_AUTH_TOKEN"]


@pytest.mark.soak
def test_a_session_has_its_token_whatever_the_user_set(monkeypatch):
    from reeltune.tuning.ray.session import ray_session
    from reeltune.tuning.study.spec import StudySettings

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of a cluster")
    before = dict(os.environ)
    with ray_session(StudySettings(concurrency=1)):
        gcs = int(ray_of_a_study().rpartition(":")[2])
        assert answers("127.0.0.1", gcs, METHODS[0]) == "UNAUTHENTICATED"
    assert dict(os.environ) == before
