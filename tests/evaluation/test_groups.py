from __future__ import annotations

import json

import numpy as np
import pytest

from reeltune.data.interactions import Users
from reeltune.evaluation import compare
from reeltune.evaluation.analyses.groups import Grouping, group_report, query_groupings, user_groupings
from reeltune.evaluation.analyses.lists import measure_lists, users_of_items
from reeltune.metrics.evaluate import top_lists
from reeltune.models.baselines.fit import fit_baseline


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "N_BOOTSTRAP", 500)


def _hits(rng: np.random.Generator, codes: np.ndarray, rates: list[float]) -> np.ndarray:
    return (rng.random(len(codes)) < np.array(rates)[codes]).astype(float)


def test_a_gap_is_found_where_there_is_one_and_only_there() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, size=1000)
    grouping = Grouping("gender", ("F", "M"), codes)
    found = group_report(_hits(rng, codes, [0.1, 0.25]), np.arange(1000), grouping, metric="hr@10")
    first, second = found.groups
    assert first.gap is not None
    assert second.gap is not None
    assert first.gap.value == pytest.approx(-second.gap.value)
    assert first.gap.low < first.gap.value < first.gap.high < 0
    assert "F -0.1" in found.verdict()
    assert found.widest == pytest.approx(second.gap.value)
    same = group_report(_hits(rng, codes, [0.2, 0.2]), np.arange(1000), grouping, metric="hr@10")
    assert "no gap that chance would not explain" in same.verdict()
    json.dumps(found.plain(), allow_nan=False)


def test_small_groups_get_no_figure() -> None:
    codes = np.array([0] * 40 + [1] * 29 + [-1] * 5)
    users = np.arange(len(codes))
    found = group_report(np.ones(len(codes)), users, Grouping("age", ("a", "b"), codes), metric="hr@10")
    assert [(g.is_enough, g.n_users) for g in found.groups] == [(True, 40), (False, 29)]
    assert found.groups[0].gap is None
    assert found.n_unknown == 5
    assert "cannot be said" in found.verdict()


def test_people_count_once_however_many_queries_they_have() -> None:
    codes, users = np.zeros(60, dtype=int), np.arange(60) // 3
    assert not group_report(np.ones(60), users, Grouping("x", ("a",), codes), metric="m").groups[0].is_enough


def test_unknown_figures_are_left_out() -> None:
    values = np.where(np.arange(80) < 40, np.nan, 0.5)
    grouping = Grouping("x", ("a", "b"), np.arange(80) // 40)
    found = group_report(values, np.arange(80), grouping, metric="m")
    assert [g.n_users for g in found.groups] == [0, 40]


def test_groupings_follow_what_is_known_of_people(tiny_data) -> None:
    queries = tiny_data.validation
    n = queries.sequences.n_users
    ages = tuple((10, 18, 24, 25, 56, -1)[i % 6] for i in range(n))
    users = Users(ids=tuple(map(str, range(n))), ages=ages, genders=("F", "M", "") * (n // 3))
    counts = users_of_items(queries, tiny_data.n_items)
    found = {g.name: g for g in user_groupings(queries, users, counts)}
    assert list(found) == ["gender", "age", "activity", "mainstreamness"]
    labels = found["age"].labels
    assert [labels[c] if c >= 0 else "" for c in found["age"].codes[np.argsort(queries.user)][:6]] == [
        "under 18", "18 to 24", "18 to 24", "25 to 34", "56 and over", ""
    ]  # fmt: skip
    assert set(found["gender"].codes) == {0, 1, -1}
    lengths = queries.end - queries.sequences.offsets[queries.user]
    means = [lengths[found["activity"].codes == c].mean() for c in range(3)]
    assert means == sorted(means)
    assert np.bincount(found["mainstreamness"].codes).min() > n / 5


def test_rare_movies_and_cold_people_are_apart(tiny_data) -> None:
    queries = tiny_data.validation
    counts = users_of_items(queries, tiny_data.n_items)
    cold, rare = query_groupings(queries, counts)
    lengths = queries.end - queries.sequences.offsets[queries.user]
    assert np.array_equal(cold.codes == 0, lengths < 20)
    means = [counts[queries.target[rare.codes == c]].mean() for c in np.unique(rare.codes)]
    assert means == sorted(means, reverse=True)
    listed = {c: counts[queries.target[rare.codes == c]] for c in np.unique(rare.codes)}
    assert listed[0].min() >= listed[max(listed)].max()


def test_popular_lists_are_popular_and_surprise_nobody(tiny_data) -> None:
    queries = tiny_data.validation
    counts = users_of_items(queries, tiny_data.n_items)
    lists = {
        name: top_lists(fit_baseline(name, queries.known(), tiny_data.n_items), queries, 5)
        for name in ("popularity", "windowed-markov")
    }
    figures = {
        name: measure_lists(of, lists["popularity"], queries, tiny_data.catalogue, counts).figures(
            queries.user
        )
        for name, of in lists.items()
    }
    popular, markov = figures["popularity"], figures["windowed-markov"]
    assert popular["serendipity"].value == 0.0
    assert markov["serendipity"].value > 0.0
    assert popular["popularity lift"].value > markov["popularity lift"].value
    assert popular["novelty"].value < markov["novelty"].value
    assert popular["coverage"].value < markov["coverage"].value
    assert popular["gini"].value > markov["gini"].value
