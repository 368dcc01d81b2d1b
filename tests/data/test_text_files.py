import pytest

from reeltune.data.readers.text_files import csv_rows, decode
from reeltune.data.sources import FileSet
from reeltune.errors import DataError


def test_one_encoding_is_found():
    assert decode("\ufeffé".encode(), "f") == "é"
    assert decode("é\nö".encode("latin-1"), "f") == "é\nö"


def test_mixed_encodings_name_the_line():
    with pytest.raises(DataError, match=r"f:3: byte 0xe9 is not UTF-8, which other lines are; save"):
        decode("plain\nÉtoile\n".encode() + b"caf\xe9\n", "f")


def test_rows_know_their_lines(tmp_path):
    (tmp_path / "a.csv").write_text('x,y\n"1\n2",3\n\n4,5\n')
    assert list(csv_rows(FileSet(tmp_path), "a.csv")) == [
        (1, ["x", "y"]),
        (3, ["1\n2", "3"]),
        (5, ["4", "5"]),
    ]


def test_a_gigantic_field_names_the_line(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1," + "z" * (1 << 20) + "z\n")
    with pytest.raises(DataError, match=r"a.csv:2: field larger than field limit .*may have 1,048,576"):
        list(csv_rows(FileSet(tmp_path), "a.csv"))
