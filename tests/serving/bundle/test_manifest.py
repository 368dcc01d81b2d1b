from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reeltune.errors import ConfigError
from reeltune.serving.bundle.manifest import atomic_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(target: Path, text: str) -> None:
    with atomic_folder(target) as folder:
        (folder / "x").write_text(text)


def age(path: Path) -> None:
    os.utime(path, (0, 0))


def test_a_folder_appears_whole_and_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "b[1]"  # a name that would be a pattern
    write(target, "first")
    write(target, "second")
    assert (target / "x").read_text() == "second"
    with pytest.raises(ValueError, match="stop"), atomic_folder(target):
        raise ValueError("stop")
    assert (target / "x").read_text() == "second"
    assert names(tmp_path) == ["b[1]"]


def test_anyone_may_read_what_was_written(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "b") as folder:
        (folder / "x").touch(mode=0o600)
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "b" / "x").stat().st_mode & 0o777 == 0o644


@pytest.mark.slow
def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    target = tmp_path / "b[1]"
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from reeltune.serving.bundle.manifest import atomic_folder\n"
        "with atomic_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'x').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(target)], check=False)
    (left,) = tmp_path.iterdir()
    write(target, "young leftovers may be of a process that has just begun")
    assert left.exists()
    age(left)
    with atomic_folder(target) as held:
        age(held)
        write(target, "beside the other")
        assert held.exists()
    assert not left.exists()
    assert names(tmp_path) == ["b[1]"]


def test_a_bundle_that_was_moved_aside_by_a_killed_process_comes_back(tmp_path: Path) -> None:
    target = tmp_path / "b"
    write(target, "old")
    target.rename(tmp_path / ".b.abc.old")
    with pytest.raises(ValueError, match="stop"), atomic_folder(target):
        raise ValueError("stop")
    assert (target / "x").read_text() == "old"
    (tmp_path / ".b.abc.old").mkdir()
    write(target, "new")
    assert names(tmp_path) == ["b"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="a file stands"):
        write(tmp_path / "file" / "b", "x")
