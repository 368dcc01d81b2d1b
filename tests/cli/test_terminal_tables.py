"""Tables at every width of a terminal, with every space: numbers, states and metrics are never cut."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from reeltune.cli.progress import TableObserver
from reeltune.cli.results.compare import compare_table
from reeltune.cli.results.trials import trials_table
from reeltune.cli.tables import Table, fit_params, print_plain, print_table
from reeltune.errors import UserError
from reeltune.evaluation.across import Across, Line
from reeltune.evaluation.compare import Interval
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.space.parameters import Choice
from reeltune.tuning.study.experiment_file import load_experiment
from reeltune.tuning.study.observer import StudyProgress

WIDTHS = (60, 80, 100, 120, 200)
SPACES = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))


def drawn(table, width):
    """Return the lines of a table on a terminal of ``width`` columns."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, height=30, color_system=None)
    console.print(table.render(width)[0] if isinstance(table, Table) else table)
    lines = file.getvalue().rstrip("\n").split("\n")
    assert max(map(len, lines)) <= width
    return lines


def study_of(path, tmp_path):
    """Return the description of a study of the space in ``path``, and a point where all differs from it."""
    file = tmp_path / "e.yaml"
    file.write_text(f"data: {{dataset: synthetic}}\nstudy: {{space: {path}, trials: 1}}\n", encoding="utf-8")
    spec = load_experiment(file).study_spec()
    usual = spec.default_point
    point = {}
    for name, parameter in spec.space:
        ends = parameter.values if isinstance(parameter, Choice) else [parameter.low, parameter.high]
        point[name] = next(value for value in (*ends, None) if value != usual.get(name))
    return spec, point


def rows_of(spec, point):
    """Return a trial of each kind, the first one with the default configuration."""
    metrics = {"hr@10": 0.1919, "ndcg@10": 0.1234, "mrr@10": 0.0724}
    first = TrialRow(
        0, TrialState.COMPLETE, "", spec.default_point, {}, 1, 0.1234, 7, metrics, 12, 9000, 754.0
    )
    other = replace(first, number=113, state=TrialState.DIVERGED, params=point, reason="the loss is nan")
    return [first, other, replace(first, number=12, state=TrialState.RUNNING, params=point)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_a_trial_keeps_its_number_state_epoch_and_metric(path, width, tmp_path):
    spec, point = study_of(path, tmp_path)
    rows = rows_of(spec, point)
    observer = TableObserver(Console(file=io.StringIO(), force_terminal=True, width=width, height=30))
    progress = StudyProgress("s", spec.study.goal, 32, 2, tuple(rows), {}, spec.default_point)
    observer.study_started(progress)
    observer.trial_started(rows[2], 12)
    observer.epoch_ended(12, EpochReport(4, {"ndcg@10": 0.1111}, 0.1111, 5.0, 3.4))
    heading, *lines = drawn(observer._render(), width)[1:]
    observer.study_ended()
    study = SimpleNamespace(objective="ndcg@10", spec=spec, epochs=lambda _: [None] * 4)
    assert heading.split()[:2] == ["trial", "state"]
    listed = drawn(trials_table(study, rows), width)
    for number, state, metric, found in (
        ("12", "running", "0.1111", lines),
        ("0", "complete", "0.1234", lines),
        ("113", "diverged", "0.1234", listed),
        ("0", "complete", "0.1234", listed),
    ):
        line = next(line.split() for line in found if line.split()[0] == number)
        assert line[1] == state
        assert metric in line
    default = next(line for line in listed if line.split()[0] == "0")
    assert default.rstrip().endswith("default")
    other = next(re.split(" {2,}", line.strip()) for line in listed if line.split()[0] == "113")
    n_shown = sum(len(cell.split()) == 2 for cell in other)
    n_left_out = int(other[-1]) if other[-1].startswith("+") else 0
    assert n_shown + n_left_out == len(point), "a value that does not fit is counted"
    assert n_shown


@pytest.mark.parametrize("width", WIDTHS)
def test_studies_side_by_side_keep_their_names(width):
    metrics = {name: Interval(0.12, 0.1, 0.14) for name in ("hr@10", "ndcg@10", "mrr@10")}
    names = ["ml100k_gru_with_metadata", "ml100k_lstm"]
    lines = [Line(name, "d", "attentive-gru", 113, 200, metrics, 1_234_567, 7300, None) for name in names]
    heading, *rows = drawn(compare_table(Across(tuple(lines), ())), width)
    assert [row.split()[0] for row in rows] == names
    assert "ndcg@10" in heading
    assert all("0.1200" in row for row in rows)


def test_values_of_a_space_fit_or_are_counted():
    params = {"model.hidden_dim": 64, "model.zooming": 2, "training.learning_rate": 0.004}
    assert fit_params(params, {}, 45) == "hidden_dim 64  zooming 2  learning_rate 0.004"
    assert fit_params(params, {}, 30) == "hid 64  zmng 2  lr 0.004"
    assert fit_params(params, {"model.zooming": 2}, 12) == "hid 64  +1"
    assert fit_params(params, params, 12) == "default"
    assert fit_params(params, {}, 1) == ""
    assert fit_params({}, {}, 10) == ""


def test_a_long_title_is_cut_only_when_nothing_else_gives_way():
    table = Table("title", "score", "genres", left=["genres"], spare=["genres"])
    table.add("L'année dernière à Marienbad, or the long way home (1961)", "0.1234", "Drama|Mystery")
    assert drawn(table, 80)[1].split()[-1] == "Drama|Mystery"
    assert drawn(table, 70)[1].endswith("(1961)  0.1234")
    assert drawn(table, 30)[1].endswith("…  0.1234")


def test_what_is_left_out_is_said(monkeypatch, capsys):
    table = Table("test", "hr@10", "ndcg@10", spare=["hr@10"])
    table.add("windowed Markov", ("0.1 (0.05 to 0.15)", "0.1"), ("0.2 (0.15 to 0.25)", "0.2"))
    print_table(table)
    assert "windowed Markov  0.1 (0.05 to 0.15)  0.2 (0.15 to 0.25)" in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    print_table(table)
    said = capsys.readouterr().out
    assert "windowed Markov" in said
    assert "0.2" in said
    assert said.endswith("left out for want of room: intervals, hr@10\n")


def test_rows_as_csv_and_json(capsys):
    rows = [{"number": 1, "params": {"model.hidden_dim": 64}}, {"number": 2, "reason": 'a "b", c'}]
    assert print_plain(rows, as_json=False, as_csv=True)
    assert capsys.readouterr().out == ('number,params.model.hidden_dim,reason\n1,64,\n2,,"a ""b"", c"\n')
    assert print_plain(rows, as_json=True, as_csv=False)
    assert json.loads(capsys.readouterr().out) == rows
    assert not print_plain(rows, as_json=False, as_csv=False)
    with pytest.raises(UserError, match="choose one"):
        print_plain(rows, as_json=True, as_csv=True)
