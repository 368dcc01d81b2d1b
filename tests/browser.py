"""Headless Chromium, driven over its debugging port."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from websockets.sync.client import connect

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-port=0"
)
SECONDS = 120.0
"""Longest wait for what a test expects."""


def find_chromium():
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


needs_browser = pytest.mark.skipif(
    find_chromium() is None and "CI" not in os.environ, reason="no Chromium is installed"
)
"""Skips a test where there is no browser; continuous integration has one, there it fails."""


class Browser:
    """One page; ``with Browser(...) as page`` ends the process."""

    def __init__(self, profile: Path, width: int = 1200, height: int = 900, *, is_dark: bool = False):
        self._stack = contextlib.ExitStack()
        log = self._stack.enter_context((profile.parent / f"{profile.name}.log").open("wb"))
        self._process = subprocess.Popen(
            [find_chromium(), *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"],
            stdout=log,
            stderr=log,
        )
        self._stack.callback(self._end)
        port_file = profile / "DevToolsActivePort"
        wait(lambda: port_file.is_file() and "\n" in port_file.read_text())
        port = port_file.read_text().split()[0]
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        self._socket = self._stack.enter_context(connect(address, max_size=None))
        self._number = 0
        self.messages = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _end(self):
        self._process.terminate()
        self._process.wait(timeout=20)

    def call(self, method, **params):
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=SECONDS))
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.messages.append(answer)

    def run(self, script):
        """Return the value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def wait(self, script):
        return wait(lambda: self.run(f"Boolean({script})"))

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key):
        codes = {
            "Enter": 13,
            "Tab": 9,
            "Escape": 27,
            "ArrowDown": 40,
            "ArrowUp": 38,
            "ArrowRight": 39,
            " ": 32,
        }
        code = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": codes[key]}
        text = {"Enter": {"text": "\r"}, " ": {"text": " "}}.get(key, {})
        self.call("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def click(self, selector):
        place = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{place}.scrollIntoView({{block: 'center'}})")
        box = self.run(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({place}.getBoundingClientRect())")
        at = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **at)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **at)

    def screenshot(self, path: Path, **options):
        data = self.call("Page.captureScreenshot", format="png", **options)["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self):
        """Return what the page logged as an error, and the requests that failed."""
        self.run("0")
        wrong = []
        for message in self.messages:
            params = message.get("params", {})
            if message["method"] == "Runtime.exceptionThrown":
                wrong.append(params["exceptionDetails"])
            elif message["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
                wrong.append(params["entry"])
        return wrong

    def addresses(self):
        """Return the addresses that the page asked for."""
        sent = [m["params"] for m in self.messages if m["method"] == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]


def wait(is_there, seconds=SECONDS):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = is_there()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("what was waited for did not come")
