from __future__ import annotations

import itertools

import numpy as np
import pytest

from reeltune.data.prepared import Catalogue
from reeltune.errors import UserError
from reeltune.serving.bundle.bundle import export_bundle
from reeltune.serving.bundle.reranking import AS_SCORED
from reeltune.serving.bundle.vocabulary import MovieFacts
from reeltune.serving.recommend.filters import Filters
from reeltune.serving.recommend.recommender import Recommender
from reeltune.serving.recommend.rerank import Reranker, Reranking, best_codes, best_codes_of_each
from serving_parts import make_catalogue, make_parts

GENRES = (("Comedy",), ("Drama",), ("Comedy", "Drama"), (), ("War",), ("Comedy",), ("Drama",), ("War",))
CATALOGUE = Catalogue(item_ids=tuple("abcdefgh"), titles=tuple("ABCDEFGH"), years=(2000,) * 8, genres=GENRES)
COUNTS = np.array([0, 50, 10, 100, 1, 20, 5, 80, 3])
DIRECTIONS = np.concatenate([np.zeros((1, 3)), np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]])
SCORES = np.array([-np.inf, -np.inf, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0])  # movie 1 is seen


@pytest.fixture(name="reranker")
def _reranker() -> Reranker:
    return Reranker(CATALOGUE, COUNTS, DIRECTIONS)


def _choose(reranker: Reranker, reranking: Reranking, k: int = 3) -> list[int]:
    return reranker.choose(SCORES, k, reranking, codes=[1], ratings=[np.nan]).tolist()


def test_no_weights_keep_the_order(reranker: Reranker) -> None:
    assert AS_SCORED.is_off
    assert _choose(reranker, AS_SCORED) == [2, 3, 4]
    assert _choose(reranker, Reranking(popularity=1e-9), k=99) == [2, 3, 4, 5, 6, 7, 8]


def test_popularity_moves_movies_by_how_often_they_were_seen(reranker: Reranker) -> None:
    logs = np.log1p(COUNTS)
    among = {"catalogue": logs / logs.max(), "candidates": (logs - logs[2:].min()) / np.ptp(logs[2:])}
    for weight in (-1.0, -0.3, 0.4, 1.0):
        for name, shares in among.items():
            values = (SCORES[2:] - 1) / 6 + weight * shares[2:]
            expected = (np.argsort(-values, kind="stable") + 2)[:3].tolist()
            assert _choose(reranker, Reranking(popularity=weight, popularity_among=name)) == expected


def test_the_end_of_a_slider_changes_the_head_of_the_list_where_all_are_well_known() -> None:
    counts = np.array([0, 5000, 5400, 5200, 5000, 4900, 4800, 5100, 5300])
    reranker = Reranker(CATALOGUE, counts, DIRECTIONS)
    head = _choose(reranker, AS_SCORED)
    assert _choose(reranker, Reranking(popularity=-1.0, popularity_among="catalogue")) == head
    assert _choose(reranker, Reranking(popularity=-1.0))[0] != head[0]


def test_novelty_brings_what_lies_far_from_the_history(reranker: Reranker) -> None:
    # Movies 4 and 7 lie where the person is; all others are at right angles.
    assert not {4, 7} & set(_choose(reranker, Reranking(novelty=1.0), k=5))
    assert reranker.novelty_of(np.array([4, 7]), [1]) == 0
    assert reranker.novelty_of(np.array([2, 3]), [1]) == 1


def test_calibration_is_the_greedy_choice_of_a_slow_reference(reranker: Reranker) -> None:
    def divergence(listed: list[int]) -> float:
        wanted = {"Comedy": 0.5, "Drama": 0.5}
        have = dict.fromkeys(wanted, 0.0)
        for code in listed:
            for genre in GENRES[code - 1]:
                if genre in have:
                    have[genre] += 1 / len(GENRES[code - 1]) / len(listed)
        return sum(w * np.log(w / (0.99 * have[g] + 0.01 * w)) for g, w in wanted.items())

    values = {code: (SCORES[code] - 1) / 6 for code in range(2, 9)}
    for weight in (0.2, 0.6, 1.0):
        listed: list[int] = []
        for _ in range(4):
            left = [code for code in values if code not in listed]
            listed.append(
                max(
                    left,
                    key=lambda c: (
                        (1 - weight) * np.mean([values[i] for i in [*listed, c]])
                        - weight * divergence([*listed, c])
                    ),
                )
            )
        found = reranker.choose(SCORES, 4, Reranking(calibration=weight), codes=[1, 2], ratings=[3.0, 3.0])
        assert found.tolist() == listed


def test_more_calibration_brings_the_list_nearer_to_the_person(reranker: Reranker) -> None:
    wanted = reranker.genre_shares([5, 1], [5.0, 1.0])
    far, near = (
        reranker.miscalibration(
            reranker.choose(SCORES, 4, Reranking(calibration=w), codes=[5, 1], ratings=[5.0, 1.0]), wanted
        )
        for w in (0.0, 0.9)
    )
    assert near < far
    assert wanted.sum() == pytest.approx(1)
    assert wanted.max() == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    "wrong", [{"popularity": 1.5}, {"novelty": -0.1}, {"calibration": 2.0}, {"n_candidates": 0}]
)
def test_weights_outside_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(wrong))} is .*; it goes from"):
        Reranking(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError):
        Reranking(popularity=float("nan"))


def test_what_is_not_known_is_refused() -> None:
    bare = Reranker(CATALOGUE, None, None)
    with pytest.raises(UserError, match="how often movies were seen"):
        _choose(bare, Reranking(popularity=0.1))
    with pytest.raises(UserError, match="no embeddings"):
        _choose(bare, Reranking(novelty=0.1))
    assert len(_choose(bare, Reranking(calibration=0.5))) == 3


def test_the_best_are_those_of_a_full_sort() -> None:
    rng = np.random.default_rng(0)
    for n, k in itertools.product((1, 5, 40), (1, 3, 50)):
        scores = rng.integers(0, 6, size=n).astype(float)
        scores[rng.random(n) < 0.3] = -np.inf
        order = np.argsort(-scores, kind="stable")[:k]
        assert best_codes(scores, k).tolist() == [c for c in order if np.isfinite(scores[c])]


def test_a_bundle_knows_popularity_and_people(tmp_path) -> None:
    n_items = make_catalogue().n_items
    facts = MovieFacts(
        counts=np.arange(n_items + 1), people=tuple((f"Ann {i % 5}", "Bo Bee") for i in range(n_items))
    )
    out = export_bundle(make_parts(facts=facts), tmp_path / "b")
    recommender = Recommender.load(out)
    assert recommender.bundle.facts.people == facts.people
    plain = recommender.recommend(["Toy Story"], k=10)
    known = recommender.recommend(["Toy Story"], k=10, rerank=Reranking(popularity=1.0, n_candidates=30))
    assert sum(r.code for r in known) > sum(r.code for r in plain)
    ann = recommender.recommend(["Toy Story"], k=30, filters=Filters(people=("ann 1",)))
    assert {r.code % 5 for r in ann} == {2}
    with pytest.raises(UserError, match="did you mean 'Ann 1'"):
        recommender.recommend(["Toy Story"], filters=Filters(people=("Anne 1",)))


def test_people_of_a_bundle_without_any_are_refused(bundle_dir) -> None:
    with pytest.raises(UserError, match="does not know who made"):
        Recommender.load(bundle_dir).recommend(["Toy Story"], filters=Filters(people=("Ann",)))


@pytest.mark.parametrize("k", [1, 3, 40, 99])
def test_many_rows_at_once_are_each_row_alone(k: int) -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, size=(50, 41)).astype(float)  # ties everywhere
    scores[rng.random(scores.shape) < 0.4] = -np.inf
    scores[7] = -np.inf  # nothing may be listed
    for row, best in zip(scores, best_codes_of_each(scores, k), strict=True):
        assert best.tolist() == best_codes(row, k).tolist()
