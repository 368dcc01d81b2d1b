"""Fetches archives into the cache: from the publisher's address, or out of a package.

A download is either whole or absent: it is written beside its target, checked, then renamed.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from reeltune.data.sources.cache import cache_lock, sources_root
from reeltune.data.sources.source import Package
from reeltune.errors import DataError
from reeltune.files import atomic_path

Notify = Callable[[str], None]

_CONNECT_SECONDS = 10.0  # of silence; an unreachable address must not hold up the next link
_PACKAGE_SECONDS = 300.0
_CHUNK_BYTES = 1 << 18
_PROGRESS_BYTES = 25_000_000  # a line of progress each so many bytes


def fetch_address(address: str, target: Path, notify: Notify, *, checksum: str | None = None) -> None:
    """Write the archive at ``address`` to ``target``, atomically.

    ``checksum`` is ``sha256:...`` or ``md5:...``; None where unknown.
    """
    with atomic_path(target) as part:
        try:
            with urllib.request.urlopen(address, timeout=_CONNECT_SECONDS) as answer, part.open("wb") as file:
                expected = int(answer.headers.get("Content-Length") or 0)
                done = 0
                while chunk := answer.read(_CHUNK_BYTES):
                    file.write(chunk)
                    if (done + len(chunk)) // _PROGRESS_BYTES > done // _PROGRESS_BYTES:
                        notify(f"{target.name}: {done / 1e6:.0f} of {expected / 1e6:.0f} MB")
                    done += len(chunk)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", None) or error
            raise DataError(f"{address}: {reason}") from error
        if expected and done != expected:
            raise DataError(f"{address}: {done:,} of {expected:,} bytes came; the download is partial")
        _check_archive(part, address)
        if checksum is not None:
            _check_sum(part, address, checksum)


def package_archive(
    package: Package, folder: str, what: str, notify: Notify, *, is_renewed: bool = False
) -> Path:
    """Return the package's archive in ``folder`` of the cache's sources, fetched where it is not there yet.

    ``what`` is fetched, in words. ``is_renewed``: whether to fetch it also where it is there.
    """
    target = sources_root() / folder / package.file_name
    if target.is_file() and not is_renewed:
        return target
    notify(
        f"fetching {what} in the package {package.name} {package.version} "
        f"({package.size_bytes / 1e6:.1f} MB, {package.licence}; opened, not installed)"
    )
    with cache_lock(folder, notify):
        if is_renewed or not target.is_file():  # another process may have fetched it while this one waited
            fetch_package(package, target)
    return target


def fetch_package(package: Package, target: Path) -> None:
    """Write the package's archive to ``target``, atomically; nothing is installed."""
    name = f"{package.name} {package.version}"
    kind = "--no-binary" if package.is_source else "--only-binary"
    with tempfile.TemporaryDirectory(prefix="reeltune-") as folder:
        command = [
            *_pip(),
            *("download", "--quiet", "--no-deps", kind, ":all:", "--dest", folder),
            f"{package.name}=={package.version}",
        ]
        environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=_PACKAGE_SECONDS,
                check=False,
                env=environment,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DataError(f"package {name}: {error}") from error
        files = sorted(Path(folder).iterdir())
        if done.returncode != 0 or not files:
            raise DataError(f"package {name}: {_last_line(done.stderr) or 'pip brought no archive'}")
        _check_archive(files[0], f"package {name}")
        with atomic_path(target) as part:
            shutil.copyfile(files[0], part)


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip", "pip3"):
        found = shutil.which(name)
        if found:
            return [found]
    uv = shutil.which("uv")
    if uv:
        return [uv, "tool", "run", "pip"]
    raise DataError("neither pip nor uv is installed; install one, or give the data with --data-dir")


def _check_archive(path: Path, label: str) -> None:
    if path.name.endswith(".tar.gz"):
        if not tarfile.is_tarfile(path):
            raise DataError(f"{label}: not a whole tar archive")
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{label}: not a whole zip archive ({error})") from error
    if damaged is not None:
        raise DataError(f"{label}: the checksum of {damaged} is wrong")


def _check_sum(path: Path, label: str, checksum: str) -> None:
    algorithm, _, wanted = checksum.partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != wanted:
        raise DataError(f"{label}: its {algorithm} is {found[:12]}..., the known one is {wanted[:12]}...")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [""])[-1]
