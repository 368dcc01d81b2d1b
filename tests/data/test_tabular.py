"""Columns of numbers from delimited files of three kinds."""

import io

import pytest

from reeltune.data.readers.tabular import Table
from reeltune.errors import DataError

NAMES = ("user", "rating", "time")
KINDS = {"user": "int32", "rating": "float32", "time": "int64"}
TABS = {"delimiter": "\t", "names": NAMES, "is_quoted": False}
COLONS = {"delimiter": "::", "names": NAMES, "is_quoted": False}
COMMAS = {"delimiter": ","}


def read(text, form):
    data = text.encode() if isinstance(text, str) else text
    rows = Table("r.txt", lambda: io.BytesIO(data), **form).whole({name: name for name in NAMES}, KINDS)
    return {
        "user": rows.inside("user", 1, 99),
        "rating": rows.inside("rating", 0.5, 5),
        "time": rows.inside("time", 0, 10**9, absent=-1),
    }


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1\t2.5\t7\n3\t5\t\n", TABS),
        ("1::2.5::7\r\n3::5::\r\n", COLONS),
        ("user,rating,time\n1,2.5,7\n3,5,\n", COMMAS),
        ("\ufefftime,user,rating\r\n7,1,2.5\r\n\r\n,3,5", COMMAS),
    ],
)
def test_each_delimiter_gives_the_same_columns(text, form):
    columns = read(text, form)
    assert columns["user"].tolist() == [1, 3]
    assert columns["rating"].tolist() == [2.5, 5.0]
    assert columns["time"].tolist() == [7, -1]
    assert [str(column.dtype) for column in columns.values()] == list(KINDS.values())


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ("1\t2\t7\n1\tgood\t7\n", TABS, r"r.txt:2: rating is 'good'; it must be a number"),
        ("1\t2\t7\n1\t1_0\t7\n", TABS, r"r.txt:2: rating is '1_0'; it must be a number"),
        ("1\t2\t7\n1\t\uff14\t7\n", TABS, r"r.txt:2: rating is .* it must be a number"),
        ("1\t2\t7\nx\t2\t7\n", TABS, r"r.txt:2: user is 'x'; it must be a whole number of 32 bits"),
        ("1\t2\t7\n1\t9\t7\n", TABS, r"r.txt:2: rating is '9.0'; it must lie in 0.5 to 5"),
        ("1\tnan\t7\n", TABS, r"r.txt:1: rating is 'nan'"),
        ("1\t2\t-7\n", TABS, r"r.txt:1: time is '-7'; it must lie in 0 to 1e\+09"),
        ("1\t2\t7\n1\t2", TABS, r"r.txt:2: 2 fields in .* 3 parted by"),
        ("1\t2\t7\n\n\t2\t7\n", TABS, r"r.txt:3: user is empty; it must be a number"),
        ("1,2,7\n", TABS, r"r.txt:1: 1 fields in '1,2,7'"),
        ("1::2::7\n1:2:7\n", COLONS, r"r.txt:2: 1 fields in '1:2:7'"),
        ("1::2::7::8\n", COLONS, r"r.txt:1: 4 fields"),
        ("user,rating\n1,2\n", COMMAS, r"r.txt:1: there is no column 'time' for time; .* 'user, rating'"),
        ("user,rating,time\n1,2,7\n1,2,99999999999\n", COMMAS, r"r.txt:3: time is '99999999999'"),
        ("", COMMAS, r"r.txt: the file is empty"),
        ("", TABS, r"r.txt: "),
        ("user,rating,time\n", COMMAS, r"r.txt: there is no row"),
        ("1\t2\t7\n" + "9" * 30_000 + "\t2\t7\n", TABS, r"r.txt:2: user is '9999.*of 32 bits"),
        (b"1\t2\t7\n\xff\xfe\t2\t7\n", TABS, r"r.txt:2: byte 0xff is not utf-8"),
    ],
)
def test_a_fault_names_file_line_value_and_limit(text, form, message):
    with pytest.raises(DataError, match=message) as error:
        read(text, form)
    assert len(str(error.value)) < 200
