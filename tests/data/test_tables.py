import gzip

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from reeltune.data.config import DataConfig
from reeltune.data.readers.columns import Columns
from reeltune.data.readers.tables import read_table
from reeltune.data.sources import FileSet
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
ROWS = '007 , 01,4.5,100,"Fine,\nvery fine",1,The Film,Drama|War\n7,01,,90,,,,\n'


def read(folder, text, columns=COLUMNS, name="own.csv", **more):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(FileSet(folder), name, columns, **more)


def check(raw):
    rows = raw.interactions
    assert rows.user.tolist() == ["007", "7"]  # zeros stay, spaces go
    assert rows.item.tolist() == ["01", "01"]
    assert rows.rating[0] == 4.5
    assert np.isnan(rows.rating[1])
    assert rows.timestamp.tolist() == [100, 90]
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
            "when": [100, 90],
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
    raw = read(tmp_path, "who,what,stars,when\n1,02,3,4\n", columns, movies="movies.csv")
    assert (raw.movies.titles, raw.movies.genres) == (("A", "B"), ((), ("War",)))
    assert raw.interactions.review is None


def test_without_times_the_rows_stand_in_order(tmp_path):
    raw = read(tmp_path, "u;i\n1;5\n1;4\n", Columns(user="u", item="i", delimiter=";"))
    assert raw.interactions.timestamp.tolist() == [-1, -1]
    assert raw.interactions.rank.tolist() == [0, 1]
    assert raw.movies is None


@pytest.mark.parametrize(
    ("unit", "text", "second"),
    [("milliseconds", "1500", 1), ("day", "1970-01-03", 172_800), ("seconds", "12", 12)],
)
def test_units_of_time(tmp_path, unit, text, second):
    columns = Columns(user="u", item="i", timestamp="t", time_unit=unit)
    assert read(tmp_path, f"u,i,t\n1,2,{text}\n", columns).interactions.timestamp.tolist() == [second]


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
        (HEADER + ROWS + "1,2,3\n", r"own.csv:5: 3 fields in '1,2,3'; the header has 8"),
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
        (HEADER + "1,2,3,4,,9,,\n", r"own.csv:2: good is '9'; it must be 1, 0 or empty"),
        (
            HEADER.encode() + b"1,2,3,4,caf\xe9,,,\n",
            r"own.csv:2: byte 0xe9 is not utf-8; set columns.encoding",
        ),
        (
            HEADER + '1,2,3,4,"' + "x" * (1 << 20) + 'y",,,\n',
            r"own.csv:2: words has 1,048,577 bytes; at most",
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
    with pytest.raises(DataError, match=r"own.csv:3: t is '2019-13-01'; it must be a day such as 2019-06-30"):
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
        r"own.csv:3: who has 20,971,520 bytes",
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


@pytest.mark.parametrize(
    ("unit", "kind", "second"),
    [("seconds", "us", 100), ("milliseconds", "ns", 100), ("day", "s", 0)],
)
def test_times_of_parquet(tmp_path, unit, kind, second):
    when = pa.array([100, None], pa.timestamp("s")).cast(pa.timestamp(kind))
    parquet.write_table(pa.table({"who": [1, 2], "what": [3, 4], "when": when}), tmp_path / "own.parquet")
    columns = Columns(user="who", item="what", timestamp="when", time_unit=unit)
    if unit == "day":
        times = read_table(FileSet(tmp_path), "own.parquet", columns).interactions.timestamp
        assert times.tolist() == [second, -1]
        return
    with pytest.raises(DataError, match=r"row 2: when is empty"):
        read_table(FileSet(tmp_path), "own.parquet", columns)


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
