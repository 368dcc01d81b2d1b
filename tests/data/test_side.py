import numpy as np
import pytest
from data_parts import rows

from reeltune.data.config import DataConfig
from reeltune.data.interactions import Movies, RawDataset, TagTable, Users
from reeltune.data.readers import movielens
from reeltune.data.sources.source import FileSet
from reeltune.data.store import open_side, write_dataset
from reeltune.data.texts import Texts
from reeltune.errors import DataError

VALUES = [(u, 10 + t, 3, t) for u in (2, 1) for t in range(5)]
TAGS = [
    ("1", "10", "old", 0),
    ("1", "13", "validation target", 9),
    ("1", "14", "test target", 9),
    ("2", "99", "unrated", 1),
    ("7", "14", "stranger", 2),
    ("1", "11", "late", 500),
]


def tag_table():
    users, items, texts, times = zip(*TAGS, strict=True)
    return TagTable(users, items, Texts.of(texts), np.array(times, dtype=np.int64))


def side(folder, **split):
    movies = Movies(
        ids=("12", "11"),
        titles=("B", "A"),
        years=(0, 0),
        genres=((), ()),
        imdb_ids=("0012", "0011"),
        directors=(("D",), ()),
    )
    users = Users(("2", "9"), (31, 5), ("F", "M"), ("writer", "other"))
    raw = RawDataset(rows(*VALUES), movies, users=users, tags=tag_table())
    write_dataset(
        folder / "e", raw, DataConfig.model_validate({"dataset": "synthetic", "k_core": 1, **split})
    )
    return open_side(folder / "e")


def test_side_information_is_aligned_to_the_codes(tmp_path):
    found = side(tmp_path)
    assert found.users.ids == ("1", "2")
    assert (found.users.ages, found.users.genders) == ((-1, 31), ("", "F"))
    assert found.users.occupations == ("", "writer")
    assert found.details.imdb_ids == ("", "0011", "0012", "", "")
    assert found.details.directors == ((), (), ("D",), (), ())
    assert found.details.plots == found.details.tmdb_ids == ()


def test_tags_tell_nothing_of_held_out_events(tmp_path):
    tags = side(tmp_path).tags
    assert list(tags.texts) == ["old", "stranger", "late"]
    assert (tags.user.tolist(), tags.item.tolist()) == ([0, -1, 0], [1, 5, 2])
    everything = b"".join(p.read_bytes() for p in (tmp_path / "e").rglob("*") if p.is_file())
    assert b"validation target" not in everything
    assert b"test target" not in everything


def test_tags_of_the_held_out_time_are_left_out(tmp_path):
    split = {"name": "global-time", "validation_from": 0.4, "test_from": 0.8}
    assert list(side(tmp_path, split=split).tags.texts) == ["old"]


def test_an_entry_without_side_information_has_empty_fields(tmp_path):
    write_dataset(tmp_path / "e", RawDataset(rows(*VALUES)), DataConfig(dataset="synthetic", k_core=1))
    found = open_side(tmp_path / "e")
    assert (found.users.ids, found.users.ages, found.tags, found.details.plots) == (("1", "2"), (), None, ())
    with pytest.raises(DataError, match="is not a whole prepared data set"):
        open_side(tmp_path / "gone")


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return FileSet(folder)


RATINGS_U = "1\t1\t5\t10\n1\t2\t4\t11\n2\t1\t3\t12\n2\t2\t3\t12\n3\t1\t3\t12\n"
ITEMS_U = "".join(f"{i}|M{i} (1990)|||x|{'|'.join('0' * 19)}\n" for i in (1, 2))


def folds(lines):
    return {f"u{k}__test": line for k, line in enumerate(lines, start=1)}


def test_users_and_folds_of_ml100k(tmp_path):
    lines = RATINGS_U.splitlines(keepends=True)
    files = write(
        tmp_path,
        u__data=RATINGS_U,
        u__item=ITEMS_U,
        u__user="2|53|F|other|9\n1|24|M|writer|8\n",
        **folds(lines[::-1]),
    )
    raw = movielens.read_u(files)
    assert raw.users == Users(("2", "1"), (53, 24), ("F", "M"), ("other", "writer"))
    assert raw.fold.tolist() == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"u__user": "1|24|M|writer\n"}, r"u.user:1: 4 fields in .*; 5 parted by"),
        (
            {"u__user": "1|24|M|writer|8\n2|x|M|writer|8\n"},
            r"u.user:2: the age is 'x'; it must lie in 1 to 129",
        ),
        ({"u__user": "\n"}, r"u.user: there is no user"),
        (folds(["9\t1\t5\t10\n"] * 5), r"u1.test holds a row that is not in u.data"),
        (folds([RATINGS_U.splitlines(keepends=True)[0]] * 5), r"hold 5 rows, 1 of the 5 in u.data"),
    ],
)
def test_faults_in_the_files_of_ml100k_are_named(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        movielens.read_u(write(tmp_path, u__data=RATINGS_U, u__item=ITEMS_U, **change))


def test_users_and_tags_of_dat_editions(tmp_path):
    files = write(
        tmp_path,
        ratings__dat="1::1::5::10\n",
        movies__dat="1::A (1990)::Drama\n",
        users__dat="1::F::18::12::55\n",
        tags__dat="15::1::so, so good::1215184630\n",
    )
    raw = movielens.read_dat_edition(files)
    assert raw.users == Users(("1",), (18,), ("F",), ("programmer",))
    assert (raw.tags.users, list(raw.tags.texts)) == (("15",), ["so, so good"])


def test_tags_and_links_of_csv_editions(tmp_path):
    files = write(
        tmp_path,
        ratings__csv="userId,movieId,rating,timestamp\n1,1,5,10\n",
        movies__csv="movieId,title,genres\n1,A (1990),Drama\n2,B (1991),Drama\n",
        tags__csv='userId,movieId,tag,timestamp\n1,2,"dark, slow",99\n',
        links__csv="movieId,imdbId,tmdbId\n2,0113497,\n",
    )
    raw = movielens.read_csv_edition(files)
    assert (list(raw.tags.texts), raw.tags.timestamp.tolist()) == (["dark, slow"], [99])
    assert (raw.movies.imdb_ids, raw.movies.tmdb_ids) == (("", "0113497"), ("", ""))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"tags__csv": "user,movie\n"},
            r"tags.csv:1: there is no column 'userId'; the header is 'user,movie'",
        ),
        (
            {"tags__csv": "userId,movieId,tag,timestamp\n1,2,x\n"},
            r"tags.csv:2: 3 fields in '1,2,x'; 4 parted by",
        ),
        ({"links__csv": "movieId,imdbId,tmdbId\n1,2\n"}, r"links.csv:2: 2 fields in '1,2'; 3 parted by"),
    ],
)
def test_faults_in_side_files_of_csv_editions_are_named(tmp_path, files, message):
    base = {
        "ratings__csv": "userId,movieId,rating,timestamp\n1,1,5,10\n",
        "movies__csv": "movieId,title,genres\n1,A (1990),Drama\n",
    }
    with pytest.raises(DataError, match=message):
        movielens.read_csv_edition(write(tmp_path, **base, **files))
