import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.prepared import PAD
from reeltune.errors import ConfigError
from reeltune.metrics.catalogue import coverage, novelty, surprise, top_items
from reeltune.metrics.measures import MEASURES, parse_measure


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_lists_equal_a_slow_sort(k, seed):
    rng = np.random.default_rng(seed)
    scores = rng.permutation(5 * 9).reshape(5, 9).astype(np.float32)
    seen = rng.integers(0, 9, size=(5, 3))
    found = top_items(torch.from_numpy(scores), torch.from_numpy(seen), k).numpy()
    assert found.shape == (5, min(k, 8))
    for row, hidden, listed in zip(scores, seen, found, strict=True):
        order = [i for i in np.argsort(-row) if i != PAD and i not in hidden]
        wanted = (order + [PAD] * 12)[: len(listed)]
        assert listed.tolist() == wanted


def test_the_scores_are_left_as_they_were():
    scores = torch.arange(6.0)[None]
    top_items(scores, torch.tensor([[5]]), 2)
    assert scores.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_coverage_counts_each_movie_once_and_no_padding():
    assert coverage(np.array([[1, 2], [2, 1], [3, PAD]]), 6) == 0.5


def test_novelty_is_the_mean_surprise():
    bits = surprise(np.array([0, 8, 4, 1, 0]), 8)
    assert bits[1:].tolist() == [0.0, 1.0, 3.0, 4.0]
    assert novelty(np.array([[1, 2], [3, PAD]]), bits) == pytest.approx(4 / 3)
    assert novelty(np.array([[PAD]]), bits) == 0.0


@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_spelled_one_way(name):
    label = f"{name}@20" if MEASURES[name].has_cut else name
    assert parse_measure(label).label == label
    wrong = name if MEASURES[name].has_cut else f"{name}@10"
    with pytest.raises(ConfigError, match=name):
        parse_measure(wrong)


@pytest.mark.parametrize(
    "label", ["coverege@10", "coverage@0", "coverage@x", "ndcg", "", "@10", "latency_ms@"]
)
def test_wrong_labels_are_refused(label):
    with pytest.raises(ConfigError):
        parse_measure(label)
