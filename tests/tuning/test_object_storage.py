"""Addresses, objects that are whole or absent, and what of a folder is sent."""

import os
import socket

import pytest

from reeltune import object_storage
from reeltune.errors import ConfigError, EngineError
from reeltune.object_storage import ObjectStorage, below, check_address, split_name
from reeltune.tuning.mirror.uploader import Uploader


@pytest.fixture
def storage(tmp_path):
    return ObjectStorage.open_checked((tmp_path / "bucket").as_uri())


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("bucket/studies", "is no address; write it as s3://BUCKET/PREFIX"),
        ("s4://bucket/studies", "unknown kind of address 's4': Known: abfs, "),
        ("s3:///studies", "names no bucket"),
        ("s3://key:secret@bucket/studies", "holds a secret"),
        ("s3://bucket/studies?secret_key=x", "holds a secret"),
        ("s3://bucket/../studies", "has a '.', '..' or '#' part"),
        ("file://host/studies", "names no folder with a path from the root"),
        ("file:///", "names no folder"),
    ],
)
def test_a_malformed_address_is_refused_in_one_line(address, problem):
    with pytest.raises(ConfigError) as error:
        check_address(address)
    assert problem in str(error.value)
    assert ":secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_addresses_are_joined_and_split():
    above = "s3://bucket/my/studies?endpoint_override=localhost:9000&scheme=http"
    assert split_name(below(above, "first")) == (above, "first")
    assert split_name("file:///a/b") == ("file:///a", "b")
    for alone in ("s3://bucket", "file:///studies"):
        with pytest.raises(ConfigError, match="names no study"):
            split_name(alone)
    with pytest.raises(ConfigError, match="unknown option 'colour': Known: endpoint_override"):
        ObjectStorage("s3://bucket/x?endpoint_override=localhost:1&colour=red")


def test_objects_are_written_read_listed_and_removed(storage, tmp_path):
    assert storage.sizes() == {}
    assert storage.read("absent") is None
    assert not storage.fetch("absent", tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    for data in (b"old", b"newer"):
        storage.write("a/b.bin", data)
    storage.write("ab", b"")
    assert storage.read("a/b.bin") == b"newer"
    assert storage.sizes() == {"a/b.bin": 5, "ab": 0}
    assert storage.sizes("a") == {"a/b.bin": 5}
    assert storage.sizes("nothing/here") == {}
    assert storage.fetch("a/b.bin", tmp_path / "here" / "b.bin")
    assert (tmp_path / "here" / "b.bin").read_bytes() == b"newer"
    for _ in range(2):
        storage.remove("a/b.bin")
    assert storage.sizes() == {"ab": 0}
    assert [p.name for p in (tmp_path / "bucket").rglob("*") if p.is_file()] == ["ab"], "nothing half-written"


def test_a_place_that_cannot_be_written_is_told_with_a_remedy(tmp_path):
    (tmp_path / "file").touch()
    address = (tmp_path / "file" / "below").as_uri()
    with pytest.raises(EngineError, match=f"cannot write {address}: .*; choose a folder that can be written"):
        ObjectStorage.open_checked(address)


def test_a_refused_connection_and_a_silent_server_end_soon(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    monkeypatch.setattr(object_storage, "CHECK_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"s3://bucket/x?scheme=http&endpoint_override=127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EngineError, match=r"did not answer in 0\.5 s; check the bucket's name, the cred"):
            ObjectStorage.open_checked(address)


def test_only_what_changed_is_sent_and_facts_come_before_what_names_them(storage, tmp_path, monkeypatch):
    folder = tmp_path / "study"
    names = ["study.json", "trials/00000/last.ckpt", "trials/00000/trial.json", "trials/00000/best.ckpt"]
    kept_here = ["study.db", "study.db-wal", "study.lock", ".hidden/x", "trials/00000/.best.ckpt.part"]
    for name in (*names, *kept_here):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "link").symlink_to(folder / "study.json")
    sent = []
    write = storage.write
    monkeypatch.setattr(storage, "write", lambda name, data: (sent.append(name), write(name, data)))
    uploader = Uploader(folder, storage)
    uploader.send_changed(uploader.names())
    last = [f"trials/00000/{name}" for name in ("best.ckpt", "last.ckpt", "trial.json")]
    assert sent == ["study.json", *last]
    uploader.send_changed([*uploader.names(), "trials/00000/gone"])
    assert len(sent) == 4
    os.utime(folder / names[1], ns=(1, 1))
    uploader.send_changed(uploader.names())
    assert sent[4:] == [names[1]]
    other = Uploader(tmp_path / "other", storage)
    other.receive(names)
    other.send_changed(other.names())
    assert len(sent) == 5, "what was fetched is known"
    other.remove(names[1:2])
    assert set(storage.sizes()) == {names[0], names[2], names[3]}
