from __future__ import annotations

from pathlib import Path

import pytest

from reeltune.data.readers.exports import read_ratings
from reeltune.errors import DataError

LETTERBOXD = """Date,Name,Year,Letterboxd URI,Rating
2024-03-02,Fargo,1996,https://example.org/a,4.5
2024-03-01,"Godfather, The",1972,https://example.org/b,
"""
IMDB = """Const,Your Rating,Date Rated,Title,URL,Title Type,IMDb Rating,Year
tt1,9,2021-01-02,Fargo,u,Movie,8.1,1996
tt2,4,2021-01-01,Toy Story,u,Movie,8.3,1995
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LETTERBOXD, ["Godfather, The (1972)", ("Fargo (1996)", 4.5)]),
        (IMDB, [("Toy Story (1995)", 2.0), ("Fargo (1996)", 4.5)]),
        ("title\nFargo\n\nToy Story (1995)\n", ["Fargo", "Toy Story (1995)"]),
        ("\ufefftitle,rating\nFargo,3\n", [("Fargo", 3.0)]),
    ],
)
def test_each_form_is_read_oldest_first(tmp_path: Path, text: str, expected: list[object]) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(text, encoding="utf-8")
    assert read_ratings(path) == expected


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"movie,stars\nx,1\n", "no column of titles"),
        (b"", "no column of titles"),
        (b"title,rating\nFargo,good\n", r"ratings.csv:2: the rating of 'Fargo' is 'good'"),
        (b"\xff\xfe\x00", "cannot read"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "ratings.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=match) as caught:
        read_ratings(path)
    assert "\n" not in str(caught.value)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_ratings(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (LETTERBOXD.replace("2024-03-02", "yesterday"), r"csv:2: the Date 'yesterday' is no date; write it"),
        (IMDB.replace("2021-01-01", "13/01/2021"), r"csv:3: the Date Rated '13/01/2021' is no date"),
        ("title,date\nFargo,1996-02-30\n", "'1996-02-30' is no date"),
        ("title,rating,date\nFargo,4,2024\n\nToy Story,6,2020\n", r"csv:4: .*'Toy Story' is 6; it goes"),
        (IMDB.replace(",9,", ",11,"), r"csv:2: .*'Fargo' is 11; it goes from 1 to 10"),
        ("title,rating\nFargo,nan\n", "is nan; it goes from 0.5 to 5"),
        ('title\n"Fargo\n', "cannot read"),
    ],
)
def test_dates_and_ratings_that_cannot_be_used_are_named_by_line(
    tmp_path: Path, text: str, match: str
) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=match):
        read_ratings(path)


def test_the_day_of_watching_goes_before_that_of_logging(tmp_path: Path) -> None:
    path = tmp_path / "diary.csv"
    path.write_text(
        "Date,Name,Year,Rating,Watched Date\n"
        "2024-01-01,Late,,,2024-06-01\n2024-03-01,Middle,,,\n2024-04-01,Early,,,2023-01-01\n,Undated,,,\n"
    )
    assert read_ratings(path) == ["Undated", "Early", "Middle", "Late"]


@pytest.mark.parametrize("dates", [("1700000000", "900000000"), ("2024-03-01T10:00:00Z", "2024-03-01 09:00")])
def test_seconds_and_times_are_dates_too(tmp_path: Path, dates: tuple[str, str]) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(f"title,date\nLate,{dates[0]}\nEarly,{dates[1]}\n")
    assert read_ratings(path) == ["Early", "Late"]
