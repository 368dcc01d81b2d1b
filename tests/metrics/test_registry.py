"""What can be named can be measured: of networks every epoch, and of baselines."""

import numpy as np
import pytest

from reeltune.data.sequences import query_batches
from reeltune.errors import ConfigError
from reeltune.metrics import evaluate
from reeltune.metrics.registry import METRICS, RATING_METRICS, Evidence, list_length, measure, parse_metric
from reeltune.models.baselines.item_knn import ItemKNNConfig
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.registry import build_network
from reeltune.training.checkpoint import load_model, load_network
from reeltune.training.config import TrainingConfig
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.study.spec import StudySettings
from reeltune.tuning.trial.config import TrialConfig, one_go
from reeltune.tuning.trial.run import run_trial

CONFIG = TrialConfig(
    model=GRUConfig(embedding_dim=8, hidden_dim=12),
    training=TrainingConfig(batch_size=64, history_length=16, max_epochs=2, learning_rate=0.02),
)
KNN = TrialConfig(model=ItemKNNConfig(), training=one_go("next-item"))
LABELS = [
    f"{name}@{3 + place}" if of.has_cut else name
    for place, (name, of) in enumerate(METRICS.items())
    if of.needs != "ratings"
]


@pytest.fixture(scope="module")
def measured(tiny_data, tmp_path_factory):
    folder, reports = tmp_path_factory.mktemp("trial"), []
    run_trial(CONFIG, tiny_data, reports.append, directory=folder, seed=1, measures=LABELS)
    return folder, reports


def test_every_epoch_of_a_network_carries_every_metric(measured, tiny_data):
    folder, reports = measured
    for report in reports:
        assert set(LABELS) <= report.metrics.keys()
        assert 1 / tiny_data.n_items <= report.metrics["coverage@8"] <= 1
        assert report.metrics["novelty@9"] > 0
        assert report.metrics["precision@6"] == pytest.approx(report.metrics["hr@6"] / 6)
    assert reports[0].metrics["coverage@8"] != reports[1].metrics["coverage@8"]
    assert reports[0].metrics["latency_ms"] == reports[1].metrics["latency_ms"] > 0
    network = load_network(folder / "best.ckpt")
    assert reports[0].metrics["model_megabytes"] == evaluate.model_megabytes(network)
    n_weights = sum(part.numel() for part in network.state_dict().values())
    assert evaluate.model_megabytes(network) == pytest.approx(4 * n_weights / 1e6)


@pytest.mark.parametrize("label", LABELS)
def test_every_metric_is_measured_of_a_baseline(label, tiny_data, tmp_path):
    result = run_trial(KNN, tiny_data, lambda _: None, directory=tmp_path, seed=1, measures=[label])
    assert result.metrics[label] > 0


@pytest.mark.parametrize("label", RATING_METRICS)
def test_a_metric_of_ratings_is_refused_where_movies_are_ranked(label, tiny_data, tmp_path):
    with pytest.raises(ConfigError, match=f"{label} is a metric of predicted ratings, movies are ranked"):
        run_trial(KNN, tiny_data, lambda _: None, directory=tmp_path, seed=1, measures=[label])


@pytest.mark.parametrize("label", ["precision@10", "recall@5", "mrr@3"])
@pytest.mark.parametrize("config", [CONFIG, KNN], ids=["network", "baseline"])
def test_every_metric_of_ranks_chooses_the_best_epoch(config, label, tiny_data, tmp_path):
    config = config.model_copy(update={"objective": label})
    epochs = []
    result = run_trial(config, tiny_data, epochs.append, directory=tmp_path, seed=1)
    assert result.state is TrialState.COMPLETE
    assert epochs[-1].best == result.metrics[label] == max(epoch.metrics[label] for epoch in epochs)


def test_the_lists_of_a_baseline_are_its_own(tiny_data, tmp_path):
    found = run_trial(KNN, tiny_data, lambda _: None, directory=tmp_path, seed=1, measures=["coverage@4"])
    baseline = load_model(tmp_path / "best.ckpt")
    assert found.metrics["coverage@4"] * tiny_data.n_items == pytest.approx(
        len(_listed(baseline, tiny_data, 4))
    )


def _listed(scorer, data, k):
    """Return the movies in anybody's first k, counted slowly."""
    found = set()
    for batch in query_batches(data.validation, batch_size=1):
        scores = scorer.scores(batch.histories)[0].tolist()
        seen = set(batch.histories.items[0].tolist())
        order = sorted((i for i in range(1, len(scores)) if i not in seen), key=lambda i: (-scores[i], i))
        found |= set(order[:k])
    return found


def test_what_is_measured_changes_no_training(measured, tiny_data, tmp_path):
    _, reports = measured
    plain = []
    run_trial(CONFIG, tiny_data, plain.append, directory=tmp_path, seed=1)
    for with_metrics, without in zip(reports, plain, strict=True):
        assert with_metrics.train_loss == without.train_loss
        assert with_metrics.metrics.items() >= without.metrics.items()


def test_a_resumed_trial_reports_the_same_time_of_scoring(measured, tiny_data, tmp_path):
    whole = []

    class StopError(Exception):
        pass

    def stop(report):
        whole.append(report)
        raise StopError

    with pytest.raises(StopError):
        run_trial(CONFIG, tiny_data, stop, directory=tmp_path, seed=1, measures=LABELS)
    resumed = []
    run_trial(CONFIG, tiny_data, resumed.append, directory=tmp_path, seed=1, measures=LABELS)
    assert {report.metrics["latency_ms"] for report in resumed} == {whole[0].metrics["latency_ms"]}
    _, reports = measured
    assert [r.metrics["coverage@8"] for r in resumed] == [r.metrics["coverage@8"] for r in reports]


def test_the_time_of_scoring_is_the_median_of_its_calls(tiny_data, monkeypatch):
    ticks = iter(np.cumsum([0.0, *([0.002, 1.0] * 100)]))  # 2 ms a call, a second between two
    monkeypatch.setattr(evaluate.time, "perf_counter", lambda: float(next(ticks)))
    network = build_network(GRUConfig(embedding_dim=8, hidden_dim=8), tiny_data.n_items)
    assert evaluate.latency_ms(network, tiny_data.validation) == pytest.approx(2.0)
    assert network.training, "it is left as it was"


def test_lists_are_as_long_as_the_metrics_need():
    assert list_length(["model_megabytes", "ndcg@20"]) == 0
    assert list_length(["coverage@5", "novelty@12"]) == 12


def test_known_metrics_are_taken_over_where_training_does_not_change_them(tiny_data):
    evidence = Evidence(np.array([1, 4]), np.array([[1], [2]]), None, tiny_data)
    found = measure(["hr@1", "latency_ms"], evidence, known={"latency_ms": 3.5, "hr@1": 0.0})
    assert (found["latency_ms"], found["hr@1"], found["mrr@10"]) == (3.5, 0.5, 0.625)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_spelled_one_way(name):
    label = f"{name}@20" if METRICS[name].has_cut else name
    assert parse_metric(label).label == label
    wrong = name if METRICS[name].has_cut else f"{name}@10"
    with pytest.raises(ConfigError, match=name):
        parse_metric(wrong)


@pytest.mark.parametrize(
    "label",
    [
        "coverege@10",
        "coverage@0",
        "coverage@x",
        "ndcg",
        "ndcg@",
        "NDCG@10",
        "ndcg@10 ",
        "",
        "@10",
        "latency_ms@",
    ],
)
def test_wrong_labels_are_refused(label):
    with pytest.raises(ConfigError, match=r"did you mean|needs a cut|has no cut|unknown metric"):
        parse_metric(label)


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'ndcg'"):
        parse_metric("ndgc@10")


def test_a_label_names_metric_and_cut():
    metric = parse_metric("hr@5")
    assert (metric.name, metric.k, metric.label, metric.higher_is_better) == ("hr", 5, "hr@5", True)
    with pytest.raises(ConfigError, match="coverage@5 is no mean over queries"):
        parse_metric("coverage@5").per_query(np.array([1]))


def test_an_objective_follows_from_ranks():
    with pytest.raises(ValueError, match="coverage@10 does not follow from ranks; use one of hr, ndcg"):
        StudySettings(objective="coverage@10")
