"""What TensorBoard and W&B receive is read back."""

import contextlib
import time

import pytest

from reeltune.training.loggers import LoggingConfig, trial_loggers, wandb_mode


def log_two_epochs(config, directory, number=3):
    params = {"model.hidden_dim": 64}
    with trial_loggers(
        config, study="smoke", study_id="0a1b", study_directory=directory, number=number, params=params
    ) as loggers:
        for logger in loggers:
            for epoch, value in enumerate([0.25, 0.5]):
                logger.log_metrics({"ndcg@10": value}, step=epoch)
    return loggers


def wait_for(condition, seconds=240):
    """Wait: W&B's own process writes the end of a run's file after the run is finished."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds
        time.sleep(0.1)


def test_nothing_is_written_unasked(tmp_path):
    assert log_two_epochs(LoggingConfig(), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tensorboard_events_hold_each_epoch(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log_two_epochs(LoggingConfig(tensorboard=True), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard" / "00003"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("ndcg@10")] == [(0, 0.25), (1, 0.5)]


@pytest.mark.slow
def test_wandb_keeps_one_offline_run_a_trial(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for number in (0, 1):
        log_two_epochs(LoggingConfig(wandb="auto"), tmp_path, number)
    files = sorted((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(files) == 2
    wait_for(lambda: all(b"ndcg@10" in file.read_bytes() for file in files))
    assert [file.name.split("-")[-1] for file in files] == ["00000.wandb", "00001.wandb"]


@pytest.mark.parametrize(
    ("error", "status"), [(None, "success"), (ValueError, "failed"), (SystemExit, "success")]
)
def test_loggers_hear_how_the_trial_ended(tmp_path, monkeypatch, error, status):
    from lightning.pytorch.loggers import TensorBoardLogger

    heard = []
    monkeypatch.setattr(TensorBoardLogger, "finalize", lambda self, status: heard.append(status))
    options = {"study": "s", "study_id": "1", "study_directory": tmp_path, "number": 3, "params": {}}
    with (
        contextlib.suppress(ValueError, SystemExit),
        trial_loggers(LoggingConfig(tensorboard=True), **options),
    ):
        if error is not None:
            raise error
    assert heard == [status]


@pytest.mark.parametrize(
    ("choice", "key", "forced", "expected"),
    [
        ("offline", "secret", None, "offline"),
        ("online", None, None, "online"),
        ("auto", None, None, "offline"),
        ("auto", "secret", None, "online"),
        ("auto", "secret", "offline", "offline"),
    ],
)
def test_online_only_where_a_login_is(monkeypatch, tmp_path, choice, key, forced, expected):
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    for name, value in (("WANDB_API_KEY", key), ("WANDB_MODE", forced)):
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    assert wandb_mode(choice) == expected


def test_a_login_in_the_netrc_file_counts(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "netrc").write_text("machine api.wandb.ai\n  login user\n  password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert wandb_mode("auto") == "online"
