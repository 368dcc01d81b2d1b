"""Files that are whole or absent."""

import pytest

from reeltune.errors import ConfigError
from reeltune.files import write_text


@pytest.mark.parametrize("name", ["a file/x.json", "a file/below/x.json"])
def test_a_file_is_no_folder_to_write_into(tmp_path, name):
    (tmp_path / "a file").write_text("kept")
    with pytest.raises(ConfigError, match="a file stands where its folder should be"):
        write_text(tmp_path / name, "text")
    assert (tmp_path / "a file").read_text() == "kept"
    assert list(tmp_path.iterdir()) == [tmp_path / "a file"]
