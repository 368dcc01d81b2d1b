"""What a newcomer sees and types first: the verbs, their help, names of shipped files."""

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from reeltune.cli.app import VERBS, app
from reeltune.errors import ConfigError
from reeltune.shipped import find_yaml, shipped_names
from reeltune.tuning.study.experiment_file import load_experiment
from reeltune.version import __version__


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)), terminal_width=80)


def verbs(group=None, above=()):
    """Yield the words of each verb with its command."""
    for name, verb in (group or get_command(app)).commands.items():
        if hasattr(verb, "commands"):
            yield from verbs(verb, (*above, name))
        elif not verb.hidden:
            yield (*above, name), verb


def test_the_bare_command_says_where_to_begin():
    shown = run()
    assert shown.exit_code == 0
    assert "Where to begin:" in shown.stdout
    for line in re.findall(r"^  reeltune (.+?)   ", shown.stdout, re.M):
        words = line.split()
        assert words[0] in get_command(app).commands or words == ["--help"]
        if words[0] == "tune":
            assert words[1] in shipped_names("experiments")


def test_the_version():
    assert run("--version").stdout == f"reeltune {__version__}\n"


def test_help_lists_every_verb_in_a_group_on_one_line():
    shown = run("--help").stdout
    assert [title for title in VERBS if f"\n{title}:\n" in shown] == list(VERBS)
    for name, verb in get_command(app).commands.items():
        if verb.hidden:  # a name of before
            continue
        line = next(line for line in shown.splitlines() if line.startswith(f"  {name} "))
        assert len(line) <= 80
        assert not line.endswith("..."), "its first sentence is too long"


@pytest.mark.parametrize(
    ("words", "verb"), list(verbs()), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_each_help_shows_an_example_that_is_understood(words, verb):
    shown = run(*words, "--help").stdout
    example = re.search(r"Example:\n\n    reeltune (.+)", shown)
    assert example, f"{words} has no example"
    assert example[1].split()[: len(words)] == list(words)
    options = {option for parameter in verb.params for option in parameter.opts}
    for option in re.findall(r"(?<= )--?[a-z-]+", example[1]):
        assert option in options


def test_tables_are_also_csv_and_json(tmp_path):
    for words in (["data", "list"], ["data", "cache"], ["studies", "--studies", tmp_path]):
        assert run(*words, "--csv").exit_code == 0
        assert run(*words, "--json").stdout.startswith("[")
    assert run("data", "list", "--csv").stdout.startswith("name,")
    for words, verb in verbs():
        options = {option for parameter in verb.params for option in parameter.opts}
        assert ("--csv" in options) <= ("--json" in options), words


def test_shipped_files_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_experiment(Path("ml100k_gru")).space.model == "gru"
    (tmp_path / "mine.yaml").write_text("data: {dataset: synthetic}\nstudy: {space: lstm, trials: 1}\n")
    assert load_experiment(Path("mine.yaml")).space.model == "lstm"
    (tmp_path / "lstm").write_text("model: gru\nspace: {model.hidden_dim: {kind: int, low: 8, high: 16}}\n")
    assert load_experiment(Path("mine.yaml")).space.model == "gru", "a file of one's own comes first"
    with pytest.raises(ConfigError, match="unknown experiment 'ml100k_gro': did you mean 'ml100k_gru'"):
        find_yaml("ml100k_gro", "experiments")
    (tmp_path / "mine.yaml").write_text("data: {dataset: synthetic}\nstudy: {space: lstn, trials: 1}\n")
    wanted = "mine.yaml:2: study.space: unknown search space 'lstn': did you mean 'lstm'"
    with pytest.raises(ConfigError, match=wanted):
        load_experiment(Path("mine.yaml"))
