"""Locks that belong to one process, whatever becomes of their files."""

import shutil
import subprocess
import sys

import pytest

from reeltune.errors import StudyError
from reeltune.locks import LOCK_FILE, folder_lock, held, is_folder_locked, is_held, try_lock

HOLD = "import sys; from reeltune.locks import folder_lock; from pathlib import Path\n" + (
    "with folder_lock(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()\n"
)


@pytest.fixture
def other(tmp_path):
    """Hold a folder in a process of its own."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "s")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.mark.parametrize("is_removed", [False, True])
def test_removing_the_lock_file_lets_nobody_in(tmp_path, other, is_removed):
    folder = tmp_path / "s"
    if is_removed:
        (folder / LOCK_FILE).unlink()
    assert is_folder_locked(folder)
    who = "another process" if is_removed else f"process {other.pid} on "
    with pytest.raises(StudyError, match=f"'s' is being run by {who}.*wait for it"), folder_lock(folder):
        pass
    other.kill()
    other.wait()
    with folder_lock(folder):
        assert is_folder_locked(folder)


def test_a_lock_whose_file_was_removed_is_none(tmp_path):
    path = tmp_path / "x.lock"
    said = []
    with held(path, lambda: said.append("waits")):
        assert try_lock(path) is None
        path.unlink()
        assert not is_held(path)
    assert not said


def test_a_folder_may_vanish_while_it_is_held(tmp_path):
    with folder_lock(tmp_path / "s"):
        shutil.rmtree(tmp_path / "s")
    assert not is_folder_locked(tmp_path / "s")


def test_a_file_is_no_folder_to_lock(tmp_path):
    (tmp_path / "s").touch()
    with pytest.raises(StudyError, match="is a file or lies below one"), folder_lock(tmp_path / "s"):
        pass
