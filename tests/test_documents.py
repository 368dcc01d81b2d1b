"""What documents and YAML files say is true: they load, they run, their figures are the committed ones."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reeltune.tuning.study.experiment_file import load_experiment

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Benchmarks have several models each; tests/benchmark loads them.
EXPERIMENTS = [p for p in sorted((ROOT / "experiments").glob("*.yaml")) if not p.name.startswith("paper_")]
SPACES = sorted((ROOT / "search_spaces").glob("*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.name)
def test_every_experiment_resolves_and_names_its_question(path):
    experiment = load_experiment(path)
    assert experiment.spec.question.endswith("?")
    if experiment.spec.study is not None:
        assert experiment.study_spec().space is not None


@pytest.mark.parametrize("path", SPACES, ids=lambda p: p.name)
def test_every_space_fits_its_model_and_says_for_which_data(path, tmp_path):
    assert path.read_text(encoding="utf-8").startswith("# ")
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(
        f"data: {{dataset: synthetic}}\nstudy: {{space: {path}, trials: 1}}\n", encoding="utf-8"
    )
    assert len(list(load_experiment(experiment).space)) > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(
    ("folder", "script", "mark"),
    [
        ("experiments", "record", "result"),
        ("experiments", "on_off", "on-off"),
        ("experiments", "bars", "bar"),
        ("experiments", "record_ratings", "ratings"),
        ("benchmarks", "baselines", "baselines"),
    ],
)
def test_pages_show_the_committed_figures(folder, script, mark, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / folder))
    module = importlib.import_module(script)
    text = module.PAGE.read_text(encoding="utf-8")
    assert f"<!-- {mark}: " in text
    assert module.render(text) == text, f"run {folder}/{script}.py: {module.PAGE.name} is out of date"


def test_all_that_is_said_of_the_benchmarks_is_made_of_the_committed_figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    record_paper = importlib.import_module("record_paper")
    for page, folder in record_paper.PAGES.items():
        text = page.read_text(encoding="utf-8")
        assert "<!-- benchmarks -->" in text
        told = f"run `python experiments/record_paper.py`: {page.name} is out of date"
        assert record_paper.render(text, folder) == text, told
    for result in record_paper.recorded():
        for path, text in record_paper.pages(result).items():
            assert path.read_text(encoding="utf-8") == text, f"{path.name} of {result['name']} is out of date"


def commands(page):
    """Yield the argument list of each reeltune command in the page's bash blocks."""
    for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["reeltune"]:
                yield words[1:]


@pytest.mark.soak
def test_the_readme_commands_run_in_their_order(tmp_path):
    """A stranger's walk through the README, on generated film-goers and four small trials."""
    shutil.copytree(ROOT / "search_spaces", tmp_path / "search_spaces")
    (tmp_path / "experiments").mkdir()
    text = (ROOT / "experiments" / "ml100k_gru.yaml").read_text(encoding="utf-8")
    assert "dataset: movielens-100k" in text
    text = text.replace("dataset: movielens-100k", "dataset: synthetic")
    text = re.sub(r"trials: \d+", "trials: 4", re.sub(r"seeds: \d+", "seeds: 1", text))
    text = re.sub(r"max_epochs: \d+", "max_epochs: 3", text)
    assert "max_epochs: 3" in text
    (tmp_path / "experiments" / "ml100k_gru.yaml").write_text(text, encoding="utf-8")
    titles = {"Toy Story (1995)": "Synthetic Film 001", "Fargo (1996)": "Synthetic Film 002"}
    ran = []
    for written in commands(ROOT / "README.md"):
        words = [titles.get(word, word) for word in written]
        done = subprocess.run(
            [sys.executable, "-m", "reeltune", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"reeltune {' '.join(words)}:\n{done.stdout}\n{done.stderr}"
        ran.append(words[0])
    assert ran == ["tune", "trials", "report", "evaluate", "export", "recommend"]
    assert (tmp_path / "studies" / "ml100k_gru" / "report.html").stat().st_size > 10_000
    assert "verdict" in (tmp_path / "studies" / "ml100k_gru" / "evaluation.json").read_text()
