from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from reeltune.data.batch import Histories
from reeltune.data.prepared import Catalogue
from reeltune.errors import UserError
from reeltune.serving.bundle.bundle import export_bundle
from reeltune.serving.recommend.filters import Filters
from reeltune.serving.recommend.recommender import Recommendation, Recommender
from serving_parts import make_catalogue, make_parts


@pytest.fixture(name="recommender")
def _recommender(bundle_dir: Path) -> Recommender:
    return Recommender.load(bundle_dir)


def test_lists_the_best_unseen_movies_in_order(recommender: Recommender) -> None:
    found = recommender.recommend(["Toy Story", "the godfather"], k=5)
    scores = recommender.bundle.network.scores(Histories(torch.tensor([[1, 2]]), torch.tensor([2])))[0]
    scores[:3] = -math.inf
    best = scores.topk(5)
    assert [r.item_id for r in found] == [str(500 + int(code) - 1) for code in best.indices]
    assert [r.score for r in found] == pytest.approx(best.values.tolist(), abs=1e-5)
    assert [r.rank for r in found] == [1, 2, 3, 4, 5]
    assert json.loads(json.dumps(found[0].plain()))["title"] == found[0].title


def test_seen_and_excluded_movies_never_come_back(recommender: Recommender) -> None:
    titles = recommender.catalogue.titles
    found = recommender.recommend(titles[:4], k=1000, exclude=[titles[9], "id:512"])
    left = {r.title for r in found}
    assert len(found) == recommender.catalogue.n_items - 6
    assert left.isdisjoint({*titles[:4], titles[9], titles[12]})


def test_a_bound_on_the_year_needs_years() -> None:
    catalogue = Catalogue(("1",), ("Heat",), (0,), ((),))
    with pytest.raises(UserError, match="movies of this bundle have no years"):
        Filters(first_year=1990).allowed(catalogue)


def test_order_matters_and_repetitions_do_not(recommender: Recommender) -> None:
    ab = recommender.recommend(["Toy Story", "The Godfather"], k=3)
    ba = recommender.recommend(["The Godfather", "Toy Story"], k=3)
    assert [r.score for r in ab] != [r.score for r in ba]
    assert recommender.recommend(["Toy Story", "The Godfather", "toy story"], k=3) == ab


def test_the_whole_catalogue_seen_leaves_nothing(recommender: Recommender) -> None:
    assert recommender.recommend(recommender.catalogue.titles) == []


def test_all_problems_are_told_at_once(recommender: Recommender) -> None:
    with pytest.raises(UserError) as caught:
        recommender.recommend(["Toy Stori", ("The Godfather", 7.0), "Toy Story", "Qqqq"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "'Toy Story (1960)'" in lines[0]
    assert "7; ratings go from 0.5 to 5" in lines[1]
    assert "nothing comes near" in lines[2]


@pytest.mark.parametrize("stars", [0.0, -1.0, 5.5, math.nan, math.inf])
def test_ratings_outside_the_scale_are_refused(recommender: Recommender, stars: float) -> None:
    with pytest.raises(UserError, match="ratings go from"):
        recommender.recommend([("Toy Story", stars)])


def test_an_empty_history_and_no_lines_are_refused(recommender: Recommender) -> None:
    with pytest.raises(UserError, match="no movie was given"):
        recommender.recommend([])
    with pytest.raises(UserError, match="at least 1"):
        recommender.recommend(["Toy Story"], k=0)


def test_entries_with_one_title_are_one_movie(bundle_dir: Path) -> None:
    base = make_catalogue()
    titles = (*base.titles[:-1], base.titles[0])
    years = (*base.years[:-1], base.years[0])
    twin = Catalogue(base.item_ids, titles, years, base.genres)
    out = export_bundle(make_parts(catalogue=twin), bundle_dir.parent / "twins")
    found = Recommender.load(out).recommend(["Toy Story"], k=100)
    assert len(found) == 28
    assert all(not r.title.startswith("Toy Story") for r in found)


def test_filters_leave_only_what_they_say(recommender: Recommender) -> None:
    def listed(filters: Filters) -> list[Recommendation]:
        return recommender.recommend(["Toy Story"], k=100, filters=filters)

    assert {g for r in listed(Filters(genres=("comedy",))) for g in r.genres} == {"Comedy"}
    assert all("War" not in r.genres for r in listed(Filters(without_genres=("War",))))
    assert {r.year for r in listed(Filters(first_year=1970, last_year=1974))} == {1970, 1972, 1974}
    assert [r.rank for r in listed(Filters(genres=("War",)))] == list(range(1, 10))


@pytest.mark.parametrize(
    ("filters", "match"),
    [
        (Filters(genres=("Comdy",)), "unknown genre 'Comdy': did you mean 'Comedy'"),
        (Filters(without_genres=("x",)), "unknown genre"),
        (Filters(first_year=2000, last_year=1990), "from 2000 to 1990; swap"),
    ],
)
def test_filters_that_make_no_sense_are_refused(
    recommender: Recommender, filters: Filters, match: str
) -> None:
    with pytest.raises(UserError, match=match):
        recommender.recommend(["Toy Story"], filters=filters)


def test_a_line_is_explained_by_a_movie_of_the_history(recommender: Recommender) -> None:
    seen = list(recommender.catalogue.titles[:4])
    plain = recommender.recommend(seen, k=8)
    explained = recommender.recommend(seen, k=8, is_explained=True)
    assert [r.title for r in explained] == [r.title for r in plain]
    assert {r.because for r in explained} <= {*seen, ""}
    assert any(r.because for r in explained)
    assert {r.because for r in recommender.recommend(seen[:1], is_explained=True)} == {seen[0]}


def test_a_file_is_parted_into_known_and_unknown_titles(recommender: Recommender, tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("title,rating\nToy Story,\nNonesuch,3\nGodfather,4\n")
    assert recommender.read(tmp_path / "ratings.csv") == (["Toy Story", ("Godfather", 4.0)], ["Nonesuch"])


def test_similar_movies_have_the_nearest_embeddings(recommender: Recommender) -> None:
    vectors = recommender.bundle.network.item_vectors()[1:].detach()
    cosines = torch.nn.functional.cosine_similarity(vectors, vectors[:1])
    cosines[0] = -math.inf
    best = cosines.topk(4)
    found = recommender.similar("toy story", k=4)
    assert [r.code for r in found] == [int(i) + 1 for i in best.indices]
    assert [r.score for r in found] == pytest.approx(best.values.tolist(), abs=1e-6)
    dramas = recommender.similar("id:500", k=30, filters=Filters(genres=("Drama",)))
    assert {r.genres for r in dramas} == {("Drama", "War")}
    with pytest.raises(UserError, match="at least 1"):
        recommender.similar("Toy Story", k=0)
    with pytest.raises(UserError, match="did you mean"):
        recommender.similar("Toy Stori")
