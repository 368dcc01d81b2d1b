import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltune.metrics.registry import ranking_metrics
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.networks.lstm import LSTMConfig
from reeltune.training import next_item as module
from reeltune.training.base import Segment
from reeltune.training.checkpoint import read_checkpoint
from reeltune.training.config import TrainingConfig
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.run import run_trial

pytestmark = pytest.mark.slow


QUICK = TrainingConfig(batch_size=64, history_length=16, max_epochs=3, learning_rate=0.02)
SMALL = TrialConfig(model=GRUConfig(embedding_dim=8, hidden_dim=12), training=QUICK)


def run(data, directory, *, config=SMALL, report=lambda _: None, **changes):
    return run_trial(config, data, report, directory=directory, **({"seed": 1} | changes))


def weights(directory, name="best.ckpt"):
    return list(read_checkpoint(directory / name)["state_dict"].values())


def are_equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_complete_trial(tiny_data, tmp_path):
    reports = []
    result = run(tiny_data, tmp_path, report=reports.append)
    assert (result.state, result.reason) == (TrialState.COMPLETE, "ran all 3 epochs")
    assert result.n_epochs == len(reports) == 3
    assert result.metrics == reports[result.best_epoch - 1].metrics
    assert result.metrics["ndcg@10"] == reports[-1].best
    assert ranking_metrics(np.load(tmp_path / "validation_ranks.npy")) == result.metrics
    assert result.n_parameters == sum(tensor.numel() for tensor in weights(tmp_path))
    assert result.seconds == pytest.approx(sum(report.seconds for report in reports))


def test_numbers_depend_on_config_and_seed_alone(tiny_data, tmp_path):
    first = run(tiny_data, tmp_path / "first")
    other = SMALL.model_copy(update={"model": LSTMConfig(embedding_dim=8, hidden_dim=8)})
    run(tiny_data, tmp_path / "between", config=other)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002 - the global stream must not matter
    second = run(tiny_data, tmp_path / "second")
    assert second.metrics == first.metrics
    assert are_equal(weights(tmp_path / "first"), weights(tmp_path / "second"))
    run(tiny_data, tmp_path / "seeded", seed=2)
    assert not are_equal(weights(tmp_path / "first"), weights(tmp_path / "seeded"))


def test_the_process_is_left_as_it_was(tiny_data, tmp_path):
    torch.manual_seed(7)
    stream, threads = torch.get_rng_state(), torch.get_num_threads()
    handler = signal.getsignal(signal.SIGINT)
    run(tiny_data, tmp_path, n_threads=threads + 1)
    assert torch.equal(torch.get_rng_state(), stream)
    assert torch.get_num_threads() == threads
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("error", [RuntimeError("engine"), SystemExit(0), KeyboardInterrupt()])
def test_what_the_report_raises_passes_through(tiny_data, tmp_path, error):
    def report(_):
        raise error

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(type(error)):
        run(tiny_data, tmp_path, report=report)
    assert run(tiny_data, tmp_path).n_epochs == 3
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_loss_that_is_not_finite_ends_as_diverged(tiny_data, tmp_path, monkeypatch):
    sound, calls = module.full_softmax_loss, []

    def failing(*args, **kwargs):
        calls.append(1)
        return sound(*args, **kwargs) * (float("inf") if len(calls) == 5 else 1.0)

    monkeypatch.setattr(module, "full_softmax_loss", failing)
    result = run(tiny_data, tmp_path)
    assert result.state is TrialState.DIVERGED
    assert result.reason.startswith("the loss is inf at epoch 2, step 5; lower the learning rate (0.02)")
    assert (result.n_epochs, result.best_epoch) == (1, 1)


def test_a_score_that_is_not_finite_ends_as_diverged(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(
        module.NextItemModule, "on_validation_start",
        lambda self: torch.nn.init.constant_(self.network.head.bias, float("nan")),
    )  # fmt: skip
    result = run(tiny_data, tmp_path)
    assert (result.state, result.n_epochs, result.best_epoch) == (TrialState.DIVERGED, 0, 0)
    assert "epoch 1, step" in result.reason
    assert "score of a target is nan" in result.reason


def test_an_unknown_objective_is_refused():
    with pytest.raises(ValueError, match="did you mean 'ndcg'"):
        TrialConfig(objective="ndgc@10")


@pytest.mark.soak
def test_kill_9_at_random_moments_changes_nothing(tiny_data, tmp_path):
    script = tmp_path / "trial.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, signal, sys, threading
        from pathlib import Path
        from reeltune.data.store import open_tuning
        from reeltune.models.networks.gru import GRUConfig
        from reeltune.training.config import TrainingConfig
        from reeltune.training.next_item import NextItemModule
        from reeltune.tuning.trial.config import TrialConfig
        from reeltune.tuning.trial.run import run_trial

        steps, wanted, before = [], int(sys.argv[1]), NextItemModule.training_step
        def step(self, batch, index):
            steps.append(index)
            if len(steps) == wanted:
                threading.Timer(0.004, os.kill, (os.getpid(), signal.SIGKILL)).start()
            return before(self, batch, index)
        NextItemModule.training_step = step
        config = TrialConfig.model_validate({SMALL.plain()!r})
        data = open_tuning(Path({str(tiny_data.directory)!r}))
        run_trial(config, data, lambda _: None, directory=Path({str(tmp_path / "killed")!r}), seed=1)
        """)
    )
    whole = run(tiny_data, tmp_path / "whole")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    codes = [
        subprocess.run([sys.executable, script, str(step)], env=environment, check=False).returncode
        for step in (3, 6, 10**9)
    ]
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert run(tiny_data, tmp_path / "killed").metrics == whole.metrics
    for name in ("best.ckpt", "last.ckpt"):
        assert are_equal(weights(tmp_path / "whole", name), weights(tmp_path / "killed", name))


@pytest.mark.soak
def test_memory_stays_flat_over_trials(tiny_data, tmp_path):
    def resident_bytes() -> int:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("no /proc on this system")
    sizes = []
    for number in range(12):
        run(tiny_data, tmp_path / str(number))
        sizes.append(resident_bytes())
    assert max(sizes[6:]) - sizes[5] < 30 * 2**20, [size >> 20 for size in sizes]


def test_a_refit_trains_on_what_validation_asked_and_keeps_its_last_weights(tiny_data, tmp_path):
    refit, known = Segment(0, 2, is_refit=True), tiny_data.validation.answered()
    reports = []
    result = run(tiny_data, tmp_path / "refit", segment=refit, report=reports.append)
    assert (result.state, result.n_epochs, result.best_epoch) == (TrialState.COMPLETE, 2, 2)
    assert result.metrics == {}
    assert [report.metrics for report in reports] == [{}, {}]
    assert not (tmp_path / "refit" / "validation_ranks.npy").exists()
    # The same epochs of an ordinary training on those events end in the same weights.
    extended = replace(tiny_data, train=known)
    run(extended, tmp_path / "plain", segment=Segment(0, 2))
    refitted, plain = (read_checkpoint(tmp_path / name / "last.ckpt") for name in ("refit", "plain"))
    assert are_equal(refitted["state_dict"].values(), plain["state_dict"].values())
    assert are_equal(
        plain["average"]["weights"], weights(tmp_path / "refit")[: len(plain["average"]["weights"])]
    )
    run(tiny_data, tmp_path / "other", segment=Segment(0, 2))
    assert not are_equal(weights(tmp_path / "refit"), weights(tmp_path / "other", "last.ckpt"))


def test_a_refit_that_was_killed_ends_in_the_same_weights(tiny_data, tmp_path):
    def killed(report):
        if report.epoch == 1:
            raise RuntimeError("killed")

    refit = Segment(0, 3, is_refit=True)
    run(tiny_data, tmp_path / "whole", segment=refit)
    with pytest.raises(RuntimeError, match="killed"):
        run(tiny_data, tmp_path / "killed", segment=refit, report=killed)
    run(tiny_data, tmp_path / "killed", segment=refit)
    assert are_equal(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
