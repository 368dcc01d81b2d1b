import numpy as np
import pytest

from reeltune.metrics.catalogue import coverage
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.checkpoint import load_network
from reeltune.training.config import TrainingConfig
from reeltune.training.meter import Meter, latency_ms, model_megabytes
from reeltune.tuning.trial.run import TrialConfig, run_trial

CONFIG = TrialConfig(
    model=GRUConfig(embedding_dim=8, hidden_dim=12),
    training=TrainingConfig(batch_size=64, history_length=16, max_epochs=2, learning_rate=0.02),
)
MEASURES = ["coverage@5", "novelty@10", "model_megabytes", "latency_ms", "hr@3"]


@pytest.fixture(scope="module")
def measured(tiny_data, tmp_path_factory):
    folder, reports = tmp_path_factory.mktemp("trial"), []
    run_trial(CONFIG, tiny_data, reports.append, directory=folder, seed=1, measures=MEASURES)
    return folder, reports


def test_every_epoch_carries_the_asked_figures(measured, tiny_data):
    folder, reports = measured
    for report in reports:
        assert set(MEASURES) <= report.metrics.keys()
        assert 1 / tiny_data.n_items <= report.metrics["coverage@5"] <= 1
        assert report.metrics["novelty@10"] > 0
    assert reports[0].metrics["coverage@5"] != reports[1].metrics["coverage@5"]
    assert reports[0].metrics["latency_ms"] == reports[1].metrics["latency_ms"] > 0
    network = load_network(folder / "best.ckpt")
    assert reports[0].metrics["model_megabytes"] == model_megabytes(network)
    n_weights = sum(part.numel() for part in network.state_dict().values())
    assert model_megabytes(network) == pytest.approx(4 * n_weights / 1e6)


def test_the_figures_change_no_training(measured, tiny_data, tmp_path):
    _, reports = measured
    plain = []
    run_trial(CONFIG, tiny_data, plain.append, directory=tmp_path, seed=1)
    for with_figures, without in zip(reports, plain, strict=True):
        assert with_figures.train_loss == without.train_loss
        assert with_figures.metrics.items() >= without.metrics.items()


def test_a_resumed_trial_reports_the_same_time_of_scoring(measured, tiny_data, tmp_path):
    whole = []

    class StopError(Exception):
        pass

    def stop(report):
        whole.append(report)
        raise StopError

    with pytest.raises(StopError):
        run_trial(CONFIG, tiny_data, stop, directory=tmp_path, seed=1, measures=MEASURES)
    resumed = []
    run_trial(CONFIG, tiny_data, resumed.append, directory=tmp_path, seed=1, measures=MEASURES)
    assert {report.metrics["latency_ms"] for report in resumed} == {whole[0].metrics["latency_ms"]}
    _, reports = measured
    assert [r.metrics["coverage@5"] for r in resumed] == [r.metrics["coverage@5"] for r in reports]


def test_a_larger_network_is_slower_to_score(tiny_data):
    import torch

    from reeltune.models.registry import build_network

    small = build_network(GRUConfig(embedding_dim=8, hidden_dim=8), tiny_data.n_items).eval()
    large = build_network(GRUConfig(embedding_dim=64, hidden_dim=1024), tiny_data.n_items).eval()
    torch.set_num_threads(1)
    assert latency_ms(large, tiny_data.validation) > latency_ms(small, tiny_data.validation) > 0


def test_nothing_is_kept_where_no_list_is_asked_for(tiny_data):
    assert Meter(["model_megabytes"], tiny_data).list_length == 0
    assert Meter(["coverage@5", "novelty@12"], tiny_data).list_length == 12
    assert coverage(np.ones((1, 1), dtype=np.int64), 4) == 0.25
