"""Directors, actors and keywords beside the ratings."""

import gzip
import io
import tarfile

import pytest
from data_parts import rows, write_zip, zip_bytes

from reeltune.data.config import DataConfig
from reeltune.data.interactions import Movies, RawDataset
from reeltune.data.prepare.credits import find_credits, with_credits
from reeltune.data.readers.credits import read_credits
from reeltune.data.sources import download
from reeltune.data.store import open_side, open_tuning, prepare
from reeltune.errors import ConfigError, DataError

CSV = "movieId,imdbId,directors,actors,plot_keywords\n1,7,Ann,Bob|Cy,toy|cowboy\n2,8,,Cy,\n5,9,Ann|Dee,,\n"
KG = "head_id:token\trelation_id:token\ttail_id:token\nm.1\tfilm.film.directed_by\tm.a\nm.1\tfilm.film.actor\tm.c\nm.1\tfilm.film.actor\tm.b\nm.9\tfilm.film.actor\tm.b\nm.1\tfilm.film.genre\tm.g\n"  # noqa: E501
LINK = "item_id:token\tentity_id:token\n3\tm.1\n4\tm.2\n"


@pytest.fixture
def credits_csv(tmp_path):
    path = tmp_path / "credits.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_a_csv_gives_lists_by_movie(credits_csv):
    found = read_credits(credits_csv)
    assert found.directors == {"1": ("Ann",), "5": ("Ann", "Dee")}
    assert found.actors == {"1": ("Bob", "Cy"), "2": ("Cy",)}
    assert found.keywords == {"1": ("toy", "cowboy")}


def test_a_knowledge_graph_gives_lists_by_movie(tmp_path):
    path = write_zip(tmp_path / "x.whl", {"r/ml-100k.kg": KG.encode(), "r/ml-100k.link": LINK.encode()})
    found = read_credits(path)
    assert found.directors == {"3": ("m.a",)}
    assert found.actors == {"3": ("m.b", "m.c")}


CASTS = gzip.compress(b'movieId,title,actors\n1,"One (1990)",Ann|Bob\n')
EXTRA = b"1::One::1990::G::d::Drama::Dee::w::Ann, Bob::A plot.::p\r\n"
EXTRA += b"2::Two::1990::G::d::Drama::N/A::w::N/A::N/A::p\r\n"
IMDB = (
    b"director_name,actor_1_name,actor_2_name,actor_3_name,plot_keywords,movie_imdb_link\n"
    b"Dee,Ann,Bob,,toy|boy,http://www.imdb.com/title/tt0000007/?ref_=fn\n"
)
OTHERS = {
    "casts.csv.gz": (CASTS, {}, ("Ann", "Bob"), None),
    "movies_extrainfos.dat": (EXTRA, {"1": ("Dee",)}, ("Ann", "Bob"), ("A plot.",)),
    "extra.zip": (
        zip_bytes({"movies_extrainfos.dat": EXTRA}),
        {"1": ("Dee",)},
        ("Ann", "Bob"),
        ("A plot.",),
    ),
    "hetrec.zip": (
        zip_bytes({
            "h/movie_directors.dat": "movieID\tdirectorID\tdirectorName\r\n1\td\tDée\r\n".encode("latin-1"),
            "h/movie_actors.dat": b"movieID\tactorID\tactorName\tranking\r\n1\ta\tAnn\t1\r\n1\tb\tBob\t2\r\n",
        }),
        {"1": ("Dée",)},
        ("Ann", "Bob"),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_tables_of_others_are_read(tmp_path, name):
    data, directors, actors, words = OTHERS[name]
    (tmp_path / name).write_bytes(data)
    found = read_credits(tmp_path / name)
    assert found.directors == directors
    assert found.actors == {"1": actors}
    assert found.keywords == ({} if words is None else {"1": words})


def test_casts_are_read_from_a_source_package(tmp_path):
    path = tmp_path / "scikit-fusion-0.2.1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("s/data/movielens/actors.csv.gz")
        member.size = len(CASTS)
        archive.addfile(member, io.BytesIO(CASTS))
    assert read_credits(path).actors == {"1": ("Ann", "Bob")}


def test_a_table_by_imdb_numbers_goes_through_the_links(tmp_path):
    (tmp_path / "imdb.csv").write_bytes(IMDB)
    found = read_credits(tmp_path / "imdb.csv")
    movies = Movies(("1", "3"), ("One", "Three"), (0, 0), ((), ()), imdb_ids=("", "0000007"))
    raw = with_credits(RawDataset(rows((1, 1, 3, 1)), movies), found)
    assert raw.movies.directors == ((), ("Dee",))
    assert raw.movies.actors == ((), ("Ann", "Bob"))
    assert raw.movies.plots == ("", "toy boy")
    with pytest.raises(ConfigError, match="goes by IMDb's numbers"):
        with_credits(RawDataset(rows((1, 1, 3, 1))), found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold movieId, and directors, actors or plot_keywords"),
        ("movieId,title\n1,Ann\n", "must hold movieId, and directors, actors or plot_keywords"),
        ("movieId,directors,actors\n1,Ann\n", "credits.csv:2: 2 fields"),
        ("movieId,directors,directors\n1,a,b\n", "credits.csv:1: the column 'directors' is there 2 times"),
        (b"movieId,directors\n1,Ren\xe9\n", "credits.csv:2: byte 0xe9 is not utf-8; save the file as UTF-8"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "credits.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message):
        read_credits(path)


def test_archives_without_credits_are_refused(tmp_path):
    path = write_zip(tmp_path / "x.zip", {"readme": b""})
    with pytest.raises(DataError, match=r"holds no credits: ml-100k\.kg"):
        read_credits(path)


def test_credits_are_joined_to_the_movies_of_the_source(credits_csv):
    movies = Movies(("1", "3"), ("One", "Three"), (0, 0), ((), ()), plots=("A plot.", ""))
    raw = with_credits(RawDataset(rows((1, 1, 3, 1)), movies), read_credits(credits_csv))
    assert raw.movies.directors == (("Ann",), ())
    assert raw.movies.plots == ("A plot. toy cowboy", "")
    assert len(raw.credits_sha256) == 64


def test_data_without_movies_get_some(credits_csv):
    raw = with_credits(RawDataset(rows((1, 1, 3, 1))), read_credits(credits_csv))
    assert raw.movies.ids == ("1", "2", "5")
    assert raw.movies.actors == (("Bob", "Cy"), ("Cy",), ())


def test_a_file_is_found_beside_the_data(credits_csv, monkeypatch, tmp_path):
    assert find_credits("credits.csv", "movielens-1m", credits_csv.parent) == credits_csv
    monkeypatch.setenv("REELTUNE_DATA", str(credits_csv.parent))
    assert find_credits("credits.csv", "movielens-1m", None) == credits_csv
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"folder is a folder; name the file in it"):
        find_credits("folder", "movielens-1m", tmp_path)
    with pytest.raises(DataError, match=r"no file 'absent\.csv'.*--data-dir"):
        find_credits("absent.csv", "movielens-1m", tmp_path)


def test_only_a_packaged_data_set_has_credits_in_a_package():
    with pytest.raises(DataError, match="no package carries rotten-tomatoes"):
        find_credits("package", "rotten-tomatoes", None)


def test_the_package_is_fetched_once(monkeypatch):
    def fetch(_, target):
        write_zip(target, {"ml-100k.kg": KG.encode(), "ml-100k.link": LINK.encode()})

    monkeypatch.setattr(download, "fetch_package", fetch)
    first = find_credits("package", "movielens-100k", None)
    monkeypatch.setattr(download, "fetch_package", lambda *_: pytest.fail("fetched again"))
    assert find_credits("package", "movielens-100k", None) == first
    first.unlink()


def test_another_file_of_credits_makes_another_entry(credits_csv):
    catalogue = open_tuning(prepare(DataConfig(dataset="synthetic"))).catalogue
    lines = ["item,directors,actors", *(f"{item},D{item},A" for item in catalogue.item_ids)]
    credits_csv.write_text("\n".join(lines) + "\n")
    config = DataConfig(dataset="synthetic", credits=str(credits_csv))
    with pytest.warns(FutureWarning, match="the key people is now called credits"):
        assert DataConfig.model_validate({"dataset": "synthetic", "people": str(credits_csv)}) == config
    first = prepare(config)
    assert prepare(config) == first != prepare(DataConfig(dataset="synthetic"))
    assert open_side(first).details.directors[0] == (f"D{catalogue.item_ids[0]}",)
    credits_csv.write_text(credits_csv.read_text().replace(",A\n", ",B\n"))
    second = prepare(config)
    assert second != first
    assert open_side(second).details.actors[0] == ("B",)
    ledgers = [open_tuning(entry).ledger for entry in (first, second)]
    assert ledgers[0].people_sha256 != ledgers[1].people_sha256
    assert ledgers[0].fingerprint == ledgers[1].fingerprint
