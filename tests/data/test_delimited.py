import io
from dataclasses import replace

import pytest

from reeltune.data.readers.delimited import Column, Format, read_columns
from reeltune.errors import DataError

COLUMNS = (
    Column("user", 0, "int32", 1, 99),
    Column("rating", 1, "float32", 0.5, 5),
    Column("timestamp", 2, "int64", 0, 10**9, absent=-1),
)
TABS = Format("\t", None, 3, COLUMNS)
COLONS = Format("::", None, 3, COLUMNS)
NAMES = ("u", "r", "t")
COMMAS = Format(",", NAMES, 3, tuple(replace(c, field=n) for c, n in zip(COLUMNS, NAMES, strict=True)))


def read(text: str | bytes, form: Format):
    data = text.encode() if isinstance(text, str) else text
    return read_columns(lambda: io.BytesIO(data), "r.txt", form)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1\t2.5\t7\n3\t5\t\n", TABS),
        ("1::2.5::7\r\n3::5::\r\n", COLONS),
        ("u,r,t\n1,2.5,7\n3,5,\n", COMMAS),
        ("\ufeffu,r,t\r\n1,2.5,7\r\n3,5,", COMMAS),
    ],
)
def test_each_delimiter_gives_the_same_columns(text, form):
    columns = read(text, form)
    assert columns["user"].tolist() == [1, 3]
    assert columns["rating"].tolist() == [2.5, 5.0]
    assert columns["timestamp"].tolist() == [7, -1]


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ("1\t2\t7\n1\tgood\t7\n", TABS, r"r.txt:2: rating is 'good'; it must be a number"),
        ("1\t2\t7\nx\t2\t7\n", TABS, r"r.txt:2: user is 'x'; it must be a whole number"),
        ("1\t2\t7\n1\t9\t7\n", TABS, r"r.txt:2: rating is '9'; it must lie in 0.5 to 5"),
        ("1\tnan\t7\n", TABS, r"r.txt:1: rating is 'nan'"),
        ("1\t2\t-7\n", TABS, r"r.txt:1: timestamp is '-7'; it must lie in 0 to 1e\+09"),
        ("1\t2\t7\n1\t2", TABS, r"r.txt:2: 2 fields in .* 3 fields parted by"),
        ("1\t2\t7\n\n\t2\t7\n", TABS, r"r.txt:3: user is empty; a number is needed"),
        ("1,2,7\n", TABS, r"r.txt:1: 1 fields in '1,2,7'"),
        ("1::2::7\n1:2:7\n", COLONS, r"r.txt:2: 1 fields in '1:2:7'"),
        ("1::2::7::8\n", COLONS, r"r.txt:1: 4 fields"),
        ("u,r\n1,2\n", COMMAS, r"r.txt:1: the header is 'u,r'; it must be 'u,r,t'"),
        ("u,r,t\n1,2,7\n1,2,99999999999\n", COMMAS, r"r.txt:3: timestamp is '99999999999'"),
        ("", COMMAS, r"r.txt:1: the header is ''"),
        ("", TABS, r"r.txt: "),
        ("u,r,t\n", COMMAS, r"r.txt: "),
        ("1\t2\t7\n" + "9" * 3_000_000 + "\t2\t7\n", TABS, r"r.txt:2: the line is longer than"),
        (b"1\t2\t7\n\xff\xfe\t2\t7\n", TABS, r"r.txt:2: user is "),
    ],
)
def test_a_fault_names_file_line_value_and_limit(text, form, message):
    with pytest.raises(DataError, match=message) as error:
        read(text, form)
    assert len(str(error.value)) < 200
