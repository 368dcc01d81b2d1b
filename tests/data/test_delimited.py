import pytest

from reeltune.data.readers.delimited import as_number, decode, records, rows
from reeltune.errors import DataError


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
