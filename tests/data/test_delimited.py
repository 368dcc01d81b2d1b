import io
from dataclasses import replace

import pytest

from reeltune.data.readers.delimited import Column, Format, as_number, decode, read_columns, records, rows
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
        ("1\t2\t7\n1\t2", TABS, r"r.txt:2: 2 fields in .* 3 parted by"),
        ("1\t2\t7\n\n\t2\t7\n", TABS, r"r.txt:3: user is empty; a number is needed"),
        ("1,2,7\n", TABS, r"r.txt:1: 1 fields in '1,2,7'"),
        ("1::2::7\n1:2:7\n", COLONS, r"r.txt:2: 1 fields in '1:2:7'"),
        ("1::2::7::8\n", COLONS, r"r.txt:1: 4 fields"),
        ("u,r\n1,2\n", COMMAS, r"r.txt:1: the header is 'u,r'; it must be 'u,r,t'"),
        ("u,r,t\n1,2,7\n1,2,99999999999\n", COMMAS, r"r.txt:3: timestamp is '99999999999'"),
        ("", COMMAS, r"r.txt:1: the header is ''"),
        ("", TABS, r"r.txt: "),
        ("u,r,t\n", COMMAS, r"r.txt: "),
        ("1\t2\t7\n" + "9" * 3_000_000 + "\t2\t7\n", TABS, r"r.txt:2: user is '9999.*it must lie in 1 to 99"),
        (b"1\t2\t7\n\xff\xfe\t2\t7\n", TABS, r"r.txt:2: user is "),
    ],
)
def test_a_fault_names_file_line_value_and_limit(text, form, message):
    with pytest.raises(DataError, match=message) as error:
        read(text, form)
    assert len(str(error.value)) < 200


def test_one_encoding_is_found():
    assert decode("\ufeffé".encode(), "f") == "é"
    assert decode("é\nö".encode("latin-1"), "f") == "é\nö"


def test_mixed_encodings_name_the_line():
    with pytest.raises(DataError, match=r"f:3: byte 0xe9 is not UTF-8; other lines are; save"):
        decode("plain\nÉtoile\n".encode() + b"caf\xe9\n", "f")


def test_rows_know_their_lines():
    assert list(rows('x,y\n"1\n2",3\n\n4,5\n', "a.csv")) == [
        (1, ["x", "y"]),
        (3, ["1\n2", "3"]),
        (5, ["4", "5"]),
    ]


def test_a_gigantic_field_or_line_names_the_line():
    with pytest.raises(DataError, match=r"a.csv:2: field larger than field limit .*may have 1,048,576"):
        list(rows("x,y\n1," + "z" * (1 << 20) + "z\n", "a.csv"))
    with pytest.raises(DataError, match=r"a.dat:2: the line is longer than 16,777,216"):
        list(rows("x::y\n1::" + "z" * (1 << 24) + "\n", "a.dat", delimiter="::", is_quoted=False))


def test_a_row_wider_than_the_first_is_refused():
    with pytest.raises(DataError, match=r"a.csv:3: 3 fields in 'Fargo,4,5'; 2 parted by ',' are needed"):
        list(rows("title,rating\nHeat,4\nFargo,4,5\n", "a.csv"))
    with pytest.raises(DataError, match=r"a.csv:2: 1 fields"):
        list(rows("title,rating\nHeat\n", "a.csv"))


def test_records_are_fields_by_column():
    found = list(records('b;a\n "x" ; y\n', "f.csv", ("a",), delimiter=";"))
    assert found == [("f.csv:2", {"b": '"x"', "a": "y"})]
    with pytest.raises(DataError, match=r"f.csv:1: there is no column 'c'; the header is 'a,b'"):
        list(records("a,b\n1,2\n", "f.csv", ("c",)))
    with pytest.raises(DataError, match=r"f.csv:1: the column 'a' is there 2 times"):
        list(records("a,a\n1,2\n", "f.csv", ("a",)))


@pytest.mark.parametrize(
    "text", ["1_0", "\uff14", "nan", "inf", "1,000", "4,5", "0x1F", "", " 4", "1e", "+4", "."]
)
def test_what_is_no_number(text):
    assert as_number(text) is None


@pytest.mark.parametrize(("text", "value"), [("4.5", 4.5), ("-3", -3), (".5", 0.5), ("5.", 5), ("1e3", 1000)])
def test_what_is_a_number(text, value):
    assert as_number(text) == value


@pytest.mark.parametrize("text", ["1_0", "\uff14", "nan", "4 5"])
def test_odd_numbers_are_refused_with_the_line(text):
    with pytest.raises(DataError, match=rf"r.txt:3: rating is .{text}.*; it must"):
        read(f"u,r,t\n1,2.5,7\n1,{text},7\n", COMMAS)
