from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from browser import Browser, needs_browser
from finished_study import RUNNING, fail_trials
from reeltune.errors import StudyError
from reeltune.evaluation import leaderboard as leaderboard_module
from reeltune.evaluation.analyses.importance import Importance
from reeltune.evaluation.compare import Interval
from reeltune.evaluation.final import evaluate_study
from reeltune.evaluation.repeats import read_repeats
from reeltune.files import read_json, write_json
from reeltune.report import charts
from reeltune.report.study import render_report, write_report
from reeltune.tuning.search.results import has_figures, pareto_front
from reeltune.tuning.space.parameters import Choice, FloatRange, IntRange
from reeltune.tuning.study.folder import Study
from simulated_study import simulate

pytestmark = pytest.mark.slow


VOID = {"meta", "br", "line", "link", "img"}


class _Balance(HTMLParser):
    """Checks that every element is closed and collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def _read(page: str) -> str:
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []
    return " ".join(" ".join(parser.text).split())


def test_the_page_tells_the_whole_study(study_dir: Path) -> None:
    page = write_report(study_dir).read_text(encoding="utf-8")
    text = _read(page)
    for wanted in (
        "Does a GRU learn what generated film-goers do?",
        " windowed Markov ",
        "the strongest baseline on validation",
        "The test set is closed",
        "Leaderboard on validation",
        "Learning curves",
        "stopped by the scheduler",
        "What was tried",
        "Too few comparable trials",
        "All trials",
        "the training loss is nan at epoch 1",
        "2 of 4 trials (50 %) diverged or failed",
        "Cost",
        "fingerprint",
    ):
        assert wanted in text
    assert page.count("<polyline") == 2 + 2


def test_the_page_needs_no_network(study_dir: Path) -> None:
    page = render_report(study_dir)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|src=|<link", page)


def test_text_from_outside_is_escaped(study_dir: Path) -> None:
    content = read_json(study_dir / "study.json")
    content["spec"]["question"] = "<script>alert(1)</script> $title & more"
    write_json(study_dir / "study.json", content)
    page = render_report(study_dir)
    assert "<script>alert" not in page
    assert "&lt;no&gt; memory &amp; more" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $title &amp; more" in page
    _read(page)


def test_after_the_evaluation_the_test_set_gives_the_verdict(study_dir: Path) -> None:
    found = evaluate_study(study_dir)
    text = _read(render_report(study_dir))
    assert "Test set, 400 users, opened once." in text
    assert found.verdict[1:] in text.replace("\N{NO-BREAK SPACE}", " ")
    assert found.openings[0]["time"] in text


def test_the_leaderboard_is_made_once(study_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = render_report(study_dir)
    monkeypatch.setattr(
        leaderboard_module, "open_study_data", lambda *_, **__: pytest.fail("opened the data")
    )
    assert render_report(study_dir) == first


def test_the_leaderboard_is_made_again_when_a_running_trial_has_ended(study_dir: Path) -> None:
    path = study_dir / "trials" / "00001" / "trial.json"
    row = read_json(path)
    write_json(path, row | RUNNING)
    assert "<td>trial 1</td>" not in render_report(study_dir)
    write_json(path, row)
    assert "<td>trial 1</td>" in render_report(study_dir)


def test_the_selected_trial_is_marked_though_a_stopped_one_stands_above_it(study_dir: Path) -> None:
    ranks = [study_dir / "trials" / number / "validation_ranks.npy" for number in ("00000", "00001")]
    np.save(ranks[0], np.full(400, 5, dtype=np.int32))
    np.save(ranks[1], np.ones(400, dtype=np.int32))
    page = render_report(study_dir)
    assert page.index("<td>trial 1</td>") < page.index("<td>trial 0</td>")
    assert '<tr class="best"><td>trial 0</td>' in page
    assert '<tr class="trial"><td>trial 1</td>' in page


def test_a_study_without_figures_still_has_a_page(study_dir: Path) -> None:
    fail_trials(study_dir, 0, 1)
    text = _read(render_report(study_dir))
    assert "No trial has ended with a figure yet." in text
    assert "diverged or failed" in text


def test_a_study_without_trials_is_refused(study_dir: Path) -> None:
    for file in study_dir.glob("trials/*/trial.json"):
        file.unlink()
    with pytest.raises(StudyError, match="no trial yet"):
        render_report(study_dir)


def test_axes_follow_the_scale_that_was_searched() -> None:
    log = charts.Axis.of("training.learning_rate", FloatRange(low=1e-4, high=1e-2, log=True))
    assert log.place(1e-3) == pytest.approx(0.5)
    linear = charts.Axis.of("model.n_layers", IntRange(low=1, high=3))
    assert linear.place(2) == pytest.approx(0.5)
    choice = charts.Axis.of("training.batch_size", Choice(values=[32, 64, 128]))
    assert choice.place(128) == 1
    assert [text for _, text in choice.ticks] == ["32", "64", "128"]


def test_one_epoch_and_one_value_divide_by_nothing() -> None:
    curve = charts.Curve("trial 0", (0.0,), "best")
    _read(charts.learning_curves([curve], label="NDCG@10", rulers=[]))
    _read(charts.range_bar(Interval(0.1, 0.1, 0.1), 0.1, 0.1))
    _read(charts.interval_bars({"a": Importance(0.0, 0.0, 0.0)}))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("simulated") / "demo", 30)


def test_every_section_of_a_study_with_two_objectives(simulated: Path) -> None:
    page = render_report(simulated)
    text = _read(page)
    study = Study.open(simulated)
    front = pareto_front(study.rows(), study.goal)
    assert front is not None
    repeats = read_repeats(study)
    assert repeats is not None
    for wanted in (
        f"trial {front.knee} (knee)",
        f"Hypervolume {front.hypervolume:.3f}",
        "Limits: model_megabytes at most 0.8. ",
        "Repeated from other seeds",
        f"trial {repeats.winner} 3 ",
        "One value at a time",
        "90 % of the estimates",
        "Core time, all trials",
        "seconds of training, by trial",
        "its worker died 4 times",
        "objectives ndcg@10 (higher is better), coverage@10 (higher is better)",
    ):
        assert wanted in text, wanted
    assert page.count('class="dot front') == len(front.rows)
    shown = [row for row in study.rows() if has_figures(row, study.goal)]
    n_broken = sum(study.goal.violation(row.metrics) > 0 for row in shown)
    assert page.count('class="dot broken"') == n_broken > 0
    assert not re.search(r"https?:|//[a-z]|@import|url\(|src=|<link", page)


@needs_browser
@pytest.mark.parametrize(("width", "is_dark"), [(1100, False), (390, True)])
def test_the_page_fits_its_screen_and_complains_of_nothing(
    simulated: Path, tmp_path: Path, width: int, is_dark: bool
) -> None:
    path = write_report(simulated)
    with Browser(tmp_path / "profile", width, 900, is_dark=is_dark) as page:
        page.open(path.as_uri())
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.complaints() == []
        assert page.run("document.querySelectorAll('.dot.front').length") >= 2
        colour = page.run("getComputedStyle(document.body).backgroundColor")
        assert colour == ("rgb(20, 24, 27)" if is_dark else "rgb(251, 250, 246)")


def test_a_running_trial_shows_its_epochs(study_dir: Path) -> None:
    path = study_dir / "trials" / "00001" / "trial.json"
    row = read_json(path)
    write_json(path, row | RUNNING)
    page = render_report(study_dir)
    line = re.search(r"<tr[^>]*><td[^>]*>1</td><td[^>]*>running</td>(.*?)</tr>", page)
    assert line is not None
    assert re.findall(r'data-value="([^"]*)"', line.group(1))[1] == "2"


def test_the_range_of_an_importance_is_drawn_on_its_bar() -> None:
    assert "--low:33.3%;--high:100.0%" in charts.interval_bars({"a": Importance(0.5, 0.3, 0.9)})
