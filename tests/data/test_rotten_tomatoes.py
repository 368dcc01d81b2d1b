import gzip
import math

import pytest

from reeltune.data.readers.rotten_tomatoes import read_rotten_tomatoes, stars_of
from reeltune.data.sources.source import FileSet
from reeltune.errors import DataError

HEADER = "id\treview\trating\tfresh\tcritic\ttop_critic\tpublisher\tdate\n"
ROWS = (
    '3\t"Says ""no"" to café"\t3/5\tfresh\t Ann \t0\tX\tNovember 10, 2018\n'
    "3\tDull.\tC+\trotten\tBob\t0\tX\tMay 23, 1961\n"
    "5\t\t\tfresh\tBob\t1\tX\tJanuary 1, 1800\n"
    "5\tNobody wrote this\t8\tfresh\t\t0\tX\tMay 1, 2000\n"
    "5\tBare number\t8\tfresh\tCy\t0\tX\tJanuary 2, 1970\n"
)
MOVIES = "id\tsynopsis\trating\tgenre\tdirector\twriter\ttheater_date\n"
MOVIES += "3\tA plot\tR\tDrama|War\tD. One|\tW\tOct 9, 1971\n"


def write(folder, reviews, movies=None):
    (folder / "rt.reviews.tsv.gz").write_bytes(gzip.compress(reviews.encode("latin-1")))
    if movies is not None:
        (folder / "rt.movie_info.tsv.gz").write_bytes(gzip.compress(movies.encode("latin-1")))
    return FileSet(folder)


def test_reviews_and_movies(tmp_path):
    raw = read_rotten_tomatoes(write(tmp_path, HEADER + ROWS, MOVIES))
    rows = raw.interactions
    assert rows.user.tolist() == ["Ann", "Bob", "Bob", "Cy"]
    assert rows.item.tolist() == ["3", "3", "5", "5"]
    assert rows.rating[:2].tolist() == [3, 2.5]
    assert [math.isnan(x) for x in rows.rating] == [False, False, True, True]
    assert rows.timestamp.tolist() == [1_541_808_000, -1, -1, 86_400]
    assert rows.rank[2] < rows.rank[1] < 0 < rows.rank[3] < rows.rank[0]
    assert rows.review[0] == 'Says "no" to café'
    assert rows.label.tolist() == [1, 0, 1, 1]
    movies = raw.movies
    assert (movies.titles, movies.years, movies.genres) == (("3",), (1971,), (("Drama", "War"),))
    assert (movies.directors, movies.plots) == ((("D. One",),), ("A plot",))
    assert raw.notes == (
        "1 rows without a critic left out",
        "1 rows without a score, 1 with a score of unknown scale: their rating is unknown",
        "1 rows of an unknown day (1800), 1 of a day before 1970: no timestamp, ordered before all others",
    )


@pytest.mark.parametrize(
    ("score", "stars"),
    [
        ("3/5", 3), ("2.5/4", 3.125), (" 10 / 10 ", 5), (".5/5", 0.5), ("0/4", 0.5), ("A+", 5), ("F", 0.5),
        ("c+", 2.5), ("85%", 4.25), ("0%", 0.5), ("100 %", 5),
    ],
)  # fmt: skip
def test_scores_of_a_known_scale(score, stars):
    assert stars_of(score) == pytest.approx(stars)


@pytest.mark.parametrize(
    "score", ["", "8", "2.1/2", "5/4", "3/0", "120%", "3 1/2", "F+", "T", "-1/5", "1/5/5"]
)
def test_scores_of_an_unknown_scale(score):
    assert math.isnan(stars_of(score))


def test_better_scores_have_more_stars():
    for scale in (["F", "D", "C-", "C", "C+", "B", "A-", "A", "A+"], [f"{i}/10" for i in range(1, 11)]):
        stars = [stars_of(score) for score in scale]
        assert stars == sorted(set(stars))


@pytest.mark.parametrize(
    ("reviews", "message"),
    [
        ("id\treview\n", r"rt.reviews.tsv.gz:1: there is no column 'rating'; the header is 'id.*review'"),
        (HEADER, "there is no interaction"),
        (HEADER + ROWS + "5\tx\n", r"rt.reviews.tsv.gz:7: 2 fields in '5.*x'; 8 parted by"),
        (HEADER + "5\tx\t\tripe\tBob\t0\tX\tMay 1, 2000\n", r":2: fresh is 'ripe'; it must be fresh, rotten"),
        (
            HEADER + "5\tx\t\tfresh\tBob\t0\tX\t2000-05-01\n",
            r":2: the date is '2000-05-01'; it must be a day",
        ),
        (HEADER + "\tx\t\tfresh\tBob\t0\tX\tMay 1, 2000\n", r":2: id is empty; an id is needed"),
        (HEADER + "5\t" + "x" * (1 << 20) + "x\t\tfresh\tBob\t0\tX\tMay 1, 2000\n", r":2: field larger than"),
    ],
)
def test_a_fault_names_file_and_line(tmp_path, reviews, message):
    with pytest.raises(DataError, match=message):
        read_rotten_tomatoes(write(tmp_path, reviews))


def test_faults_in_the_movies_are_named(tmp_path):
    with pytest.raises(DataError, match=r"rt.movie_info.tsv.gz:1: there is no column 'synopsis'"):
        read_rotten_tomatoes(write(tmp_path, HEADER + ROWS, "id\tgenre\n"))
    with pytest.raises(DataError, match=r"rt.movie_info.tsv.gz:3: 2 fields in .*; 7 parted by"):
        read_rotten_tomatoes(write(tmp_path, HEADER + ROWS, MOVIES + "4\tx\n"))
