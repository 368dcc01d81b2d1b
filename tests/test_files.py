"""Files that are whole or absent."""

import io
import os
import stat
import zipfile

import numpy as np
import pytest
import torch

from reeltune.errors import ConfigError
from reeltune.files import append_line, is_sealed, parse_json, read_lines, sealed, write_json, write_text


@pytest.mark.parametrize("name", ["a file/x.json", "a file/below/x.json"])
def test_a_file_is_no_folder_to_write_into(tmp_path, name):
    (tmp_path / "a file").write_text("kept")
    with pytest.raises(ConfigError, match="a file stands where its folder should be"):
        write_text(tmp_path / name, "text")
    assert (tmp_path / "a file").read_text() == "kept"
    assert list(tmp_path.iterdir()) == [tmp_path / "a file"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_files_have_the_rights_that_the_umask_leaves(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_json(tmp_path / "a.json", {})
        append_line(tmp_path / "b.jsonl", {})
    finally:
        os.umask(before)
    for name in ("a.json", "b.jsonl"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "NaN"),
        ("[-Infinity]", "-Infinity"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' stands twice"),
        ("[" * 200_000, "nested too deeply"),
        ("{torn", "Expecting"),
    ],
)
def test_what_is_no_plain_json_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_a_torn_last_line_is_forgiven_and_cut_off(tmp_path):
    path = tmp_path / "lines.jsonl"
    append_line(path, {"epoch": 1})
    path.write_bytes(path.read_bytes() + b'{"epoch": 2, "met')
    assert read_lines(path) == [{"epoch": 1}]
    append_line(path, {"epoch": 2})
    assert path.read_text() == '{"epoch": 1}\n{"epoch": 2}\n'
    path.write_text('{"epoch": 1}\n{"epo\n{"epoch": 2}\n')  # as earlier versions went on after a torn line
    assert read_lines(path) == [{"epoch": 1}, {"epoch": 2}]
    path.write_text('{"epoch": 1}\n["epoch": 2}\n{"epoch": 3}\n')
    with pytest.raises(ValueError, match="line 2: Expecting"):
        read_lines(path)


@pytest.mark.parametrize("kind", ["checkpoint", "array"])
def test_a_sealed_file_is_read_by_its_own_library_and_reveals_each_changed_byte(kind):
    buffer = io.BytesIO()
    if kind == "array":
        np.save(buffer, np.arange(5, dtype=np.int32))
    else:
        torch.save({"state_dict": {"w": torch.arange(3.0)}}, buffer)
    data = sealed(buffer.getvalue())
    assert is_sealed(data)
    if kind == "array":
        assert np.load(io.BytesIO(data)).tolist() == [0, 1, 2, 3, 4]
    else:
        assert torch.load(io.BytesIO(data), weights_only=True)["state_dict"]["w"].tolist() == [0, 1, 2]
        assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    assert not is_sealed(buffer.getvalue())
    for place in (*range(0, len(data) - 73, 7), len(data) - 10):
        changed = bytearray(data)
        changed[place] ^= 4
        with pytest.raises(ValueError, match="checksum"):
            is_sealed(bytes(changed))
