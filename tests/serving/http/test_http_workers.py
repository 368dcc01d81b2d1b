"""Several processes on one port: they share the load and the counts, reload together, and are replaced."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch

from browser import wait
from reeltune.serving.bundle.bundle import export_bundle
from serving_parts import make_parts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no sockets are inherited there")
COMMAND = [sys.executable, "-c", "from reeltune.cli.app import main; main()", "serve"]


def answer(address: str, path: str, body: object = None) -> str:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.read().decode())


def workers_of(process: int) -> list[int]:
    found = map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
    return [number for number in found if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes()]


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
        wait(lambda: "new bundle in place" in log.read_text())  # said by the one that was not asked
        assert before not in {json.loads(answer(address, "/health"))["bundle"] for _ in range(10)}

        workers = workers_of(process.pid)
        os.kill(workers[0], signal.SIGKILL)
        wait(lambda: "a worker ended with exit code -9 and is replaced" in log.read_text())
        wait(lambda: len(workers_of(process.pid)) == 2)
        assert answer(address, "/health")

        # Nobody can ask them to stop when their parent is gone: they see it themselves.
        workers = workers_of(process.pid)
        process.kill()
        process.wait()
        wait(lambda: not any(map(is_alive, workers)), 60)
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_request_during_the_stop_is_answered_or_refused(bundle_dir: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*COMMAND, str(bundle_dir), "--port", "0", "--workers", "2"], stderr=stderr
        )
    try:
        wait(lambda: "2 processes" in log.read_text(), 90)
        address = re.search(r"http://[\d.:]+", log.read_text())[0]
        assert answer(address, "/health")
        process.send_signal(signal.SIGTERM)
        refused, n_reset = [], 0
        while process.poll() is None:
            try:
                assert answer(address, "/health")
            except urllib.error.URLError as error:
                refused.append(type(error.reason))
            except ConnectionResetError:
                n_reset += 1
        assert set(refused) <= {ConnectionRefusedError}
        assert n_reset <= 1  # the one that no worker had taken yet when the port closed
        assert process.returncode == 0
        assert log.read_text().endswith("stopped\n")
    finally:
        process.kill()
        process.wait()
