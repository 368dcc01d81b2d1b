"""Tables of the movies: genres, years, people, text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.features.movies import KNOTS, credit_codes, genre_names, genre_table, year_table
from reeltune.data.features.text import movie_texts, sentence_vectors, stems_of, tfidf_vectors
from reeltune.data.prepare.side import Details, Tags
from reeltune.data.prepared import Catalogue, Sequences
from reeltune.data.texts import Texts
from reeltune.errors import ConfigError


def catalogue(years=(1994, 0, 2031), genres=(("Drama", "War"), (), ("Comedy",)), titles=None):
    n_items = len(years)
    ids = tuple(map(str, range(1, n_items + 1)))
    return Catalogue(ids, titles or ids, tuple(years), tuple(genres))


def sequences(items, reviews=None):
    return Sequences(
        items=np.array(items, dtype=np.int32),
        ratings=np.full(len(items), 3.0, dtype=np.float32),
        timestamps=np.arange(len(items)),
        offsets=np.array([0, len(items)]),
        reviews=None if reviews is None else Texts.of(reviews),
    )


def test_genres_are_multi_hot():
    assert genre_names(catalogue()) == ("Comedy", "Drama", "War")
    assert genre_table(catalogue()).tolist() == [[0, 0, 0], [0, 1, 1], [0, 0, 0], [1, 0, 0]]


@given(st.integers(min_value=1888, max_value=2100))
def test_a_year_lies_between_its_decades(year):
    row = year_table(catalogue((year,), ((),)))[1]
    assert row.sum() == pytest.approx(1)
    assert row @ KNOTS == pytest.approx(np.clip(year, 1920, 2040), abs=1e-3)


def test_an_unknown_year_is_a_row_of_zeros():
    table = year_table(catalogue())
    assert table.shape == (4, len(KNOTS))
    assert not table[[0, 2]].any()


def test_people_of_few_movies_are_cut():
    directors = [("Ann",), ("Ann", "Bob"), ()]
    actors = [("Cy", "Cy"), ("Ann", "Cy"), ("Cy",)]
    known = credit_codes(sequences([1, 2, 3]), directors, actors, min_movies=2)
    assert known.names == ("actor: Cy", "director: Ann")
    assert known.codes.tolist() == [[0, 0], [2, 1], [2, 1], [1, 0]]
    assert credit_codes(sequences([1]), directors, actors, min_movies=2).names == ()


def test_only_movies_of_training_events_make_people_known():
    directors = [("Ann",), ("Ann",), ()]
    known = credit_codes(sequences([2, 2, 3]), directors, (), min_movies=1)
    assert known.names == ("director: Ann",)
    assert credit_codes(sequences([2, 2, 3]), directors, (), min_movies=2).names == ()


def test_movies_without_any_people():
    assert credit_codes(sequences([1]), (), (), min_movies=1).names == ()


def test_the_most_known_people_of_a_long_cast_stay():
    casts = [tuple(f"P{i:02}" for i in range(40)), ("P39", "P38")]
    known = credit_codes(sequences([1, 2]), (), casts, min_movies=1)
    names = [known.names[code - 1] for code in known.codes[1]]
    assert len(names) == 16
    assert {"actor: P38", "actor: P39"} <= set(names)


def test_texts_of_a_movie():
    train = sequences([1, 3, 1], reviews=["Gripping.", "", "Too long."])
    tags = Tags(np.array([0]), np.array([3]), np.array([5]), Texts.of(["dystopia"]))
    titles = ("Heat (1995)", "Se7en (1995)", "Brazil")
    texts = movie_texts(catalogue(titles=titles), train, Details(plots=("A heist.", "", "")), tags)
    assert texts == ["Heat \nA heist.\nGripping.\nToo long.", "Se7en \n", "Brazil\n\ndystopia"]


def test_words_are_stemmed_and_stop_words_left_out():
    assert stems_of(["The Running of the 12 runners, and éclairs!"]) == [["run", "runner", "éclair"]]


def test_movies_of_like_words_are_near():
    texts = ["robots in space", "a robot from space", "love in paris", "paris, my love", "zzz"]
    vectors = tfidf_vectors(texts, 2)
    assert vectors.shape == (5, 2)
    assert vectors[0] @ vectors[1] > 10 * abs(vectors[0] @ vectors[2])
    assert not vectors[4].any()
    np.testing.assert_array_equal(vectors, tfidf_vectors(texts, 2))


def test_texts_without_a_common_word_give_nothing():
    assert tfidf_vectors(["one", "two"], 8).shape == (2, 0)


def test_sentence_embeddings_need_their_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match="pip install sentence-transformers"):
        sentence_vectors(["a"], 2, "any")
