import pytest

from reeltune.errors import StudyError
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.single import train_single


@pytest.mark.parametrize("content", ["{", "[]", '{"state": "finished"}', '{"state": "running"}'])
def test_a_damaged_row_is_told_and_kept(tmp_path, content):
    (tmp_path / "trial.json").write_text(content)
    with pytest.raises(StudyError, match=r"trial\.json is damaged .*; remove its folder to train again"):
        train_single(TrialConfig(), tmp_path / "data", tmp_path, seed=1)
    assert (tmp_path / "trial.json").read_text() == content


@pytest.mark.parametrize("name", ["a file", "a file/below"])
def test_a_file_is_no_folder_to_train_in(tmp_path, name):
    (tmp_path / "a file").write_text("kept")
    with pytest.raises(StudyError, match=r"is a file or lies below one; choose another folder"):
        train_single(TrialConfig(), tmp_path / "data", tmp_path / name, seed=1)
    assert (tmp_path / "a file").read_text() == "kept"
