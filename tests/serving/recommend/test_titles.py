from __future__ import annotations

import contextlib
import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.errors import UserError
from reeltune.serving.recommend.titles import TitleIndex, normalise_title

TITLES = [
    "Toy Story (1995)",
    "Godfather, The (1972)",
    "Godfather: Part II, The (1974)",
    "Sabrina (1995)",
    "Sabrina (1954)",
    "Chasing Amy (1997)",
    "Chasing Amy (1997)",
    "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
    "Seven (Se7en) (1995)",
    "Léon: The Professional (a.k.a. The Professional) (Léon) (1994)",
    "Professional, The (1981)",
    "1984 (1984)",
    "unknown",
    "Schindler's List (1993)",
    "Land Before Time III: The Time of the Great Giving (1995) (V)",
    "M (1931)",
    "Die Hard (1988)",
    "Avventura, L' (a.k.a. Adventure, The) (1960)",
]
YEARS = [
    1995,
    1972,
    1974,
    1995,
    1954,
    1997,
    1997,
    1995,
    1995,
    1994,
    1981,
    1984,
    0,
    1993,
    1995,
    1931,
    1988,
    1960,
]


@pytest.fixture(scope="module")
def index() -> TitleIndex:
    return TitleIndex([str(100 + i) for i in range(len(TITLES))], TITLES, YEARS)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Toy Story (1995)", 1),
        ("toy story", 1),
        ("  TOY   story ", 1),
        ("The Godfather", 2),
        ("godfather", 2),
        ("The Godfather (1972)", 2),
        ("Godfather part II", 3),
        ("Sabrina (1954)", 5),
        ("Chasing Amy (1997)", 6),
        ("la cite des enfants perdus", 8),
        ("The City of Lost Children", 8),
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)", 8),
        ("se7en", 9),
        ("Leon", 10),
        ("The Professional", 11),
        ("1984", 12),
        ("unknown", 13),
        ("schindlers list", 14),
        ("Schindler\u2019s List", 14),
        ("Land Before Time III: The Time of the Great Giving", 15),
        ("m", 16),
        ("Die Hard", 17),
        ("l'avventura", 18),
        ("Avventura", 18),
        ("id:104", 5),
    ],
)
def test_finds_what_people_write(index: TitleIndex, text: str, code: int) -> None:
    assert index.find(text) == code


def test_every_catalogue_title_finds_its_own_movie(index: TitleIndex) -> None:
    for code, title in enumerate(TITLES, start=1):
        assert code in index.twins(index.find(title))


def test_twins_are_entries_with_one_title(index: TitleIndex) -> None:
    assert index.twins(6) == [6, 7]
    assert index.twins(4) == [4]


def test_an_ambiguous_title_lists_its_movies(index: TitleIndex) -> None:
    with pytest.raises(UserError, match=r"'Sabrina' is the title of 2 movies: .*1995.*1954.*; add the year"):
        index.find("Sabrina")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Toy Stroy", "Toy Story (1995)"),
        ("Toy Story (1996)", "Toy Story (1995)"),
        ("Shindlers Lst", "Schindler's List (1993)"),
        ("lost children", "City of Lost Children, The"),
        ("godfater", "Godfather, The (1972)"),
    ],
)
def test_a_near_miss_is_answered_with_suggestions(index: TitleIndex, text: str, near: str) -> None:
    with pytest.raises(UserError) as caught:
        index.find(text)
    assert near in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "   ", "!!!", "zzzzqqqq xxkk", "id:9999", "(1995)"])
def test_nonsense_is_refused_without_suggestions(index: TitleIndex, text: str) -> None:
    with pytest.raises(UserError):
        index.find(text)


def test_search_finds_all_words(index: TitleIndex) -> None:
    assert index.search("godfather") == [2, 3]
    assert index.search("godfather part") == [3]
    assert index.search("") == []


@given(st.text(max_size=60))
def test_any_text_is_found_or_refused(text: str) -> None:
    small = TitleIndex(["1", "2"], ["Toy Story (1995)", "M (1931)"], [1995, 1931])
    with contextlib.suppress(UserError):
        assert small.find(text) in (1, 2)


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise_title(text)
    assert normalise_title(once) == once


def test_every_title_of_a_real_catalogue_is_found(shared_data: Path) -> None:
    with zipfile.ZipFile(shared_data / "ml-latest-small" / "ml-latest-small.zip") as archive:
        text = archive.read("ml-latest-small/movies.csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    titles = [row["title"] for row in rows]
    years = [int(m[1]) if (m := re.search(r"\((\d{4})\)\s*$", t)) else 0 for t in titles]
    index = TitleIndex([row["movieId"] for row in rows], titles, years)
    missed = []
    for title in titles:
        try:
            found = titles[index.find(title) - 1]
        except UserError as error:
            found = str(error)
        if found.strip() != title.strip():
            missed.append((title, found))
    assert not missed


def test_a_search_ranks_the_start_of_a_title_then_of_a_word_first() -> None:
    titles = ("Bastard Out of Carolina (1996)", "Star Trek (1979)", "Dark Star (1974)", "Custard (1990)")
    index = TitleIndex(tuple("abcd"), titles, (1996, 1979, 1974, 1990))
    assert index.search("star") == [2, 3, 4, 1]
    assert index.search("out car") == [1]
