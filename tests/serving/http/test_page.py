"""The page in headless Chromium: search, rate, see the list change; by keyboard, on a phone, in the dark."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from browser import Browser, needs_browser, wait
from reeltune.cli.app import main
from reeltune.serving.bundle.bundle import export_bundle
from reeltune.serving.bundle.vocabulary import MovieFacts
from serving_parts import make_parts

pytestmark = [
    pytest.mark.soak,
    needs_browser,
]
LISTED = "Array.from(document.querySelectorAll('#list li'), li => li.dataset.id)"
SETTLED = (
    "document.querySelectorAll('#list li').length === 12 && document.querySelector('#list[aria-busy=false]')"
)


@pytest.fixture(scope="module", name="address")
def _address(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("served")
    counts = np.concatenate([[0], np.arange(1, 31)])
    parts = make_parts(facts=MovieFacts(counts))
    bundle = export_bundle(parts, folder / "bundle")
    command = [sys.executable, "-c", "from reeltune.cli.app import main; main()", "serve", str(bundle)]
    log = folder / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*command, "--port", "0"], stderr=stderr, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
    try:
        wait(lambda: "http://" in log.read_text(), 60)
        address = next(word for word in log.read_text().split() if word.startswith("http://"))
        wait(lambda: _answers(address))
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert "stopped" in log.read_text()


def _answers(address: str) -> bool:
    try:
        return json.load(urllib.request.urlopen(f"{address}/health"))["status"] == "ok"
    except OSError:
        return False


def begin(page: Browser, address: str) -> None:
    page.open(address)
    page.wait("document.querySelectorAll('#genre option').length === 4")


def choose(page: Browser, text: str) -> None:
    """Search and take the first hit, by keyboard alone."""
    n_rated = page.run("document.querySelectorAll('#rated li').length")
    page.run("document.getElementById('search').focus()")
    page.type(text)
    page.wait("document.querySelector('#found [aria-selected=true]')")
    page.press("Enter")
    page.wait(f"document.querySelectorAll('#rated li').length === {n_rated + 1}")
    page.wait(SETTLED)


def test_search_rate_and_see_the_list_change(address: str, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as page:
        begin(page, address)
        assert page.run("document.getElementById('empty').hidden") is False
        choose(page, "toy story")
        choose(page, "godfather")
        first = page.run(LISTED)
        assert "500" not in first
        assert "because you saw" in page.run("document.querySelector('#list .why').innerText")
        page.click("#rated li:first-child label:nth-of-type(2)")  # not for me: left out of the taste
        page.wait("document.querySelector('#rated li.left-out')")
        page.wait(f"{SETTLED} && {LISTED}.join() !== {json.dumps(','.join(first))}")
        assert "501" not in page.run(LISTED)

        # A movie rated in the list moves over.
        rated = page.run(LISTED)[0]
        page.click("#list li:first-child label:nth-of-type(1)")  # seen
        page.wait(f"document.querySelector('#rated [data-id=\"{rated}\"]')")
        page.wait(f"{SETTLED} && !{LISTED}.includes('{rated}')")
        page.screenshot(tmp_path / "page.png")

        for slider in ("popularity", "novelty"):
            before = ",".join(page.run(LISTED)[:3])
            page.run(f"document.getElementById('{slider}').focus()")
            for _ in range(10):
                page.press("ArrowRight")
            assert page.run(f"document.getElementById('{slider}').value") == "1"
            page.wait(f"{SETTLED} && {LISTED}.slice(0, 3).join() !== {json.dumps(before)}")

        page.open(address)  # what was rated is still there
        page.wait("document.querySelectorAll('#rated li').length === 3")
        page.click("#clear")
        page.wait("!document.getElementById('empty').hidden")
        assert page.complaints() == []
        assert all(url.startswith((address, "data:")) for url in page.addresses())


def test_everything_can_be_done_by_keyboard(address: str, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as page:
        begin(page, address)
        focused = "document.activeElement"
        page.press("Tab")
        assert page.run(f"{focused}.className") == "skip"
        page.press("Tab")
        assert page.run(f"{focused}.id") == "search"
        page.type("toy stori")
        page.wait("document.querySelector('#found .hint')")
        page.press("Escape")
        assert page.run("document.getElementById('found').hidden")
        choose(page, "toy story")
        page.wait("document.getElementById('status').textContent.includes('movies')")
        page.run("document.getElementById('search').value = ''")
        page.press("Tab")
        assert page.run(f"{focused}.id") == "file"
        page.press("Tab")
        assert page.run(f"{focused}.type") == "radio"
        page.press("ArrowRight")
        page.wait("document.querySelector('#rated li.left-out')")
        for name in ("later", "earlier"):
            page.press("Tab")
            assert page.run(f"{focused}.getAttribute('aria-label')") == f"Toy Story was watched {name}"
        page.press("Tab")
        assert page.run(f"{focused}.getAttribute('aria-label')") == "Remove Toy Story"
        page.press("Enter")
        page.wait("document.querySelectorAll('#rated li').length === 0")
        assert page.run(f"{focused}.id") == "search"


def test_an_export_examples_and_the_order_of_watching(address: str, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as page:
        begin(page, address)
        assert page.run("document.querySelectorAll('#examples button').length") == 4
        page.click("#examples button")
        page.wait("document.querySelectorAll('#rated li').length === 1")
        page.run("""(() => {
            const lines = ["Title,Date", "Toy Story,2024-01-01", "Godfather,2024-02-01", "No,2024-01-01"];
            const file = new File([lines.join("\\n")], "a.csv");
            const held = new DataTransfer(); held.items.add(file);
            const input = document.getElementById("file"); input.files = held.files;
            input.dispatchEvent(new Event("change"));
        })()""")
        page.wait("document.getElementById('file-note').innerText.includes('2 movies taken, 1 not in')")
        order = "Array.from(document.querySelectorAll('#rated li'), li => li.dataset.id).join()"
        assert page.run(order) == "501,500,529"
        page.wait(SETTLED)
        first = page.run(LISTED)
        page.click("#rated li:first-child .earlier")
        assert page.run(order) == "500,501,529"
        page.wait(f"{SETTLED} && {LISTED}.join() !== {json.dumps(','.join(first))}")
        page.screenshot(tmp_path / "page.png")
        assert page.complaints() == []


@pytest.mark.parametrize("is_dark", [False, True])
def test_it_fits_a_phone_and_reads_in_any_light(address: str, tmp_path: Path, is_dark: bool) -> None:
    with Browser(tmp_path / "profile", 360, 740, is_dark=is_dark) as page:
        begin(page, address)
        choose(page, "toy story")
        assert page.run("document.documentElement.scrollWidth") == 360
        for selector in (".note", "#list .title", "#list small", "#list .why b", "h1", "button.plain"):
            assert contrast(page, selector) >= 4.5, selector
        unnamed = "Array.from(document.querySelectorAll('button, input, select'), e => e)"
        unnamed += ".filter(e => !e.getAttribute('aria-label') && !e.labels?.length && !e.innerText.trim())"
        assert page.run(f"{unnamed}.map(e => e.outerHTML)") == []


def contrast(page: Browser, selector: str) -> float:
    """Return the contrast of a text with the page, as in WCAG 2.2."""
    colours = page.run(
        f"[getComputedStyle(document.querySelector({json.dumps(selector)})).color, "
        "getComputedStyle(document.body).backgroundColor]"
    )
    light, dark = sorted((luminance(colour) for colour in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_service_describes_itself(address: str, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as page:
        page.open(f"{address}/docs")
        page.wait("document.querySelectorAll('.operation').length === 8")
        assert page.complaints() == []


def test_a_taken_port_is_told_in_one_line(
    bundle_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        monkeypatch.setattr("sys.argv", ["reeltune", "serve", str(bundle_dir), "--port", port])
        with pytest.raises(SystemExit) as caught:
            main()
    told = capsys.readouterr().err
    assert caught.value.code == 2
    assert told.startswith(f"error: cannot listen on 127.0.0.1:{port}")
    assert len(told.splitlines()) == 1
