"""Several processes on one port: they share the load and the counts, reload together, and are replaced."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
import torch

from browser import wait
from reeltune.errors import EngineError
from reeltune.serving.bundle.bundle import export_bundle
from reeltune.serving.http import workers as http_workers
from reeltune.serving.http.workers import run_workers
from serving_parts import make_parts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no sockets are inherited there")
COMMAND = [sys.executable, "-c", "from reeltune.cli.app import main; main()", "serve"]


def answer(address: str, path: str, body: object = None) -> str:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.read().decode())


def children(process: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_two_processes_answer_and_reload_as_one_and_end_with_their_parent(
    bundle_dir: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*COMMAND, str(bundle_dir), "--port", "0", "--workers", "2"], stderr=stderr
        )
    try:
        wait(lambda: "2 processes" in log.read_text(), 90)
        address = re.search(r"http://[\d.:]+", log.read_text())[0]
        ask = {"history": [{"movie": "toy story"}], "k": 3}
        for _ in range(20):
            assert len(json.loads(answer(address, "/recommend", ask))["movies"]) == 3

        def n_counted() -> float:
            return sum(
                map(float, re.findall(r'path="/recommend",status="200"} (.*)', answer(address, "/metrics")))
            )

        wait(lambda: n_counted() == 20)  # whichever process tells; a request is counted once it is answered
        before = json.loads(answer(address, "/health"))["bundle"]
        parts = make_parts()
        with torch.no_grad():
            for parameter in parts.network.parameters():
                parameter.normal_()
        export_bundle(parts, bundle_dir, force=True)
        assert json.loads(answer(address, "/reload", {}))["is_changed"]
        wait(lambda: log.read_text().count("bundle is the same") + log.read_text().count("new bundle") == 2)
        assert before not in {json.loads(answer(address, "/health"))["bundle"] for _ in range(10)}

        workers = children(process.pid)
        os.kill(workers[0], signal.SIGKILL)
        wait(lambda: "exit code -9 and is replaced" in log.read_text())
        wait(lambda: len(children(process.pid)) == 2)
        assert answer(address, "/health")

        # Nobody can ask them to stop when their parent is gone: they see it themselves.
        workers = children(process.pid)
        process.kill()
        process.wait()
        wait(lambda: not any(map(is_alive, workers)), 60)
    finally:
        process.kill()
        process.wait()


def run(command: str, told: list[str], n_workers: int = 1) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        run_workers(
            [sys.executable, "-c", command],
            n_workers,
            bound,
            environment=os.environ,
            notify=told.append,
            started="started",
        )


def test_workers_that_cannot_start_end_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_workers, "LONGEST_PAUSE_SECONDS", 0.05)
    told: list[str] = []
    with pytest.raises(
        EngineError, match=r"3 workers ended within 10 s .* exit code 7; serve with --workers 1"
    ):
        run("raise SystemExit(7)", told)
    assert told[:2] == ["started", "a worker ended with exit code 7 and is replaced"]


def test_a_worker_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_workers, "STOP_SECONDS", 0.2)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    started = time.monotonic()
    run(stubborn, [], n_workers=2)
    assert time.monotonic() - started < 20
