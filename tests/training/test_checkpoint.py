import pytest
import torch

from reeltune.errors import StudyError
from reeltune.training.checkpoint import load_network, read_checkpoint, write_checkpoint


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 a torn archive"])
def test_a_damaged_file_is_reported_in_one_line(tmp_path, content):
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=r"cannot read the checkpoint .*last\.ckpt.*; remove it") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_an_absent_file_is_reported(tmp_path):
    with pytest.raises(StudyError, match="cannot read the checkpoint"):
        read_checkpoint(tmp_path / "none.ckpt")


def test_a_foreign_file_is_reported(tmp_path):
    write_checkpoint(tmp_path / "other.ckpt", {"weights": torch.zeros(1)})
    with pytest.raises(StudyError, match="no checkpoint of reeltune"):
        read_checkpoint(tmp_path / "other.ckpt")


def test_code_in_a_file_is_refused(tmp_path):
    class Surprise:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"state_dict": {}, "hyper_parameters": Surprise()}, tmp_path / "bad.ckpt")
    with pytest.raises(StudyError, match="cannot read the checkpoint"):
        read_checkpoint(tmp_path / "bad.ckpt")
