"""Connections that are silent, slow, endless or too many, and what asks while the service ends."""

import http.client
import socket
import threading
from pathlib import Path

import pytest
import uvicorn

from browser import wait
from reeltune.errors import ConfigError
from reeltune.serving.http import protocol, server
from reeltune.serving.http.address import open_port, own_names
from reeltune.serving.http.app import guarded
from reeltune.serving.http.service import Service

POST = b"POST /recommend HTTP/1.1\r\nHost: localhost\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Running:
    """A service in a thread of its own."""

    def __init__(self, bundle: Path):
        self.bound = open_port("127.0.0.1", 0)
        self.address = self.bound.getsockname()
        hosts = own_names(self.bound, "127.0.0.1")
        self.server = uvicorn.Server(server._config(guarded(Service(bundle), hosts)))
        self.thread = threading.Thread(target=self.server.run, args=([self.bound],))

    def __enter__(self):
        self.thread.start()
        wait(lambda: self.server.started)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join()
        self.bound.close()

    def connect(self):
        return socket.create_connection(self.address, timeout=20)

    def status(self, headers=(), method="GET"):
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        try:
            connection.request(method, "/health", headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, len(answer.read()), int(answer.headers["content-length"])
        finally:
            connection.close()


@pytest.fixture(name="running")
def _running(bundle_dir: Path):
    with Running(bundle_dir) as running:
        yield running


def test_a_silent_connection_makes_room_for_one_that_asks(running, monkeypatch) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 5)
    silent = [running.connect() for _ in range(12)]
    assert running.status()[0] == 200
    assert len(running.server.server_state.connections) <= 5
    for connection in silent:
        connection.close()


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nHost:", HEALTH + b"GET"])
def test_a_request_that_does_not_come_ends_the_connection(running, monkeypatch, sent: bytes) -> None:
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.3)
    with running.connect() as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200" if sent.startswith(HEALTH) else b"HTTP/1.1 408")
    assert answer.count(b"HTTP/1.1 408") == 1


def test_a_body_that_stops_ends_the_connection(running, monkeypatch) -> None:
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.3)
    with running.connect() as connection:
        connection.sendall(
            HEALTH.replace(b"GET /health", b"POST /recommend")[:-2] + b"Content-Length: 9\r\n\r\n{"
        )
        assert connection.recv(65536) == b""
    assert running.status()[0] == 200


@pytest.mark.parametrize("start", [HEALTH[:-2] + b"X: ", b"GET /", b"\r\n" * 10])
def test_an_endless_head_is_refused_early(running, start: bytes) -> None:
    with running.connect() as connection:
        connection.sendall(start)
        try:
            for _ in range(200):
                connection.sendall(b"\r\n" * 32768 if start.startswith(b"\r") else b"a" * 65536)
            pytest.fail("13 MB were taken")
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert running.status()[0] == 200


def test_an_endless_body_is_cut_off(running) -> None:
    with running.connect() as connection:
        connection.sendall(
            HEALTH.replace(b"GET /health", b"POST /reload")[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
        )
        try:
            for _ in range(2000):
                connection.sendall(b"8000\r\n" + b"a" * 32768 + b"\r\n")
            pytest.fail("64 MB were taken")
        except (BrokenPipeError, ConnectionResetError):
            pass


def test_who_asks_as_the_service_ends_is_answered(running) -> None:
    with running.connect() as asked, running.connect() as kept:
        kept.sendall(HEALTH)
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        running.server.should_exit = True
        wait(lambda: not running.server.servers[0].is_serving())
        for connection in (asked, kept):
            connection.sendall(HEALTH)
            answer = b"".join(iter(lambda c=connection: c.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer
    running.thread.join()
    with pytest.raises(ConnectionRefusedError):
        running.connect()


def test_a_head_request_has_the_length_and_no_body(running) -> None:
    status, n_read, n_told = running.status(method="HEAD")
    assert (status, n_read) == (200, 0)
    assert n_told == running.status()[1] > 0


@pytest.mark.parametrize(
    ("host", "name", "is_open"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.2", "127.0.0.2", False),
        ("localhost", "localhost", False),
        ("::1", "[::1]", False),
        ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]", False),
        ("0.0.0.0", "*", True),
    ],
)
def test_each_loopback_address_answers_to_its_own_names_alone(host: str, name: str, is_open: bool) -> None:
    try:
        bound = open_port(host, 0)
    except ConfigError:
        pytest.skip("this machine has no such address")
    with bound:
        names = own_names(bound, host)
    assert name in names
    assert ("*" in names) == is_open


def test_another_name_is_refused(running) -> None:
    assert running.status({"Host": "rebound.example"})[0] == 400
    assert running.status({"Host": f"localhost:{running.address[1]}"})[0] == 200
    assert running.status({"Origin": "http://rebound.example"})[0] == 403


def test_a_low_limit_of_open_files_is_raised_for_the_connections() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        server._allow_files(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(300, before[1]), before[1])
        server._allow_files(100)  # never lowered
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(300, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
