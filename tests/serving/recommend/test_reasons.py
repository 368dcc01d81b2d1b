from __future__ import annotations

import json
import math

import numpy as np
import pytest

from reeltune.errors import ConfigError
from reeltune.evaluation import compare
from reeltune.serving.recommend.reasons import check_faithfulness, occlusion

N = 30


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "N_BOOTSTRAP", 500)
    monkeypatch.setattr(compare, "N_FLIPS", 1999)


def votes(codes, stars):
    """Each movie votes for one other; so three movies of a history stand behind each recommendation."""
    scores = np.zeros((len(codes), N + 1))
    for row, history in enumerate(codes):
        for code in history:
            scores[row, 21 + code % 5] += 1 + code / 100
    scores[:, 0] = -np.inf
    return scores


def deaf(codes, stars):
    scores = np.tile(np.arange(N + 1.0), (len(codes), 1))
    scores[:, 0] = -np.inf
    return scores


def people(n: int):
    rng = np.random.default_rng(0)
    return [((rng.permutation(20)[:12] + 1).tolist(), [math.nan] * 12) for _ in range(n)]


def test_occlusion_finds_the_voters() -> None:
    codes = [1, 2, 6, 3, 11]
    recent, falls = occlusion(votes, codes, [math.nan] * 5, votes([codes], [])[0])
    assert list(recent) == [0, 1, 2, 3, 4]
    assert set(np.flatnonzero(falls[:, 22 - 1] > 0.5)) == {0, 2, 4}


def test_explanations_of_votes_are_faithful() -> None:
    found = check_faithfulness(votes, people(60))
    assert found.named.value > found.random.value + 0.3
    assert found.against_random.is_better
    assert "explanations are faithful" in found.verdict()
    json.dumps(found.plain(), allow_nan=False)


def test_a_model_that_does_not_listen_has_no_faithful_explanations() -> None:
    found = check_faithfulness(deaf, people(20))
    assert found.named.value == found.random.value == 0.0
    assert "not shown" in found.verdict()


def test_short_histories_are_left_out() -> None:
    with pytest.raises(ConfigError, match="more than 6 movies"):
        check_faithfulness(votes, [([1, 2, 3], [math.nan] * 3)])
