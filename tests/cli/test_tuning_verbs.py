"""The verbs tune, resume, train, trials, studies, rm and dashboard, on the synthetic data."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from reeltune.cli.app import main
from reeltune.cli.progress import LineObserver, TableObserver, make_observer
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.goal import Goal
from reeltune.tuning.study.observer import StudyProgress

SMOKE = Path(__file__).parents[2] / "experiments" / "synthetic_smoke.yaml"


@pytest.fixture
def run(monkeypatch, capsys):
    """Run ``reeltune`` in this process; returns exit code, output, errors."""

    def call(*words):
        monkeypatch.setattr("sys.argv", ["reeltune", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return call


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Run the smoke study once, with all loggers, as a stranger would."""
    folder = tmp_path_factory.mktemp("smoke")
    text = yaml.safe_load(SMOKE.read_text()) | {"logging": {"tensorboard": True, "wandb": "offline"}}
    (folder / "smoke.yaml").write_text(yaml.safe_dump(text))
    command = [sys.executable, "-m", "reeltune", "tune", "smoke.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400, check=False)
    return folder, done


@pytest.mark.slow
def test_tune_prints_trials_leaderboard_and_verdict(smoke):
    folder, done = smoke
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d+ cores?, .*: \d trials? at once with a thread", done.stdout)
    assert re.search(r"^study smoke: 6 trials, \d at a time", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^trial \d (complete|stopped): ndcg@10", done.stdout, re.MULTILINE)) == 6
    assert re.search(
        r"^(beats|loses to|is not shown to differ from) [\w ]+.* NDCG@10.*p [=<] ", done.stdout, re.MULTILINE
    )
    assert re.search(r"^popularity ", done.stdout, re.MULTILINE)
    for noise in ("Traceback", "Warning", "(ray", "WARN", "wandb:"):
        assert noise not in done.stdout + done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["smoke.yaml", "studies"], "no litter"
    names = {path.name for path in (folder / "studies" / "smoke").iterdir()}
    assert names >= {
        "study.json",
        "study.db",
        "experiment.yaml",
        "trials",
        "leaderboard.json",
        "tensorboard",
        "wandb",
    }
    assert ".ray" not in names


@pytest.mark.slow
def test_loggers_hold_every_trial(smoke):
    study = smoke[0] / "studies" / "smoke"
    assert len(list(study.glob("tensorboard/*/events.out.tfevents.*"))) == 6
    runs = list(study.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(runs) == 6
    assert all(b"ndcg@10" in run.read_bytes() for run in runs)
    names = {re.search(rb"smoke-[0-9a-f]{8}-(\d{5})", run.read_bytes()).group(1) for run in runs}
    assert names == {f"{number:05d}".encode() for number in range(6)}, "one run a trial"
    assert all(b"\x05smoke" in run.read_bytes() for run in runs), "one group, by its length and name"


@pytest.mark.slow
def test_the_same_command_on_a_finished_study_only_prints(smoke, run, monkeypatch):
    monkeypatch.chdir(smoke[0])
    for words in (["tune", "smoke.yaml"], ["resume", "smoke"]):
        code, out, _ = run(*words)
        assert code == 0
        assert "the strongest baseline on validation" in out
        assert "starts" not in out
    code, _, err = run("tune", "smoke.yaml", "--set", "study.seed=18")
    assert code == 2
    assert "study 'smoke' exists with study.seed = 17, now it is 18; choose another --name" in err


@pytest.mark.slow
def test_trials_are_compared(smoke, run, monkeypatch):
    monkeypatch.setenv("REELTUNE_STUDIES", str(smoke[0] / "studies"))
    code, out, _ = run("trials", "smoke")
    assert code == 0
    assert re.search(r"trial +state +epochs +ndcg@10 +hr@10 +mrr@10 +time +changed from the default", out)
    code, out, _ = run("trials", "smoke", "--json")
    rows = json.loads(out)
    assert [row["number"] for row in rows if row["state"] == "complete"][:1] == [rows[0]["number"]]
    assert len(rows) == 6
    code, out, _ = run("studies")
    assert re.search(r"^smoke +finished +20\d\d-\d\d-\d\d +6/6 +ndcg@10 0\.\d+$", out, re.MULTILINE)


@pytest.mark.slow
def test_the_dashboard_serves_the_study(smoke):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "reeltune", "dashboard", "smoke", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=smoke[0], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert f"http://127.0.0.1:{port}/dashboard" in process.stdout.readline()
        studies = _get(f"http://127.0.0.1:{port}/api/studies")
        assert [study["study_name"] for study in studies["study_summaries"]] == ["smoke"]
        trials = _get(f"http://127.0.0.1:{port}/api/studies/1?after=0")["trials"]
        assert len(trials) == 6
        assert {trial["state"] for trial in trials} <= {"Complete", "Pruned"}
        process.terminate()


def _get(address, seconds=240):
    start = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(address) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() - start < seconds
            time.sleep(0.2)


def test_a_taken_port_is_named(tmp_path):
    from reeltune.errors import ConfigError
    from reeltune.serving.http.dashboard import dashboard_server

    storage = f"sqlite:///{tmp_path / 'study.db'}"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port} .*choose another --port"):
            dashboard_server(storage, port)


def test_studies_that_are_not_there(run, tmp_path):
    where = ["--studies", tmp_path]
    for verb in ("trials", "resume", "dashboard", "rm"):
        code, _, err = run(verb, "nothing", *where)
        assert code == 2
        assert err.startswith("error: no study 'nothing'")
        assert len(err.splitlines()) == 1
    code, out, _ = run("studies", *where)
    assert code == 0
    assert out.startswith("no studies in")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tune", "no.yaml"], "there is no file no.yaml (looked in .)"),
        (["tune", SMOKE, "--name", "a/b"], "'a/b' cannot name a study"),
        (["tune", SMOKE, "--set", "study.seed"], "is not of the form name=value"),
        (
            ["tune", SMOKE, "--trials", "0"],
            "study.trials: Input should be greater than or equal to 1 (given: 0)",
        ),
        (["train", SMOKE, "--set", "model.hidden_dims=3"], "did you mean 'hidden_dim'"),
        (
            ["tune", SMOKE, "--storage", "s4://b/studies"],
            "study.storage: storage 's4://b/studies': unknown kind",
        ),
        (["resume", "s3://bucket"], "'s3://bucket' names no study; write s3://BUCKET/PREFIX/NAME"),
    ],
)
def test_mistakes_cost_one_line(run, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert not out
    assert list(tmp_path.iterdir()) == [], "nothing half-written"


def test_a_storage_that_cannot_be_written_ends_before_anything_is_made(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    code, out, err = run("tune", SMOKE, "--storage", (tmp_path / "file" / "x").as_uri())
    assert code == 1
    assert err.startswith("error: cannot write file:///")
    assert len(err.splitlines()) == 1
    assert not out
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_train_goes_on_and_repeats_itself(run, tmp_path):
    words = ["train", SMOKE, "--set", "model.hidden_dim=16"]
    code, out, _ = run(*words, "--out", tmp_path / "a")
    assert code == 0
    assert len(re.findall(r"^epoch \d/6  loss ", out, re.MULTILINE)) == 6
    row = json.loads((tmp_path / "a" / "trial.json").read_text())
    assert row["state"] == "complete"
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "trial.json", "epochs.jsonl", "best.ckpt", "validation_ranks.npy", "study.lock",
    }  # fmt: skip

    command = [sys.executable, "-m", "reeltune", *map(str, words), "--out", str(tmp_path / "b")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    with process:
        while "epoch 2/6" not in process.stdout.readline():
            assert process.poll() is None
        process.kill()
    code, out, _ = run(*words, "--out", tmp_path / "b")
    assert code == 0
    assert "epoch 1/6" not in out
    again = json.loads((tmp_path / "b" / "trial.json").read_text())
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in row.items() if k != "seconds"
    }

    code, _, err = run("train", SMOKE, "--set", "model.hidden_dim=8", "--out", tmp_path / "a")
    assert code == 2
    assert "holds a training with model.hidden_dim = 16, now it is 8; choose another --out" in err


@pytest.mark.slow
def test_rm_asks_or_wants_a_yes(run, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "tuning"))
    from studies_for_tests import make_study

    study = make_study(tmp_path / "s")
    code, _, err = run("rm", "s", "--studies", tmp_path)
    assert code == 2
    assert "cannot be undone; add --yes to do it" in err
    assert study.directory.exists()
    code, _, err = run("rm", "s", "--studies", tmp_path, "--yes")
    assert code == 0
    assert not study.directory.exists()


def row(number, state=TrialState.RUNNING, value=None, reason=""):
    params = {"model.hidden_dim": 64, "training.learning_rate": 0.00123}
    return TrialRow(number, state, reason, params, {}, 1, value=value, n_epochs=5, seconds=61.0)


def tell_all(observer):
    """Tell an observer of a short study."""
    old = row(0, TrialState.COMPLETE, 0.1)
    progress = StudyProgress("demo", Goal(("ndcg@10",)), 5, 2, (old, row(1)), {1: (_epoch(2, 0.05),)})
    observer.study_started(progress)
    observer.trial_started(row(1), 20)
    observer.trial_started(row(2), 20)
    observer.epoch_ended(1, _epoch(3, 0.07))
    observer.trial_interrupted(1, "its worker died")
    observer.trial_ended(row(2, TrialState.DIVERGED, None, "loss is nan"))
    observer.trial_ended(row(1, TrialState.COMPLETE, 0.2, "ran all epochs"))
    observer.study_ended()


def _epoch(number, best):
    return EpochReport(number, {"ndcg@10": best}, best, 1.0, 2.5)


def test_lines_where_there_is_no_terminal(capsys):
    observer = make_observer()
    assert isinstance(observer, LineObserver)
    tell_all(observer)
    lines = [re.sub(r" +\d+s so far.*", "", line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "study demo: 5 trials, 1 of them ended before, 2 at a time",
        "trial 1 resumes after epoch 2: hidden_dim 64  learning_rate 0.00123",
        "trial 2 starts: hidden_dim 64  learning_rate 0.00123",
        "trial 1: its worker died",
        "trial 2 diverged: after 5 epochs; loss is nan",
        "  demo  2/5 trials  best ndcg@10 0.1000 (trial 0)",
        "trial 1 complete: ndcg@10 0.2000 after 5 epochs; ran all epochs",
        "  demo  3/5 trials  best ndcg@10 0.2000 (trial 1)",
    ]


def test_a_table_on_a_terminal():
    import io

    from rich.console import Console

    output = io.StringIO()
    tell_all(
        TableObserver(Console(file=output, force_terminal=True, width=100, height=30, color_system=None))
    )
    text = output.getvalue()
    assert "demo  3/5 trials  best ndcg@10 0.2000 (trial 1)" in text
    assert re.search(r"1 +complete +5 +0\.2000 +1m01s +hidden_dim 64  learning_rate 0\.00123", text)
    assert "trial 2 diverged: loss is nan" in text
