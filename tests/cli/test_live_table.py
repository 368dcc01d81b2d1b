"""The live table on a terminal: what a person would see."""

import os
import pty
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "live_table.py"


def play_on_a_terminal(pause):
    """Return the bytes that the script writes to a terminal of its own."""
    mine, its = pty.openpty()
    environment = os.environ | {"COLUMNS": "100", "LINES": "20", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(pause)], stdout=its, stdin=its, stderr=its, env=environment
    )
    os.close(its)
    written = b""
    while True:
        try:
            part = os.read(mine, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(mine)
    assert process.wait(timeout=20) == 0
    return written.decode()


@pytest.mark.slow
def test_a_terminal_gets_a_table_that_is_drawn_in_place():
    text = play_on_a_terminal(0.3)
    assert re.search(r"\x1b\[\d*A|\x1b\[2K", text), "lines are drawn anew in place"
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "ml100k_gru  3/16 trials  best ndcg@10 0.1083 (trial 0)" in plain
    assert "trial 2 diverged: the loss is nan at epoch 2, step 31" in plain
    last = plain[plain.rindex("ml100k_gru") :]
    assert re.search(r"3 +running +1/10 +0.0415 +0.3300 +3.4s/epoch +hidden_dim 128", last)
    assert re.search(r"0 +complete +3 +0.1083 +0.6100 +31s +hidden_dim 32", last)
    assert re.search(r"1 +stopped +3 +0.0712", last)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux on this machine")
def test_the_screen_of_a_real_terminal_while_the_study_runs(tmp_path):
    tmux = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null"]
    command = f"{sys.executable} {SCRIPT} 3"
    subprocess.run([*tmux, "new-session", "-d", "-x", "100", "-y", "20", command], check=True)
    try:
        end, screen = time.monotonic() + 240, ""
        while "3 running   1/10" not in re.sub(" +", " ", screen).replace("running ", "running   "):
            assert time.monotonic() < end, screen
            time.sleep(0.2)
            done = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True)
            screen = done.stdout
        assert screen.count("ml100k_gru") == 1, "one table, not one a refresh"
        assert len([line for line in screen.splitlines() if line.strip()]) <= 9
        assert max(len(line) for line in screen.splitlines()) <= 100
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
