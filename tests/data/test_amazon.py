import gzip
import json

import pytest

from reeltune.data.config import DataConfig
from reeltune.data.readers.amazon import read_amazon
from reeltune.data.sources.source import FileSet
from reeltune.data.store import prepare
from reeltune.errors import DataError

OLD = {
    "reviewerID": " A1",
    "asin": "0005019281",
    "overall": 4.0,
    "reviewText": "Charming.",
    "summary": "Good",
    "unixReviewTime": 1203984000,
    "helpful": [0, 0],
    "vote": "1,234",
}
NEW = {
    "user_id": "A1",
    "parent_asin": "0005019281",
    "asin": "B00",
    "rating": 4.0,
    "text": "Charming.",
    "title": "Good",
    "timestamp": 1203984000123,
    "images": [{"a": 1}],
}


def lines(*values):
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def read(folder, data, name="reviews.json", metadata=None):
    (folder / name).write_bytes(data)
    return read_amazon(FileSet(folder), name, metadata).without_bad_rows("refuse")


@pytest.mark.parametrize("review", [OLD, NEW])
@pytest.mark.parametrize("packed", [False, True])
def test_releases(tmp_path, review, packed):
    rest = {key: value for key, value in review.items() if key not in {"reviewText", "text"}}
    data = lines(review, rest)
    name = "r.json.gz" if packed else "r.json"
    rows = read(tmp_path, gzip.compress(data) if packed else data, name).interactions
    assert rows.user.tolist() == ["A1", "A1"]
    assert rows.item.tolist() == ["0005019281"] * 2
    assert rows.rating.tolist() == [4, 4]
    assert rows.timestamp.tolist() == [1203984000] * 2
    assert list(rows.review) == ["Good\nCharming.", "Good"]


@pytest.mark.parametrize(
    ("product", "genres"),
    [
        ({"asin": "0005019281", "title": "Carol ", "category": ["Movies & TV", "Christmas"]}, ("Christmas",)),
        ({"parent_asin": "0005019281", "title": "Carol", "categories": ["Movies", "Drama"]}, ("Drama",)),
    ],
)
def test_metadata_gives_titles(tmp_path, product, genres):
    (tmp_path / "meta.json").write_bytes(lines(product, {"asin": "2", "title": None}))
    movies = read(tmp_path, lines(OLD), metadata="meta.json").movies
    assert (movies.ids, movies.titles) == (("0005019281", "2"), ("Carol", "2"))
    assert movies.genres == (genres, ())


def test_metadata_of_2014_are_python_literals(tmp_path):
    line = "{'asin': '0005019281', 'title': \"Carol's\", 'categories': [['Movies', 'A'], ['Movies', 'B']]}\n"
    (tmp_path / "meta.json").write_text(line)
    movies = read(tmp_path, lines(OLD), metadata="meta.json").movies
    assert (movies.titles, movies.genres) == (("Carol's",), (("A", "B"),))
    (tmp_path / "meta.json").write_text(line + "{'asin': '1',\n")
    with pytest.raises(DataError, match=r"meta.json:2: .* is not a whole line"):
        read(tmp_path, lines(OLD), metadata="meta.json")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"reviews.json: there is no review"),
        (b"\n\n", r"reviews.json: there is no review"),
        (lines(OLD, OLD)[:-30], r"reviews.json:2: .* is not whole JSON"),
        (lines(OLD) + b'{"reviewerID": "A\n', r"reviews.json:2: .* is not whole JSON"),
        (lines(OLD) + b"[1]\n", r"reviews.json:2: '\[1\]' is not a JSON object"),
        (
            lines({"user": "1", "item": "2"}),
            r"reviews.json:1: the review has the fields 'user, item'; needed",
        ),
        (lines(OLD, OLD | {"overall": 6}), r"reviews.json:2: overall is '6'; it must lie in 1 to 5"),
        (lines(OLD, OLD | {"overall": "5"}), r"reviews.json:2: overall is '5'; it must lie in 1 to 5"),
        (lines(OLD, OLD | {"asin": " "}), r"reviews.json:2: asin is ' '; an id is needed"),
        (lines(OLD, OLD | {"asin": 7}), r"reviews.json:2: asin is '7'; an id is needed"),
        (
            lines(OLD, OLD | {"unixReviewTime": -5}),
            r"reviews.json:2: unixReviewTime is '-5'; it must be seconds",
        ),
        (lines(OLD, {k: OLD[k] for k in OLD if k != "unixReviewTime"}), r":2: unixReviewTime is 'None'"),
        (lines(NEW, NEW | {"timestamp": 2**60}), r"reviews.json:2: timestamp is .* must be milliseconds"),
        (lines(OLD, OLD | {"asin": "a\0b"}), r"reviews.json:2: asin is 'a.*b'; it must be printable"),
        (lines(OLD, OLD | {"reviewerID": "a\nb"}), r"reviews.json:2: reviewerID is .*; it must be printable"),
        (lines(OLD, OLD | {"summary": "\ud800"}), r"reviews.json:2: summary holds half a surrogate pair"),
        (lines(OLD) + lines(OLD | {"summary": "X"}).replace(b"X", b"\xe9"), r":2: byte 0xe9 is not UTF-8"),
        (lines(OLD, OLD | {"reviewText": 3}), r"reviews.json:2: reviewText is '3'; it must be text"),
    ],
)
def test_a_fault_names_file_and_line(tmp_path, data, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, data)


def test_a_damaged_gzip_is_one_clear_error(tmp_path):
    packed = gzip.compress(lines(*[OLD | {"reviewText": str(i) * 50} for i in range(500)]))
    with pytest.raises(DataError, match=r"r.json.gz.*(end-of-stream|damaged|ended)"):
        read(tmp_path, packed[: len(packed) // 2], "r.json.gz")


def test_the_files_of_a_release_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    reviews = [
        OLD | {"reviewerID": f"A{u}", "asin": f"B{i}", "unixReviewTime": i} for u in (1, 2) for i in range(4)
    ]
    (tmp_path / "Movies_and_TV_5.json.gz").write_bytes(gzip.compress(lines(*reviews)))
    (tmp_path / "meta_Movies_and_TV.json.gz").write_bytes(
        gzip.compress(lines({"asin": "B0", "title": "First"}))
    )
    from reeltune.data.store import open_tuning

    data = open_tuning(prepare(DataConfig(dataset="amazon-reviews", k_core=1), data_dir=tmp_path))
    assert data.catalogue.titles == ("First", "B1", "B2", "B3")
    assert data.train.reviews[0] == "Good\nCharming."
    own = DataConfig(dataset="amazon-reviews", k_core=1, path="Movies_and_TV_5.json.gz")
    assert open_tuning(prepare(own, data_dir=tmp_path)).catalogue.titles[0] == "B0"
