import resource

import pytest
import torch

from reeltune.errors import EngineError, StudyError
from reeltune.training.checkpoint import load_network, read_checkpoint, write_checkpoint


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"torn", b"PK\x03\x04 a torn archive"])
def test_a_damaged_file_is_reported_in_one_line(tmp_path, content):
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=r"cannot read the checkpoint .*last\.ckpt.*; remove it") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


def test_a_full_disk_is_reported_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "best.ckpt"
    write_checkpoint(path, {"weights": torch.zeros(1)})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(EngineError, match=r"cannot write .*best\.ckpt"):
            write_checkpoint(path, {"weights": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [file.name for file in tmp_path.iterdir()] == ["best.ckpt"]
    assert path.read_bytes() == before


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
