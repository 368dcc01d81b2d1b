"""Trials that cost nothing, run by the real engine; their learning curves follow from their parameters."""

import contextlib
import json
import math
import os
import signal
import time
from pathlib import Path

from reeltune.errors import EngineError, StudyError
from reeltune.files import atomic_path, write_json, write_text
from reeltune.training.epochs import EpochReport
from reeltune.tuning.records.rows import TrialResult, TrialState
from reeltune.tuning.trial.job import count_parameters

LEARNING_RATE = "training.learning_rate"


def quality(params, epoch):
    """Return the objective: best at a learning rate of .01, better with each epoch."""
    distance = abs(math.log10(params[LEARNING_RATE]) + 2)
    return 0.5 / (1 + distance) * (1 - 0.7**epoch)


def run(job, report, *, epoch_seconds=0.0):
    """Run a trial that can be resumed, as real ones can: its checkpoint comes before its report."""
    checkpoint = Path(job.directory) / "last.ckpt"
    epochs = []
    if checkpoint.exists():
        try:
            epochs = [EpochReport(**value) for value in json.loads(checkpoint.read_text())]
        except ValueError as error:
            raise StudyError("the checkpoint is damaged") from error
    for epoch in epochs:
        report(epoch)
    before = json.loads(Path(job.origin).read_text())[-1]["metrics"]["ndcg@10"] if job.origin else 0.0
    for number in range(job.start_epoch + len(epochs) + 1, job.last_epoch + 1):
        time.sleep(epoch_seconds)
        value = quality(job.params, number)
        if job.end_epoch is not None:  # of a population: what is learned stays learned
            value = (epochs[-1].metrics["ndcg@10"] if epochs else before) + 0.1 * value
        epochs.append(EpochReport(number, {"ndcg@10": value}, value, 1.0 / number, 0.01))
        (Path(job.directory) / "best.ckpt").write_text(str(number))
        write_json(checkpoint, [epoch.plain() for epoch in epochs])
        with (Path(job.directory) / "trace").open("a") as trace:
            trace.write(f"{number}\n")
        report(epochs[-1])
    metrics = epochs[-1].metrics
    return TrialResult(TrialState.COMPLETE, "ran all epochs", epochs[-1].epoch, metrics, len(epochs), 0, 0.1)


def run_two(job, report):
    """Trade the objective for coverage by the batch size; the network's size follows its width."""
    share = {16: 0.2, 32: 0.5, 64: 0.9}[job.params["training.batch_size"]]
    epochs = []
    for number in range(1, job.max_epochs + 1):
        value = quality(job.params, number) * (1 - share / 2)
        metrics = {"ndcg@10": value, "coverage@10": share * (1 - 0.5**number)}
        metrics["model_megabytes"] = job.params["model.hidden_dim"] / 10
        assert set(job.measures) <= metrics.keys()
        epochs.append(EpochReport(number, metrics, value, 1.0, 0.01))
        report(epochs[-1])
    return TrialResult(TrialState.COMPLETE, "ran all epochs", len(epochs), metrics, len(epochs), 0, 0.1)


def run_slowly(job, report):
    """Take a tenth of a second an epoch, so that a test can interfere."""
    return run(job, report, epoch_seconds=0.1)


def run_a_part(job, report):
    """Run six trials slowly and hang in the rest, so that a test interferes in time whatever the load."""
    if job.number >= 6:
        time.sleep(600)
    return run_slowly(job, report)


def run_and_tell_node(job, report):
    """Tell on which node of the cluster it runs."""
    import ray

    write_text(Path(job.directory) / "node", ray.get_runtime_context().get_node_id())
    return run(job, report, epoch_seconds=0.2)


def run_out_of_sight(job, report):
    """Run on a node that must not use the study's folder, and tell which node that is."""
    if "s/trials" in job.directory or (Path(job.study_directory) / "study.json").exists():
        raise RuntimeError(f"the study's folder is in use: {job.directory}")
    return run_and_tell_node(job, report)


def run_badly(job, report):
    """Fail, diverge, die once, hang or leave a damaged checkpoint, by the trial's number."""
    once = Path(job.study_directory) / f"once-{job.number}"
    if job.number == 1:
        raise ValueError("no such luck\nand more lines")
    if job.number == 2:
        report(EpochReport(1, {"ndcg@10": 0.9}, 0.9, 1.0, 0.01))
        return TrialResult(TrialState.DIVERGED, "loss is nan in epoch 2", 1, {"ndcg@10": 0.9}, 1, 0, 0.1)
    if job.number == 3 and not once.exists():
        for epoch in range(1, 3):
            value = quality(job.params, epoch)
            report(EpochReport(epoch, {"ndcg@10": value}, value, 1.0, 0.01))
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if job.number == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.number == 5:
        return TrialResult(TrialState.DIVERGED, "loss is nan in epoch 1", 0, {}, 0, 0, 0.1)
    if job.number == 6 and not once.exists():
        once.touch()
        (Path(job.directory) / "last.ckpt").write_text("{torn")
    return run(job, report)


def _checkpoint_bytes(trials):
    """Return the size of all checkpoints, those being written among them, as others come and go."""
    total = 0
    for path in trials.glob("*/*"):
        if path.suffix in (".ckpt", ".part"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
    return total


def run_heavily(job, report):
    """Write as many bytes of checkpoints as a real trial of the same network; tell what then lies there."""
    weights = 4 * count_parameters(job.config, 10)
    trials = Path(job.directory).parent
    for number in range(1, job.max_epochs + 1):
        for name, size in (("best.ckpt", weights), ("last.ckpt", 4 * weights)):
            with atomic_path(Path(job.directory) / name) as part:
                part.write_bytes(bytes(size))
                with (Path(job.study_directory) / "sizes").open("a") as sizes:
                    sizes.write(f"{_checkpoint_bytes(trials)}\n")
        value = quality(job.params, number)
        report(EpochReport(number, {"ndcg@10": value}, value, 1.0, 0.01))
    return TrialResult(TrialState.COMPLETE, "ran all", number, {"ndcg@10": value}, number, 0, 0.1)


def run_storm(job, report):
    """Diverge in three of four trials, after one epoch or before it."""
    if job.number % 4:
        n_epochs = job.number % 2
        if n_epochs:
            report(EpochReport(1, {"ndcg@10": 0.99}, 0.99, 1.0, 0.01))
        return TrialResult(TrialState.DIVERGED, "loss is nan", n_epochs, {}, n_epochs, 0, 0.1)
    return run(job, report)


def write_much(job, report):
    """Keep a megabyte an epoch in the trial's folder, as large checkpoints would."""
    for number in range(1, job.max_epochs + 1):
        write_text(Path(job.directory) / f"weights-{number}.txt", "x" * 2**20)
    return run(job, report)


def share_a_device(job, report):
    """Wait until all trials of the study run at once; tell which device each was given."""
    import ray

    mine = Path(job.directory) / "device.json"
    given = {
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "share": ray.get_runtime_context().get_assigned_resources()["GPU"],
        "accelerator": job.accelerator,
        "pid": os.getpid(),
    }
    write_json(mine, given)
    start = time.monotonic()
    while len(list(mine.parent.parent.glob("*/device.json"))) < 2 and time.monotonic() - start < 240:
        time.sleep(0.05)
    return run(job, report)


def fill_the_disk(job, report):
    """Find the disk full in the second trial, once."""
    once = Path(job.study_directory) / "once"
    if job.number == 1 and not once.exists():
        once.touch()
        raise EngineError("cannot write last.ckpt: No space left on device; free space")
    return run(job, report)


def hang(job, report):
    """Hang in the second trial."""
    if job.number == 1:
        time.sleep(600)
    return run(job, report)
