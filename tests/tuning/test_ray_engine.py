"""Real Ray Tune over cheap trials: stops, failures, kills, signals, limits."""

import json
import os
import signal
from pathlib import Path

import pytest
from engine_parts import check_accounts, drive, finished, optuna_trials, run, wait_for
from optuna.trial import TrialState as OptunaState
from studies_for_tests import make_study

from reeltune.errors import ConfigError, EngineError, StudyError
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.search.results import pareto_front
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Outcome, SilentObserver

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("one_ray"),
    # Ray leaves the sockets and pipes of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Listener(SilentObserver):
    def __init__(self):
        self.epochs, self.ended, self.interrupted = [], [], []

    def epoch_ended(self, number, report):
        self.epochs.append((number, report.epoch))

    def trial_ended(self, row):
        self.ended.append(row.number)

    def trial_interrupted(self, number, reason):
        self.interrupted.append(number)


def test_a_study_of_good_trials(tmp_path):
    study = make_study(tmp_path / "s", trials=12)
    before, place = dict(os.environ), Path.cwd()
    listener = Listener()
    assert run(study, "run", observer=listener) is Outcome.FINISHED
    assert dict(os.environ) == before, "the user's environment is left as it was"
    assert Path.cwd() == place
    check_accounts(study)
    rows = study.rows()
    assert rows[0].params == study.spec.space.default(study.spec.trial.plain()), "the default comes first"
    stopped = [row for row in rows if row.state is TrialState.STOPPED]
    assert stopped, "the scheduler really stops trials"
    assert all(row.n_epochs < 8 and "asha" in row.reason for row in stopped)
    assert sorted(listener.ended) == list(range(12))
    assert len(listener.epochs) == len(set(listener.epochs)) == sum(row.n_epochs for row in rows)
    best = study.best()[0]
    assert best.value == max(row.value for row in rows if row.state is TrialState.COMPLETE)
    kept = {path.parent.name for path in study.directory.glob("trials/*/best.ckpt")}
    assert kept == {f"{row.number:05d}" for row in study.best(3)}
    assert not list(study.directory.glob("trials/*/last.ckpt"))
    assert not (study.directory / ".ray").exists()
    assert run(study, "run") is Outcome.FINISHED, "a finished study is left alone"


def test_bad_trials_are_recorded_and_never_win(tmp_path):
    study = make_study(tmp_path / "s", trials=8, n_restarts=1, scheduler={"name": "none"})
    listener = Listener()
    assert run(study, "run_badly", observer=listener) is Outcome.FINISHED
    check_accounts(study)
    rows = study.rows()
    assert [str(row.state) for row in rows] == [
        "complete", "failed", "diverged", "complete", "failed", "diverged", "complete", "complete",
    ]  # fmt: skip
    assert rows[1].reason == "ValueError: no such luck"
    assert "no such luck" in (study.trial_directory(1) / "error.txt").read_text()
    assert rows[2].reason == "loss is nan in epoch 2"
    assert rows[4].reason == "its worker died 2 times (killed, or out of memory)"
    assert rows[5].value is None
    assert {row.number for row in study.best()} == {0, 3, 6, 7}
    assert sorted(listener.interrupted) == [3, 4], "a lost worker's trial starts again"
    assert rows[3].n_epochs == 8


@pytest.mark.soak
def test_several_objectives_stop_early_and_keep_their_limits(tmp_path):
    study = make_study(
        tmp_path / "s",
        trials=24,
        objectives=["ndcg@10", "coverage@10"],
        constraints={"model_megabytes": {"max": 5.0}},
        scheduler={"name": "asha", "grace_epochs": 1},
    )
    assert run(study, "run_two") is Outcome.FINISHED
    rows = study.rows()
    assert all(row.state.is_finished for row in rows)
    by_asha = [row for row in rows if row.reason.startswith("stopped by asha")]
    assert by_asha
    assert all("coverage@10" in row.reason for row in by_asha)
    too_large = [row for row in rows if row.metrics["model_megabytes"] > 5]
    assert too_large
    assert all(row.n_epochs == 1 and row.reason.startswith("cannot win: model_mega") for row in too_large)
    front = pareto_front(rows, study.goal)
    assert len(front.rows) > 1
    assert not {row.number for row in too_large} & {row.number for row in study.best()}
    assert study.best(1)[0].number == front.knee
    told = optuna_trials(study)
    assert [t.values for t in told] == [list(study.goal.values(row.metrics)) for row in rows]
    for path in study.directory.glob("study.db*"):
        path.unlink()
    assert run(study, "run_two") is Outcome.FINISHED, "the storage is rebuilt"


@pytest.mark.soak
def test_each_signal_ends_a_run_cleanly(tmp_path):
    study = make_study(tmp_path / "s", trials=50)
    process = drive(study, "run_slowly", "3")
    for n_wanted, number in ((1, signal.SIGINT), (4, signal.SIGTERM), (6, signal.SIGHUP)):
        wait_for(lambda n=n_wanted: len(finished(study)) >= n, process)
        process.send_signal(number)
        assert process.stdout.readline() == "interrupted\n"
    output, _ = process.communicate(timeout=60)
    assert output == ""
    assert process.returncode == 0
    assert not study.is_locked()
    assert not any(row.state is TrialState.FAILED for row in study.rows())


@pytest.mark.soak
def test_a_killed_daemon_ends_the_run_and_fails_no_trial(tmp_path):
    study = make_study(tmp_path / "s", trials=200)
    process = drive(study)
    wait_for(lambda: len(finished(study)) >= 1, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (daemon,) = [pid for pid in children if b"raylet/raylet" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(daemon), signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert "Ray's daemon died or was killed; then go on with `reeltune resume s`" in output
    assert "(raylet)" not in output, "nor does its log fill the terminal"
    assert not any(row.state is TrialState.FAILED for row in study.rows())
    assert not study.is_locked()


def test_a_second_driver_is_refused(tmp_path):
    study = make_study(tmp_path / "s", trials=2)
    with study.lock(), pytest.raises(StudyError, match="being run by process"):
        run(study, "run")


@pytest.mark.soak
def test_a_hung_trial_and_a_slow_one_meet_their_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("reeltune.tuning.ray.callback.HANG_GRACE_SECONDS", 60.0)
    study = make_study(tmp_path / "s", trials=3, trial_seconds=0.035, scheduler={"name": "none"})
    assert run(study, "hang") is Outcome.FINISHED
    rows = study.rows()
    assert rows[1].state is TrialState.FAILED
    assert "silent for" in rows[1].reason
    assert rows[0].state is TrialState.STOPPED
    assert "time limit of 0.035 s" in rows[0].reason


@pytest.mark.soak
def test_a_full_disk_ends_the_run_and_fails_no_trial(tmp_path, monkeypatch):
    study = make_study(tmp_path / "s", trials=4)
    with pytest.raises(EngineError, match=r"No space left on device; .* `reeltune resume s`"):
        run(study, "fill_the_disk")
    assert not any(row.state is TrialState.FAILED for row in study.rows())

    def fail(self, number, report):
        raise EngineError("cannot write epochs.jsonl: No space left on device; free space")

    with monkeypatch.context() as patch:
        patch.setattr(Study, "append_epoch", fail)
        with pytest.raises(EngineError) as caught:
            run(study, "run")
    assert str(caught.value) == (
        "the run broke off: cannot write epochs.jsonl: No space left on device; free space; "
        "go on with `reeltune resume s`"
    )
    assert run(study, "run") is Outcome.FINISHED
    check_accounts(study)


def test_the_time_of_a_study_is_limited_and_can_be_raised(tmp_path):
    study = make_study(tmp_path / "s", trials=500, study_seconds=1.0)
    assert run(study, "run_slowly") is Outcome.TIME_OVER
    n_rows = len(study.rows())
    assert all(row.state.is_finished for row in study.rows())
    assert study.is_finished
    assert run(study, "run_slowly") is Outcome.FINISHED, "the time stays spent"
    assert len(study.rows()) == n_rows


def test_more_accelerators_than_there_are(tmp_path):
    study = make_study(tmp_path / "s", trials=2, gpus_per_trial=16.0)
    with pytest.raises(ConfigError, match="gpus_per_trial is 16"):
        run(study, "run")


def test_optuna_is_rebuilt_from_the_rows(tmp_path):
    study = make_study(tmp_path / "s", trials=5)
    assert run(study, "run") is Outcome.FINISHED
    for path in study.directory.glob("study.db*"):
        path.unlink()
    record = json.loads((study.directory / "study.json").read_text())
    record["spec"]["study"]["trials"] = 8
    (study.directory / "study.json").write_text(json.dumps(record))
    longer = Study.open(study.directory)
    assert run(longer, "run") is Outcome.FINISHED
    check_accounts(longer)
    assert [trial.state for trial in optuna_trials(longer)].count(OptunaState.RUNNING) == 0
