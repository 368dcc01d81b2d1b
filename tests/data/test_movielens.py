import pytest

from reeltune.data.readers import movielens
from reeltune.data.sources.source import FileSet
from reeltune.errors import DataError

RATINGS = [(1, 2, 4.0, 100), (1, 1, 3.0, 50), (2, 1, 5.0, 70)]
TITLES = ("Toy Story (1995)", "Léon: The Professional (1994)")


@pytest.fixture
def folder(tmp_path):
    def write(**files: bytes):
        for name, data in files.items():
            (tmp_path / name.replace("__", ".")).write_bytes(data)
        return FileSet(tmp_path)

    return write


def lines(delimiter, header=""):
    body = "".join(delimiter.join(f"{value:g}" for value in row) + "\n" for row in RATINGS)
    return (header + body).encode()


def check(raw):
    interactions, movies = raw.interactions, raw.movies
    assert interactions.user.tolist() == [1, 1, 2]
    assert interactions.item.tolist() == [2, 1, 1]
    assert interactions.rating.tolist() == [4, 3, 5]
    assert interactions.timestamp.tolist() == [100, 50, 70]
    assert movies.ids == ("1", "2")
    assert movies.titles == TITLES
    assert movies.years == (1995, 1994)
    assert movies.genres == (("Animation", "Comedy"), ())


def test_u_data(folder):
    flags = ["0"] * 19
    toy, leon = flags.copy(), flags.copy()
    toy[3] = toy[5] = leon[0] = "1"
    rows = [
        f"{i}|{t} |01-Jan-1995||http://x|{'|'.join(f)}"
        for i, t, f in [(2, TITLES[1], leon), (1, TITLES[0], toy)]
    ]
    files = folder(u__data=lines("\t"), u__item="\n".join(rows).encode("latin-1"))
    check(movielens.read_u(files))


def test_recbole_copy(folder):
    item = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    item += "1\tToy Story\t1995\tAnimation Comedy\n2\tLéon: The Professional\t1994\tunknown\n"
    (files := folder()).path.joinpath("ml-100k.inter").write_bytes(
        lines("\t", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n")
    )
    files.path.joinpath("ml-100k.item").write_text(item, encoding="utf-8")
    check(movielens.read_recbole(files))


def test_the_first_users_of_a_whole_file(folder, monkeypatch):
    monkeypatch.setattr(movielens, "LAST_OF_PART", 1)
    movies = "\n".join(f"{i}::{title}::Drama" for i, title in enumerate(TITLES, 1)).encode("latin-1")
    files = folder(ratings__dat=lines("::"), movies__dat=movies)
    assert movielens.read_dat_edition(files).interactions.user.tolist() == [1, 1, 2]
    part = movielens.read_first_users(files).interactions
    assert part.user.tolist() == [1, 1]
    assert part.timestamp.tolist() == [100, 50]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_double_colons(folder, encoding):
    movies = f"1::{TITLES[0]}::Animation|Comedy\r\n2::{TITLES[1]}::(no genres listed)\r\n"
    check(movielens.read_dat_edition(folder(ratings__dat=lines("::"), movies__dat=movies.encode(encoding))))


def test_csv(folder):
    movies = f'movieId,title,genres\n1,{TITLES[0]},Animation|Comedy\n2,"{TITLES[1]}",(no genres listed)\n'
    files = folder(ratings__csv=lines(",", "userId,movieId,rating,timestamp\n"), movies__csv=movies.encode())
    check(movielens.read_csv_edition(files))


def test_ranks(folder):
    movies = b"1::A (1990)::Drama\n2::B (1991)::Drama\n"
    ratings = b"userId,movieId,rating,seq,timestamp\n1,2,4,2,\n1,1,3,1,50\n"
    raw = movielens.read_ranked_edition(folder(ratings_seq__csv=ratings, movies__dat=movies))
    assert raw.interactions.rank.tolist() == [2, 1]
    assert raw.interactions.timestamp.tolist() == [-1, 50]


@pytest.mark.parametrize(
    ("movies", "message"),
    [
        (b"1::A (1990)\n", r"movies.dat:1: 2 fields in .*; 3 parted by"),
        (b"1::A (1990)::Drama\nx::B::Drama\n", r"movies.dat:2: "),
        (b"", r"movies.dat: there is no movie"),
    ],
)
def test_a_fault_in_the_movies_names_the_line(folder, movies, message):
    with pytest.raises(DataError, match=message):
        movielens.read_dat_edition(folder(ratings__dat=lines("::"), movies__dat=movies))


def test_a_fault_in_a_csv_of_movies_names_the_line(folder):
    files = folder(
        ratings__csv=lines(",", "userId,movieId,rating,timestamp\n"),
        movies__csv=b'movieId,title,genres\n1,"A\nB (1990)",Drama\n2,C\n',
    )
    with pytest.raises(DataError, match=r"movies.csv:4: 2 fields in '2,C'; 3 parted by"):
        movielens.read_csv_edition(files)


def test_an_absent_file_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*u.data: No such file"):
        movielens.read_u(FileSet(tmp_path))
