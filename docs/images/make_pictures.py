"""Makes the pictures of the documents from a simulated study, with headless Chromium and tmux.

From the repository root, with the extra ``dev`` installed: ``python docs/images/make_pictures.py [NAME...]``
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import Browser, wait  # noqa: E402
from reeltune.report.study import write_report  # noqa: E402
from reeltune.training.loggers import LoggingConfig  # noqa: E402
from simulated_study import simulate  # noqa: E402


def shoot(address: str, name: str, ready: str, *, height: int = 760, selector: str = "") -> None:
    """Take a picture of a page, of the part that ``selector`` names, once ``ready`` holds."""
    with tempfile.TemporaryDirectory() as folder, Browser(Path(folder) / "profile", 1100, height) as page:
        page.open(address)
        page.wait(ready)
        time.sleep(1.5)  # what is animated comes to rest
        options = {}
        if selector:
            box = page.run(
                f"(b => [b.x, b.y + scrollY, b.width, b.height])"
                f"(document.querySelector('{selector}').getBoundingClientRect())"
            )
            x, y, width, tall = box
            clip = {"x": max(x - 20, 0), "y": max(y - 20, 0), "width": width + 40, "height": tall + 40}
            options = {"clip": clip | {"scale": 1}, "captureBeyondViewport": True}
        page.screenshot(HERE / name, **options)


@contextlib.contextmanager
def served(command: list[str], line: str) -> Iterator[str]:
    """Yield the address that a server's output names after ``line``."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            for said in process.stdout or ():
                found = re.search(line, said)
                if found:
                    yield found.group(0)
                    break
        finally:
            process.terminate()


def terminal(command: list[str], name: str, until: str, *, size: tuple[int, int] = (100, 16)) -> None:
    """Take a picture of the screen of a terminal of its own once it shows ``until``."""
    from rich.console import Console
    from rich.terminal_theme import MONOKAI
    from rich.text import Text

    with tempfile.TemporaryDirectory() as folder:
        tmux = ["tmux", "-S", f"{folder}/socket", "-f", "/dev/null"]
        words = " ".join(command)
        place = ["-x", str(size[0]), "-y", str(size[1])]
        subprocess.run([*tmux, "new-session", "-d", *place, words], check=True)

        def screen() -> str:
            shown = subprocess.run([*tmux, "capture-pane", "-pe"], capture_output=True, text=True, check=True)
            return shown.stdout if re.search(until, shown.stdout) else ""

        try:
            found = wait(screen)
            time.sleep(1.0)
            found = screen() or found
        finally:
            subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
        with Path(os.devnull).open("w") as nowhere:
            console = Console(record=True, width=size[0], file=nowhere, force_terminal=True)
            console.print(Text.from_ansi(found.rstrip()), highlight=False)
        page = Path(folder) / "screen.html"
        code = "<pre style='font:14px/1.35 monospace;margin:20px;width:max-content'>{code}</pre>"
        colours = "background:#14181b;color:#e9e6df"
        page.write_text(
            f"<meta charset=utf-8><body style='margin:0;{colours}'>"
            + re.sub(
                r"(background-)?color: #(0c0c0c|d9d9d9|ffffff|000000)",
                "",
                console.export_html(inline_styles=True, code_format=code, theme=MONOKAI),
            )
        )
        shoot(page.as_uri(), name, "document.querySelector('pre')", height=60 + 19 * size[1])


def report(study: Path) -> None:
    """The trade-off in the report."""
    page = write_report(study)
    shoot(page.as_uri(), "tradeoff.png", "document.querySelector('.dot.front')", selector=".multiples.wide")


def live(study: Path) -> None:
    """The live table."""
    script = ROOT / "tests" / "cli" / "live_table.py"
    terminal([sys.executable, str(script), "2"], "terminal.png", r"\b3 .*running.* 1/10", size=(100, 8))


def optuna(study: Path) -> None:
    """The page of optuna-dashboard."""
    command = [sys.executable, "-m", "reeltune", "dashboard", str(study), "--port", "0"]
    with served(command, r"http://\S+/dashboard") as address:
        shoot(f"{address}/studies/1", "optuna-dashboard.png", "document.querySelector('.js-plotly-plot')")


def tensorboard(study: Path) -> None:
    """The page of TensorBoard."""
    folder = str(study / "tensorboard")
    words = ["tensorboard.main", "--logdir", folder, "--host", "127.0.0.1", "--port", "0"]
    with served([sys.executable, "-m", *words], r"http://\S+:\d+") as address:
        # The older page draws without WebGL; its charts live in shadow trees that no selector reaches.
        shoot(f"{address}/#scalars", "tensorboard.png", "performance.now() > 9000")


def wandb(study: Path) -> None:
    """An offline run of W&B in its terminal viewer."""
    leet = str(Path(sys.executable).parent / "wandb")
    terminal([leet, "leet", str(study / "wandb")], "wandb.png", r"ndcg@10", size=(120, 34))


def ray(study: Path) -> None:
    """Ray's own dashboard while a study runs; needs the extra ``ray-dashboard``."""
    smoke = str(ROOT / "experiments" / "synthetic_smoke.yaml")
    words = ["tune", smoke, "--studies", str(study.parent), "--set", "logging.ray_dashboard=true"]
    with served([sys.executable, "-m", "reeltune", *words], r"http://127\.0\.0\.1:\d+") as address:
        time.sleep(20)  # until workers run
        # As high as the row of the node: those of the workers show where Python lies on this machine.
        ready = "document.body.innerText.includes('ALIVE')"
        shoot(f"{address}/#/cluster", "ray-dashboard.png", ready, height=604)


PICTURES: dict[str, Callable[[Path], None]] = {
    "report": report,
    "live": live,
    "optuna": optuna,
    "tensorboard": tensorboard,
    "wandb": wandb,
    "ray": ray,
}


def main() -> None:
    """Make the pictures that the command line names, or all."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("WANDB_MODE", "offline")
        logging = LoggingConfig(tensorboard=True, wandb="offline")
        study = simulate(Path(folder) / "demo", 24, logging=logging, logged=4)
        for name in sys.argv[1:] or PICTURES:
            PICTURES[name](study)


if __name__ == "__main__":
    main()
