from __future__ import annotations

from pathlib import Path

import pytest

from reeltune.errors import DataError
from reeltune.serving.ratings_file import read_ratings

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
