"""Exports of services and plain tables: recognised by the whole header, or refused in one line."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reeltune.data.readers.exports import read_export, read_export_file
from reeltune.data.scale import RatingScale
from reeltune.errors import DataError

STARS = RatingScale()
TEN = RatingScale(lowest=1, highest=10, step=1)
LETTERBOXD = """Date,Name,Year,Letterboxd URI,Rating
2024-03-02,Fargo,1996,https://example.org/a,4.5
2024-03-01,"Godfather, The",1972,https://example.org/b,
"""
IMDB = """Const,Your Rating,Date Rated,Title,URL,Title Type,IMDb Rating,Year
tt1,9,2021-01-02,Fargo,u,Movie,8.1,1996
tt2,4,2021-01-01,Toy Story,u,Movie,8.3,1995
"""
OLD_IMDB = """"position","const","created","modified","description","Title","Title type","You rated","Year"
"1","tt1","Mon Mar  4 00:00:00 2013","","","Fargo","Feature Film","2","1996"
"2","tt2","Sun Mar  3 00:00:00 2013","","","Toy Story","Feature Film","10","1995"
"""
NETFLIX = """Profile Name,Start Time,Duration,Title,Supplemental Video Type,Country
Ann,2024-03-02 20:00:00,01:30:00,Fargo,,NL
Ann,2024-03-01 20:00:00,00:01:00,Heat: Trailer,TRAILER,NL
Ann,2024-02-01 20:00:00,00:50:00,Fargo: Season 1: The Rooster Prince,,NL
Ann,2024-01-01 20:00:00,01:30:00,Toy Story,,NL
"""


def read(text: str, scale: RatingScale = STARS):
    return read_export(text.encode(), "ratings.csv", scale)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LETTERBOXD, ["Godfather, The (1972)", ("Fargo (1996)", 4.5)]),
        (IMDB, [("Toy Story (1995)", 2.0), ("Fargo (1996)", 4.5)]),
        (OLD_IMDB, [("Toy Story (1995)", 5.0), ("Fargo (1996)", 1.0)]),
        (
            "Title,Year,Directors,Rating,WatchedDate\nFargo,1996,J,1,2021-05-03\nHeat,1995,M,4.5,2020-01-09\n",
            [("Heat (1995)", 4.5), ("Fargo (1996)", 1.0)],
        ),
        (
            "Title,Year,Rating10,WatchedDate\nFargo,1996,9,2021-05-03\nHeat,1995,2,2020-02-01\n",
            [("Heat (1995)", 1.0), ("Fargo (1996)", 4.5)],
        ),
        (NETFLIX, ["Toy Story", "Fargo"]),
        ('Title,Date\n"Fargo","3/14/24"\n"Heat","3/2/24"\n', ["Heat", "Fargo"]),
        ('Title,Date\n"Fargo","14.3.24"\n"Heat","2.3.24"\n', ["Heat", "Fargo"]),
        ('Title,Date\n"Fargo","2/5/24"\n"Heat","1/6/24"\n"Casino","1/3/24"\n', ["Casino", "Heat", "Fargo"]),
        ("title\nFargo\n\nToy Story (1995)\n", ["Fargo", "Toy Story (1995)"]),
        ("\ufefftitle,rating\nFargo,3\n", [("Fargo", 3.0)]),
        (" Movie ; Release Year; RATING\nFargo;1996;3\n", [("Fargo (1996)", 3.0)]),
        ("Title,Year\nFargo (1996),1996\n", ["Fargo (1996)"]),
        ("title,date\nLate,1700000000\nEarly,900000000\n", ["Early", "Late"]),
        ("title,date\nLate,2024-03-01T10:00:00Z\nEarly,2024-03-01 09:00\n", ["Early", "Late"]),
    ],
)
def test_each_form_is_read_oldest_first(text: str, expected: list[object]) -> None:
    assert read(text).watched == expected


def test_rows_of_one_date_are_turned_where_the_file_begins_with_the_newest() -> None:
    newest_first = "title,date\nD,2024-03-02\nC,2024-03-01\nB,2024-03-01\nA,\n"
    assert read(newest_first).watched == ["A", "B", "C", "D"]
    oldest_first = "title,date\nB,2024-03-01\nC,2024-03-01\nD,2024-03-02\n"
    assert read(oldest_first).watched == ["B", "C", "D"]


def test_what_is_used_and_what_is_left_out_is_said() -> None:
    games = IMDB + "tt3,2,2019-01-01,Fargo,u,Video Game,7.1,1996\ntt4,,,Heat,u,Movie,8,1995\n"
    found = read(games)
    assert found.watched == read(IMDB).watched
    first, second = found.notes
    assert (
        "IMDb's ratings: used Your Rating, Date Rated, Title, Title Type, Year; not used Const, URL" in first
    )
    assert second.endswith("left out 1 (without a rating), 1 (of the kind Video Game)")
    assert read(NETFLIX).notes[1].endswith("left out 1 (episodes), 1 (trailers and the like)")


def test_ratings_come_on_the_scale_that_is_asked_for() -> None:
    assert read(IMDB, TEN).watched == [("Toy Story (1995)", 4.0), ("Fargo (1996)", 9.0)]
    assert read(LETTERBOXD, TEN).watched[1] == ("Fargo (1996)", 9.0)
    assert read("title,rating\nFargo,8\n", TEN).watched == [("Fargo", 8.0)]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"tconst,stars\nx,1\n", "no column of titles"),
        (b"", "no column of titles"),
        (b"title,my mark\nFargo,3\n", "csv:1: the column 'my mark' is not known; a plain table has title"),
        (b"title,rating,Rating\nFargo,3,4\n", "two columns are called 'rating'"),
        (b"title,rating\nFargo,good\n", r"csv:2: the rating of 'Fargo' is 'good'"),
        (b"title,rating\nFargo,1_0\n", "'1_0'; it must be a number with a decimal point"),
        (b'title,rating\nFargo,"4,5"\n', "csv:2: .*'4,5'; it must be a number"),
        (b"title,rating\nFargo (1996),4,5\n", "csv:2: 3 fields"),
        ("title,rating\nFargo,\uff14\n".encode(), "it must be a number"),
        (b"title,rating\nFargo,nan\n", "it must be a number"),
        (b"title,rating\nFargo,8\n", "is 8; it goes from 0.5 to 5; if it is out of ten, call the column"),
        (b"\xff\xfe\x00", "no column of titles"),
        (b'title\n"Fargo\n', r"csv"),
        (LETTERBOXD.replace("2024-03-02", "yesterday").encode(), r"csv:2: 'yesterday' is no date; write it"),
        (IMDB.replace("2021-01-01", "13/01/2021x").encode(), r"csv:3: '13/01/2021x' is no date"),
        (b"title,date\nFargo,1996-02-30\n", "'1996-02-30' is no date"),
        (IMDB.replace(",9,", ",11,").encode(), r"csv:2: .*'Fargo' is 11; it goes from 1 to 10"),
        (NETFLIX.replace("Ann", "Bob", 1).encode(), "the profiles Ann, Bob; leave the rows of one"),
        (b"Title,Date\nA,3/4/24\nB,1/6/24\nC,5/2/24\n", "begin with the day"),
        (b"PK\x03\x04nonsense", "cannot be unpacked"),
    ],
)
def test_other_files_are_refused_in_one_line(content: bytes, match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        read_export(content, "ratings.csv", STARS)
    assert "\n" not in str(caught.value)


def test_a_watchlist_was_not_seen_and_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lists what is to be seen"):
        read_export(b"Date,Name,Year,Letterboxd URI\n2024-01-01,Fargo,1996,u\n", "watchlist.csv", STARS)
    with pytest.raises(DataError, match="No such file"):
        read_export_file(tmp_path / "absent.csv", STARS)


def zipped(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".csv", text)
    return made.getvalue()


def test_the_zip_of_letterboxd_is_read_as_one_history() -> None:
    head = "Date,Name,Year,Letterboxd URI"
    data = zipped(
        watched=f"{head}\n2024-01-01,Fargo,1996,a\n2024-01-01,Heat,1995,b\n2024-02-01,Casino,1995,c\n",
        ratings=f"{head},Rating\n2024-01-01,Fargo,1996,a,4\n2024-02-01,Casino,1995,c,3\n",
        diary=f"{head},Rating,Rewatch,Tags,Watched Date\n2024-03-01,Fargo,1996,a,,,,2023-12-30\n",
        watchlist=f"{head}\n2024-01-01,Ran,1985,d\n",
        deleted__diary=f"{head},Watched Date\n2024-01-01,Dune,1984,e,2024-01-01\n",
    )
    found = read_export(data, "letterboxd.zip", STARS)
    assert found.watched == [("Fargo (1996)", 4.0), "Heat (1995)", ("Casino (1995)", 3.0)]
    assert len(found.notes) == 3


def test_other_zips_are_opened_or_refused() -> None:
    data = zipped(CONTENT_INTERACTION__ViewingActivity=NETFLIX, Account="a\n", Other="b\n")
    assert read_export(data, "netflix.zip", STARS).watched == ["Toy Story", "Fargo"]
    assert read_export(zipped(any="title\nFargo\n"), "a.zip", STARS).watched == ["Fargo"]
    with pytest.raises(DataError, match=r"holds a.csv, b.csv; give the zip of"):
        read_export(zipped(a="x", b="y"), "a.zip", STARS)


@settings(suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_changed_file_gives_ratings_of_the_scale_or_one_line(data) -> None:
    text = bytearray(
        data.draw(st.sampled_from([LETTERBOXD, IMDB, OLD_IMDB, NETFLIX, "title,rating\nA,4\n"])).encode()
    )
    for place in data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=4)):
        text[place] = data.draw(st.integers(0, 255))
    refused = ""
    try:
        watched = read_export(bytes(text), "x.csv", STARS).watched
    except DataError as error:
        watched, refused = [], str(error)
    assert not refused or re.fullmatch(r"x\.csv.*", refused)
    assert all(isinstance(entry, str) or 0.5 <= entry[1] <= 5 for entry in watched)
