import gzip

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from reeltune.data.config import DataConfig
from reeltune.data.readers.columns import Columns
from reeltune.data.readers.tables import read_table
from reeltune.data.sources.source import FileSet
from reeltune.data.store import open_tuning, prepare
from reeltune.errors import DataError

COLUMNS = Columns(
    user="who",
    item="what",
    rating="stars",
    timestamp="when",
    review="words",
    label="good",
    title="name",
    genres="kind",
)
HEADER = "who,what,stars,when,words,good,name,kind\n"
ROWS = '007 , 01,4.5,1000000100,"Fine,\nvery fine",1,The Film,Drama|War\n7,01,,1000000090,,,,\n'


def read(folder, text, columns=COLUMNS, name="own.csv", **more):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(FileSet(folder), name, columns, **more)


def check(raw):
    rows = raw.interactions
    assert rows.user.tolist() == ["007", "7"]  # zeros stay, spaces go
    assert rows.item.tolist() == ["01", "01"]
    assert rows.rating[0] == 4.5
    assert np.isnan(rows.rating[1])
    assert rows.timestamp.tolist() == [1_000_000_100, 1_000_000_090]
    assert rows.label.tolist() == [1, -1]
    assert (raw.movies.ids, raw.movies.titles, raw.movies.genres) == (
        ("01",),
        ("The Film",),
        (("Drama", "War"),),
    )
    assert rows.rank is None


def test_csv(tmp_path):
    raw = read(tmp_path, HEADER + ROWS)
    check(raw)
    assert list(raw.interactions.review) == ["Fine,\nvery fine", ""]
    check(read(tmp_path, ("\ufeff" + HEADER + ROWS).replace("\n", "\r\n")))


def test_parquet(tmp_path):
    table = pa.table(
        {
            "who": ["007 ", "7"],
            "what": [" 01", "01"],
            "stars": [4.5, None],
            "when": [1_000_000_100, 1_000_000_090],
            "words": ["x", None],
            "good": [1, None],
            "name": ["The Film", None],
            "kind": ["Drama|War", ""],
        }
    )
    parquet.write_table(table, tmp_path / "own.parquet")
    check(read_table(FileSet(tmp_path), "own.parquet", COLUMNS))
    parquet.write_table(table.set_column(2, "stars", [[4.5, 9.0]]), tmp_path / "own.parquet")
    with pytest.raises(DataError, match=r"own.parquet: row 2: stars is '9'; it must lie in 0.5 to 5"):
        read_table(FileSet(tmp_path), "own.parquet", COLUMNS)
    (tmp_path / "bad.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match=r"bad.parquet is no Parquet file"):
        read_table(FileSet(tmp_path), "bad.parquet", COLUMNS)


def test_a_second_file_tells_of_the_movies(tmp_path):
    (tmp_path / "movies.csv").write_text("what,name,kind\n01,A,\n02,B,War\n")
    columns = COLUMNS.model_copy(update={"label": None, "review": None})
    raw = read(tmp_path, "who,what,stars,when\n1,02,3,1000000004\n", columns, movies="movies.csv")
    assert (raw.movies.titles, raw.movies.genres) == (("A", "B"), ((), ("War",)))
    assert raw.interactions.review is None


def test_without_times_the_rows_stand_in_order(tmp_path):
    raw = read(tmp_path, "u;i\n1;5\n1;4\n", Columns(user="u", item="i", delimiter=";"))
    assert raw.interactions.timestamp.tolist() == [-1, -1]
    assert raw.interactions.rank.tolist() == [0, 1]
    assert raw.movies is None


MINUTES = pa.array([1_000_000_080, 1_000_000_000], pa.timestamp("s"))
TIMES = {
    "seconds": ("seconds", ["1000000080", "1000000000"]),
    "milliseconds": ("milliseconds", ["1000000080123", "1000000000000"]),
    "microseconds": ("microseconds", ["1000000080123456", "1000000000000000"]),
    "ISO 8601": ("seconds", ["2001-09-09T01:48:00", "2001-09-09T01:46:40"]),
    "ISO 8601 in UTC": ("seconds", ["2001-09-09T01:48:00Z", "2001-09-09T01:46:40Z"]),
    "ISO 8601 in a zone": ("milliseconds", ["2001-09-09T03:48:00+02:00", "2001-09-09T03:46:40.5+02:00"]),
    "several zones": ("seconds", ["2001-09-09T03:48:00+02:00", "2001-09-09T01:46:40Z"]),
    "pandas": ("day", ["2001-09-09 01:48:00", "2001-09-09 01:46:40.123456789"]),
    "pandas in UTC": ("seconds", ["2001-09-09 01:48:00+00:00", "2001-09-09 01:46:40+00:00"]),
    "short": ("seconds", ["20010909T014800", "2001-09-09T01:46:40"][::-1]),
    "Parquet": ("seconds", MINUTES),
    "Parquet in ns": ("milliseconds", MINUTES.cast(pa.timestamp("ns"))),
    "Parquet in a zone": ("days", MINUTES.cast(pa.timestamp("us", "Europe/Paris"))),
}


@pytest.mark.parametrize("kind", TIMES)
def test_times_are_recognised_or_given(tmp_path, kind):
    unit, values = TIMES[kind]
    columns = Columns(user="u", item="i", timestamp="t", time_unit=unit)
    parquet.write_table(pa.table({"u": ["1", "1"], "i": ["2", "3"], "t": values}), tmp_path / "own.parquet")
    seconds = read_table(FileSet(tmp_path), "own.parquet", columns).interactions.timestamp
    assert sorted(seconds) == [1_000_000_000, 1_000_000_080]
    if isinstance(values, list):
        raw = read(tmp_path, "u,i,t\n" + "".join(f"1,2,{text}\n" for text in values), columns)
        assert raw.interactions.timestamp.tolist() == seconds.tolist()


def test_days(tmp_path):
    for unit, texts in (
        ("days", "14611,14610"),
        ("day", "2010-01-02,2010-01-01"),
        ("seconds", "2010-01-02,2010-01-01"),
    ):
        columns = Columns(user="u", item="i", timestamp="t", time_unit=unit)
        raw = read(tmp_path, "u,i,t\n" + "".join(f"1,2,{text}\n" for text in texts.split(",")), columns)
        assert raw.interactions.timestamp.tolist() == [14_611 * 86_400, 14_610 * 86_400]


def test_an_order_is_no_time(tmp_path):
    columns = Columns(user="u", item="i", timestamp="t", time_unit="order")
    rows = read(tmp_path, "u,i,t\n1,5,30\n1,6,7\n1,7,30\n", columns).interactions
    assert rows.rank.tolist() == [1, 0, 1]
    assert rows.timestamp.tolist() == [-1, -1, -1]
    with pytest.raises(DataError, match=r"own.csv:3: t is empty; it must be a whole number"):
        read(tmp_path, "u,i,t\n1,5,30\n1,6,\n", columns)


@pytest.mark.parametrize(
    ("unit", "values", "message"),
    [
        (
            "milliseconds",
            "1561888803,1561888801",
            r"own.csv:2: t: all times lie in January 1970 when read as milliseconds; are these seconds\?",
        ),
        ("seconds", "14611,14610", r"January 1970 when read as seconds; are these days\?"),
        ("seconds", "1,2", r"January 1970 when read as seconds; set time_unit: order"),
        ("microseconds", "1561888803000,1561888801000", r"January 1970 .*are these milliseconds\?"),
        ("seconds", "8000000000,8000000001", r"all times lie after today when read as seconds"),
        ("days", "31001,31000", r"all times lie after today"),
        ("seconds", "2190-01-01,2191-01-01", r"all times lie after today"),
        (
            "seconds",
            "1561888803000,1561888801000",
            r"own.csv:2: t is '1561888803000'; it must be seconds since 1970",
        ),
        ("seconds", "2019-06-30,1969-01-01", r"own.csv:3: t is '1969-01-01'; it must not lie before 1970"),
        ("seconds", "2019-06-30,", r"own.csv:3: t is empty; it must be"),
        ("seconds", "2019-06-30,soon", r"own.csv:3: t is 'soon'; it must be a time such as 2019-06-30"),
        ("seconds", "2019-06-30,5", r"own.csv:3: t is '5'; it must be a time"),
        ("day", "17000,17001", r"own.csv:2: t is '17000'; it must be a time"),
        ("seconds", "2019-06-30T10:00:00,2019-06-30T10:00:00Z", r"own.csv:3: .* must name its zone, or none"),
        ("seconds", "1_561_888_803,1", r"own.csv:2: t is '1_561_888_803'; it must be a number"),
    ],
)
def test_times_that_make_no_sense_are_refused(tmp_path, unit, values, message):
    columns = Columns(user="u", item="i", timestamp="t", time_unit=unit)
    with pytest.raises(DataError, match=message):
        read(tmp_path, "u,i,t\n" + "".join(f"1,2,{text}\n" for text in values.split(",")), columns)


@pytest.mark.parametrize("text", ["1_0", "\uff14", "1,5", "NaN", "inf", "0x4", "1 0"])
def test_odd_ratings_are_refused_with_the_line(tmp_path, text):
    rows = f"u;i;r\n1;2;3\n1;3;{text}\n"
    with pytest.raises(DataError, match=rf"own.csv:3: r is '{text}'; it must be a"):
        read(tmp_path, rows, Columns(user="u", item="i", rating="r", delimiter=";"))


def test_a_decimal_comma_makes_a_row_too_wide(tmp_path):
    with pytest.raises(DataError, match=r"own.csv:3: 4 fields in '1,3,4,5'; 3 parted by ',' are needed"):
        read(tmp_path, "u,i,r\n1,2,3\n1,3,4,5\n", Columns(user="u", item="i", rating="r"))


def test_the_type_is_that_of_the_whole_column(tmp_path):
    text = "u,i,r\n" + "1,2,4\n" * 300_000 + "x,2,4.5\n"
    rows = read(tmp_path, text, Columns(user="u", item="i", rating="r")).interactions
    assert (rows.user[-1], rows.rating[-1], rows.n_rows) == ("x", 4.5, 300_001)


def test_words_for_nothing_are_ids_like_others(tmp_path):
    rows = read(tmp_path, "u,i\nNA,null\nnan,None\n", Columns(user="u", item="i")).interactions
    assert (rows.user.tolist(), rows.item.tolist()) == (["NA", "nan"], ["null", "None"])


def test_ids_of_parquet_are_whole_numbers_or_text(tmp_path):
    columns = Columns(user="u", item="i")

    def ids(values):
        parquet.write_table(pa.table({"u": values, "i": ["a"] * len(values)}), tmp_path / "own.parquet")
        return read_table(FileSet(tmp_path), "own.parquet", columns).interactions.user.tolist()

    assert ids(pa.array([1.0, 2.0, 1e15])) == ids(pa.array([1, 2, 10**15])) == ["1", "2", "1000000000000000"]
    assert ids(pa.array(["1.0", "01"]).dictionary_encode()) == ["1.0", "01"]
    with pytest.raises(DataError, match=r"own.parquet: row 2: u is 1.5; an id must be text or a whole"):
        ids(pa.array([1.0, 1.5]))
    with pytest.raises(DataError, match=r"own.parquet: row 2: u is empty; an id is needed"):
        ids(pa.array([1.0, None]))
    with pytest.raises(DataError, match=r"own.parquet: column 'u' for user holds binary"):
        ids(pa.array([b"a", b"b"]))


def test_doubled_columns_of_parquet_are_named(tmp_path):
    table = pa.Table.from_arrays([pa.array(["1"]), pa.array(["2"]), pa.array(["3"])], names=["u", "i", "u"])
    parquet.write_table(table, tmp_path / "own.parquet")
    with pytest.raises(DataError, match=r"2 columns are called 'u'"):
        read_table(FileSet(tmp_path), "own.parquet", Columns(user="u", item="i"))


def test_titles_tell_the_year_and_remakes_apart(tmp_path):
    columns = Columns(user="u", item="i", title="t", year="y", genres="g")
    text = (
        "u,i,t,y,g\n1,a,Sabrina,1954,(no genres listed)\n1,b,Sabrina,1995,Drama|n/a\n1,c,Heat (1995),,None\n"
        "1,d,Alien (1979),1979,\n1,e,,,\n"
    )
    movies = read(tmp_path, text, columns).movies
    assert movies.titles == ("Sabrina (1954)", "Sabrina (1995)", "Heat (1995)", "Alien (1979)", "e")
    assert movies.years == (1954, 1995, 1995, 1979, 0)
    assert movies.genres == ((), ("Drama",), (), (), ())
    with pytest.raises(DataError, match=r"own.csv:2: y is '54'; it must lie in 1870 to 2100, or be empty"):
        read(tmp_path, "u,i,t,y,g\n1,a,Sabrina,54,\n", columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"own.csv: the file is empty"),
        (HEADER, r"own.csv: there is no row"),
        (
            "who,what\n1,2\n",
            r"own.csv:1: there is no column 'stars' for rating; columns parted by ',': 'who, what'",
        ),
        ("who\twhat\n1\t2\n", r"own.csv:1: there is no column 'who' for user"),
        (HEADER + ROWS + "1,2,3\n", r"own.csv:5: 3 fields in '1,2,3'; 8 parted by"),
        (HEADER + ROWS + ",2,3,4,,,,\n", r"own.csv:5: who is empty; an id is needed"),
        (HEADER + ROWS + " ,2,3,4,,,,\n", r"own.csv:5: who is empty; an id is needed"),
        (HEADER + ROWS + "1,2,x,4,,,,\n", r"own.csv:5: stars is 'x'; it must be a number"),
        (HEADER + ROWS + "1,2,nan,4,,,,\n", r"own.csv:5: stars is 'nan'; it must be a finite number"),
        (HEADER + ROWS + "1,2,7,4,,,,\n", r"own.csv:5: stars is '7'; it must lie in 0.5 to 5; lowest_rating"),
        (HEADER + "1,2,3,-4,,,,\n", r"own.csv:2: when is '-4'; it must be seconds since 1970, not negative"),
        (HEADER + "1,2,3,,,,,\n", r"own.csv:2: when is empty; it must be seconds"),
        (HEADER + "1,2,3,1.5,,,,\n", r"own.csv:2: when is '1.5'; it must be a whole number"),
        (
            HEADER + "1,2,3,1577836800000,,,,\n",
            r"own.csv:2: when is '1577836800000'.*time_unit sets the unit",
        ),
        (HEADER + "1,2,3,1000000000,,9,,\n", r"own.csv:2: good is '9'; it must be 1, 0 or empty"),
        (
            HEADER.encode() + b"1,2,3,4,caf\xe9,,,\n",
            r"own.csv:2: byte 0xe9 is not utf-8; set columns.encoding",
        ),
        (
            HEADER + '1,2,3,4,"' + "x" * (1 << 20) + 'y",,,\n',
            r"own.csv:2: .*a field may have 1,048,576",
        ),
    ],
)
def test_a_fault_names_file_and_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_other_encodings_and_days(tmp_path):
    columns = Columns(user="u", item="i", review="r", encoding="latin-1")
    raw = read(tmp_path, b"u,i,r\n1,2,caf\xe9\n", columns)
    assert list(raw.interactions.review) == ["café"]
    with pytest.raises(DataError, match=r"columns.encoding 'latin-99' is unknown"):
        read(tmp_path, b"u,i,r\n1,2,a\n", columns.model_copy(update={"encoding": "latin-99"}))
    by_day = Columns(user="u", item="i", timestamp="t", time_unit="day")
    with pytest.raises(
        DataError, match=r"own.csv:3: t is '2019-13-01'; it must be a time such as 2019-06-30"
    ):
        read(tmp_path, "u,i,t\n1,2,2019-12-01\n1,2,2019-13-01\n", by_day)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset": "csv"}, "needs the key path"),
        ({"dataset": "csv", "path": "own.csv"}, "needs the key columns"),
        ({"dataset": "synthetic", "path": "own.csv"}, "path goes with a data set of your own"),
        (
            {"dataset": "amazon-reviews", "path": "x", "columns": {"user": "u", "item": "i"}},
            "leave the key columns out",
        ),
        (
            {"dataset": "csv", "path": "x", "columns": {"user": "u", "item": "i", "lowest_rating": 6.0}},
            "lowest_rating 6.0 must be below",
        ),
    ],
)
def test_keys_that_do_not_fit_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate(given)


def test_own_files_are_found_and_never_mixed_up(tmp_path, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    text = "u,i\n" + "".join(f"{u},{i}\n" for u in (1, 2) for i in (11, 12, 13, 14))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.csv").write_text(text.replace("14", "15") if name == "second" else text)
    config = DataConfig(dataset="csv", path="own.csv", columns=Columns(user="u", item="i"), k_core=1)
    first = prepare(config, data_dir=tmp_path / "first")
    second = prepare(config.located(tmp_path / "second"))
    assert open_tuning(first).catalogue.item_ids[-1] == "14"
    assert open_tuning(second).catalogue.item_ids[-1] == "15"
    assert prepare(config.located(tmp_path / "first")) == first
    with pytest.raises(DataError, match=r"no such file: .*own.csv; .*--data-dir"):
        prepare(config)


ODD = {
    "a zero byte": (b"who,what\n1,2\n1\x00,2\n", r"own.csv:3: a zero byte; .*columns.encoding"),
    "a tab in an id": (b'who,what\n1,"2\t3"\n', r"own.csv:2: what is '2.*3'; it must be printable"),
    "a line end in an id": (b'who,what\n1,2\n"1\n1",2\n', r"own.csv:4: who is .*; it must be printable"),
    "two columns of one name": (b"who,what,who\n1,2,3\n", r"own.csv:1: 2 columns are called 'who'"),
    "packed": (gzip.compress(b"who,what\n1,2\n"), r"own.csv:1: byte 0x8b .*unpack it"),
    "UTF-16": ("who,what\n1,2\n".encode("utf-16"), r"own.csv:1: byte 0xff .*columns.encoding to utf-16"),
    "mixed encodings": (b"who,what\n\xc3\xa9,2\n\xe9,2\n", r"own.csv:3: .*; other lines are; save"),
    "a field of 20 MB": (
        b"who,what\n1,2\n" + b"x" * (20 << 20) + b",2\n",
        r"own.csv:3: the line is longer than 16,777,216 characters",
    ),
    "another encoding": ("who,what\n1,2\n".encode("utf-16-le"), r"own.csv:1: a zero byte; .*utf-16"),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_bytes_are_told(tmp_path, kind):
    text, message = ODD[kind]
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, Columns(user="who", item="what"))


def test_a_second_column_of_a_name_that_nobody_asks_for(tmp_path):
    raw = read(tmp_path, "who,what,x,x\n1,2,3,4\n", Columns(user="who", item="what"))
    assert raw.interactions.item.tolist() == ["2"]


def test_user_and_item_are_two_columns():
    with pytest.raises(ValidationError, match="both the column 'a'"):
        Columns(user="a", item="a")


def test_an_absent_time_of_parquet_is_refused_unless_days_may_be_unknown(tmp_path):
    when = pa.array([1_000_000_000, None], pa.timestamp("s"))
    parquet.write_table(pa.table({"who": [1, 2], "what": [3, 4], "when": when}), tmp_path / "own.parquet")
    columns = Columns(user="who", item="what", timestamp="when")
    with pytest.raises(DataError, match=r"row 2: when is empty"):
        read_table(FileSet(tmp_path), "own.parquet", columns)
    columns = columns.model_copy(update={"time_unit": "day"})
    assert read_table(FileSet(tmp_path), "own.parquet", columns).interactions.timestamp.tolist() == [
        10**9,
        -1,
    ]


def test_parquet_of_lists(tmp_path):
    parquet.write_table(pa.table({"who": [[1], [2]], "what": [3, 4]}), tmp_path / "own.parquet")
    with pytest.raises(DataError, match=r"column 'who' for user holds list"):
        read_table(FileSet(tmp_path), "own.parquet", Columns(user="who", item="what"))


def test_a_fault_in_an_own_file_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "own.csv").write_text("u,i\n1,\n")
    told = []
    config = DataConfig(dataset="csv", path="own.csv", columns=Columns(user="u", item="i"))
    with pytest.raises(DataError, match=r"^\S+own.csv:2: i is empty; an id is needed$"):
        prepare(config, data_dir=tmp_path, notify=told.append)
    assert told == []
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"folder is a folder; name the file in it$"):
        prepare(config.model_copy(update={"path": "folder"}), data_dir=tmp_path)
