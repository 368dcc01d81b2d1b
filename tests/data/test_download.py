import http.server
import threading

import pytest
from data_parts import zip_bytes

from reeltune.data.sources import download
from reeltune.data.sources.download import fetch_address, fetch_package
from reeltune.data.sources.source import Package
from reeltune.errors import DataError

ARCHIVE = zip_bytes({"a.txt": b"hello"})


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/gone.zip":
            self.send_error(404)
            return
        body = {"/whole.zip": ARCHIVE, "/half.zip": ARCHIVE[:30], "/page.zip": b"<html></html>"}[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(ARCHIVE) if self.path == "/half.zip" else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_whole_archive_arrives(address, tmp_path):
    target = tmp_path / "sub" / "whole.zip"
    fetch_address(f"{address}/whole.zip", target, lambda _: None)
    assert target.read_bytes() == ARCHIVE


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.zip", "Not Found"),
        ("half.zip", "30 of .* bytes came; the download is partial"),
        ("page.zip", "not a whole zip archive"),
    ],
)
def test_anything_else_leaves_nothing(address, tmp_path, name, message):
    with pytest.raises(DataError, match=message):
        fetch_address(f"{address}/{name}", tmp_path / name, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_checksum_leaves_nothing(address, tmp_path):
    with pytest.raises(DataError, match="its md5 is"):
        fetch_address(f"{address}/whole.zip", tmp_path / "x.zip", lambda _: None, checksum="md5:" + "0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_nobody_listens(tmp_path):
    with pytest.raises(DataError, match="Connection refused"):
        fetch_address("http://127.0.0.1:9/x.zip", tmp_path / "x.zip", lambda _: None)


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """Replace pip by a script; returns a function that sets what it does."""

    def set_script(body: str):
        script = tmp_path / "pip.sh"
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        monkeypatch.setattr(download, "_pip", lambda: [str(script)])

    return set_script


PACKAGE = Package("recbole", "1.2.1", "MIT", 1)


def test_the_wheel_of_a_package_is_kept(tmp_path, pip):
    source = tmp_path / "source.zip"
    source.write_bytes(ARCHIVE)
    pip(
        'for last; do :; done; [ "$last" = recbole==1.2.1 ] '
        f'&& cp {source} "$7/recbole-1.2.1-py3-none-any.whl"'
    )
    target = tmp_path / "cache" / "recbole.whl"
    fetch_package(PACKAGE, target)
    assert target.read_bytes() == ARCHIVE


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo 'WARNING: x' >&2; echo 'ERROR: No matching distribution' >&2; exit 1", "ERROR: No matching"),
        ("exit 0", "pip brought no archive"),
        ('echo junk > "$7/a.whl"', "not a whole zip archive"),
    ],
)
def test_a_package_that_fails_leaves_nothing(tmp_path, pip, body, message):
    pip(body)
    with pytest.raises(DataError, match=message):
        fetch_package(PACKAGE, tmp_path / "cache" / "recbole.whl")
    assert not (tmp_path / "cache").exists()


def test_pip_is_found_or_missed_in_one_line(monkeypatch):
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(download.shutil, "which", lambda name: "/bin/uv" if name == "uv" else None)
    assert download._pip() == ["/bin/uv", "tool", "run", "pip"]
    monkeypatch.setattr(download.shutil, "which", lambda _: None)
    with pytest.raises(DataError, match="neither pip nor uv is installed"):
        download._pip()
