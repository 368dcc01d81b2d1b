"""The folder of a bundle: whole or absent, with a manifest.

The manifest gives the format, the schema version, and size and SHA-256 of every other file.
"""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reeltune.errors import BundleError, first_line
from reeltune.files import part_path, read_json, sha256_file, write_error
from reeltune.locks import try_lock
from reeltune.version import __version__

FORMAT = "reeltune-bundle"
SCHEMA = 1
"""Version of the layout; raised when an older reader could not read a newer bundle."""

ABANDONED_SECONDS = 60.0
"""Age from which an unfinished folder that no process holds was left by one that was killed."""

_REQUIRED = ("weights.safetensors", "config.json", "vocabulary.json", "ledger.json", "metrics.json")


def is_bundle(directory: Path) -> bool:
    """Return whether ``directory`` says of itself that it is a bundle."""
    try:
        return bool(read_json(directory / "manifest.json")["format"] == FORMAT)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def verify_bundle(directory: Path) -> dict[str, Any]:
    """Return the manifest of ``directory`` after comparing every file's size and SHA-256 with it."""
    if not directory.is_dir():
        raise BundleError(f"{directory} is no folder; make a bundle with: reeltune export STUDY --out DIR")
    if not (directory / "manifest.json").is_file():
        raise BundleError(
            f"{directory} is no reeltune bundle: manifest.json is missing; "
            "make one with: reeltune export STUDY --out DIR"
        )
    manifest = read_bundle_json(directory / "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{directory / 'manifest.json'} is not of a reeltune bundle")
    if not isinstance(manifest.get("schema"), int) or not 1 <= manifest["schema"] <= SCHEMA:
        raise BundleError(
            f"{directory / 'manifest.json'} has schema {manifest.get('schema')!r}, this version reads 1 to "
            f"{SCHEMA}; upgrade reeltune or export again"
        )
    files = manifest.get("files")
    if not isinstance(files, dict) or not set(_REQUIRED) <= set(files):
        raise BundleError(f"{directory / 'manifest.json'} does not list {', '.join(_REQUIRED)}; export again")
    for name, expected in files.items():
        _check_file(directory, name, expected)
    return manifest


def _check_file(directory: Path, name: str, expected: Any) -> None:
    path = directory / name
    if Path(name).name != name or not isinstance(expected, dict):
        raise BundleError(f"{directory / 'manifest.json'} is damaged at {name!r}; export again")
    if not path.is_file():
        raise BundleError(f"{path} is missing; export the bundle again")
    if path.stat().st_size != expected.get("size_bytes"):
        raise BundleError(
            f"{path} is damaged: {path.stat().st_size} bytes, the manifest says "
            f"{expected.get('size_bytes')}; export again"
        )
    if sha256_file(path) != expected.get("sha256"):
        raise BundleError(f"{path} is damaged: its SHA-256 differs from the manifest's; export again")


def make_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of the files in ``folder``."""
    files = {
        path.name: {"sha256": sha256_file(path), "size_bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
    }
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "reeltune": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": files,
    }


def read_bundle_json(path: Path) -> Any:
    """Return the value in the JSON file ``path`` of a bundle."""
    try:
        return read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read: {first_line(error)}; export the bundle again") from error


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside ``target`` that takes its place when the block succeeds.

    On an error the new folder is removed and ``target`` is left as it was. A folder that
    is replaced is moved aside first and removed last, so that no moment mixes the two. What a process
    left that was killed on the way is put back or removed by the next one.
    """
    part: Path | None = None
    handle: int | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _tidy(target)
        part = part_path(target)
        part.mkdir()
        handle = _held(part)
        yield part
        for path in part.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.chmod(part.stat().st_mode & 0o666)  # some writers let their owner alone read
        _swap(part, target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        if handle is not None:
            os.close(handle)
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _swap(part: Path, target: Path) -> None:
    if not target.exists():
        part.rename(target)
        return
    old = part.with_suffix(".old")
    target.rename(old)
    try:
        part.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _tidy(target: Path) -> None:
    """Put back or remove what killed processes left beside ``target``."""
    name = glob.escape(target.name)
    for old in target.parent.glob(f".{name}.*.old"):
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(target)
    for part in target.parent.glob(f".{name}.*.part"):
        handle = _held(part)
        if handle is not None:
            if part.exists() and time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(part, ignore_errors=True)
            os.close(handle)


def _held(folder: Path) -> int | None:
    """Return a handle that locks ``folder``; None if it is taken, gone or on a system without such locks."""
    try:
        return try_lock(folder, is_made=False)
    except OSError:
        return None
