"""Requests that share a pass get what each would get alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from reeltune.errors import UserError
from reeltune.serving.bundle.bundle import load_bundle
from reeltune.serving.recommend import coalesced
from reeltune.serving.recommend.coalesced import CoalescedRecommender
from reeltune.serving.recommend.recommender import Recommender

HISTORIES = [[1 + (start + i) % 30 for i in range(1 + start % 7)] for start in range(40)]


def test_many_threads_get_their_own_scores(bundle_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalesced, "MAX_CELLS", 20)
    shared, alone = CoalescedRecommender(load_bundle(bundle_dir)), Recommender.load(bundle_dir)
    nan = [[float("nan")] * len(row) for row in HISTORIES]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: shared.scores([HISTORIES[i]], [nan[i]]), range(len(HISTORIES))))
    for i, scores in enumerate(found):
        np.testing.assert_allclose(scores, alone.scores([HISTORIES[i]], [nan[i]]), atol=1e-5)


def test_those_who_wait_share_one_pass(bundle_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = CoalescedRecommender(load_bundle(bundle_dir))
    sizes, entered, may_go_on = [], threading.Event(), threading.Event()
    real = Recommender.scores

    def slow(self, codes, stars):
        sizes.append(len(codes))
        entered.set()
        may_go_on.wait(10)
        return real(self, codes, stars)

    monkeypatch.setattr(Recommender, "scores", slow)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(shared.recommend, ["id:500"], 3)
        entered.wait(10)
        others = [pool.submit(shared.recommend, [f"id:{501 + i}"], 3) for i in range(5)]
        while len(shared._pending) < 5:
            pass
        may_go_on.set()
        assert all(len(done.result(10)) == 3 for done in [first, *others])
    assert sizes == [1, 5]


def test_an_error_reaches_the_caller_and_no_one_waits_for_ever(
    bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = CoalescedRecommender(load_bundle(bundle_dir))
    with pytest.raises(UserError, match="no movie called"):
        shared.recommend(["Nonesuch"])
    with monkeypatch.context() as patch:
        patch.setattr(Recommender, "scores", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            shared.recommend(["id:500"])
    assert shared.recommend(["id:500"])
